"""The roles a user can hold, and the names they are known by (docs/spec/domain.md 1.1)."""

from enum import StrEnum


class Role(StrEnum):
    """The canonical id of a role, as stored and answered."""

    TUTOR = "tutor"
    CLIENT = "client"
    AGENT = "agent"


_BY_NAME = {role.value: role for role in Role} | {"provider": Role.TUTOR, "seeker": Role.CLIENT}
ROLE_NAMES = tuple(_BY_NAME)
"""The canonical ids, then the aliases understood on input."""


def find_role(name: object) -> Role | None:
    """The role of this name or alias, in any case and with spaces around it; None when there is none."""
    return _BY_NAME.get(name.strip().casefold()) if isinstance(name, str) else None
