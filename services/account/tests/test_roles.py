"""Roles by the names that requests use."""

import pytest

from cas_account.domain.roles import AskedRole, Role, UnknownRole, find_role


class TestRoles:
    @pytest.mark.parametrize(
        ("name", "role"),
        [("tutor", Role.TUTOR), (" Provider ", Role.TUTOR), ("SEEKER", Role.CLIENT), ("agent", Role.AGENT)],
    )
    def test_are_found_by_alias_in_any_case(self, name, role):
        assert find_role(name) is role
        assert AskedRole.read(name) == AskedRole(role, name.strip())

    @pytest.mark.parametrize("name", ["admin", "", None, 1, ["tutor"]])
    def test_are_refused_when_unknown(self, name):
        with pytest.raises(UnknownRole, match="role_type: must be tutor"):
            AskedRole.read(name)
