"""Second factors: enrolled, proven, asked for and taken off."""

import pytest

from cas_auth.domain.factors import FactorStatus, FactorType
from cas_auth.domain.refusals import SecondFactorRequired
from cas_auth.models import Factor


@pytest.fixture
def verified_factor(desk, ada, database):
    """A second factor of Ada's that her session was not proven by."""
    with database.transaction() as session:
        session.add(
            Factor(
                id=desk.tools.new_id(),
                user_id=ada.user.id,
                factor_type=FactorType.TOTP,
                status=FactorStatus.VERIFIED,
                sealed_secret=b"sealed",
                created_at=desk.now,
                updated_at=desk.now,
            )
        )


class TestUpdateUser:
    @pytest.mark.parametrize("change", [{"password": "another password"}, {"email": "eve@example.com"}])
    def test_demands_the_second_factor(self, desk, ada, verified_factor, change):
        with pytest.raises(SecondFactorRequired):
            desk.update(ada, **change)
        assert desk.sign_in()

    def test_does_not_tell_whether_a_password_is_right_without_it(self, desk, ada, verified_factor):
        with pytest.raises(SecondFactorRequired):
            desk.update(ada, password=desk.password)

    def test_changes_metadata_without_it(self, desk, ada, verified_factor):
        assert desk.update(ada, data={"city": "London"}).user_metadata == {"city": "London"}
