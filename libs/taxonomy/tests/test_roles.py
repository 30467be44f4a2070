"""Names of roles."""

import pytest

from cas_taxonomy import ROLE_NAMES, Role, find_role


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("tutor", Role.TUTOR),
        ("provider", Role.TUTOR),
        (" Seeker ", Role.CLIENT),
        ("CLIENT", Role.CLIENT),
        ("agent", Role.AGENT),
        ("student", None),
        ("", None),
        (None, None),
        (1, None),
        (["tutor"], None),
    ],
)
def test_a_name_or_alias_in_any_case_finds_its_role(name, role):
    assert find_role(name) is role


def test_every_listed_name_is_understood():
    assert {find_role(name) for name in ROLE_NAMES} == set(Role)
