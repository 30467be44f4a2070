"""What a token must be to be believed."""

import pytest

from cas_kit.errors import Unauthenticated
from cas_kit.testing.issuer import AUDIENCE, ISSUER
from cas_kit.tokens import SubjectNotAUser, TokenVerifier


@pytest.fixture
def verifier(issuer):
    return TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=issuer)


class TestVerify:
    def test_tells_a_foreign_subject_from_a_bad_token(self, issuer, verifier):
        with pytest.raises(SubjectNotAUser):
            verifier.verify(issuer.token(sub="service-role"))
        with pytest.raises(Unauthenticated) as refusal:
            verifier.verify(issuer.token(sub=None))
        assert not isinstance(refusal.value, SubjectNotAUser)
