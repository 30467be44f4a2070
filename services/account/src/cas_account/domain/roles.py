"""Roles: what a user can be on the platform (docs/spec/domain.md 1.1)."""

from dataclasses import dataclass
from enum import StrEnum

from cas_kit.errors import DomainError, FieldProblem, Kind, ValidationFailed


class Role(StrEnum):
    """The canonical id of a role, as stored and answered."""

    TUTOR = "tutor"
    CLIENT = "client"
    AGENT = "agent"


_BY_NAME = {role.value: role for role in Role} | {"provider": Role.TUTOR, "seeker": Role.CLIENT}
ROLE_NAMES = tuple(_BY_NAME)
EXPECTED = "must be tutor (or provider), client (or seeker) or agent"


class UnknownRole(ValidationFailed):
    code = "unknown-role"
    sentence = f"The role {EXPECTED}."


class RoleNotHeld(DomainError):
    kind = Kind.MALFORMED  # 400 on /api/profile, the one place where a role is switched
    code = "role-not-held"
    sentence = "You do not hold this role yet. Complete its onboarding first."


def find_role(name: object) -> Role | None:
    """The role of this name or alias, in any case and with outer spaces; None when there is none."""
    return _BY_NAME.get(name.strip().lower()) if isinstance(name, str) else None


@dataclass(frozen=True, slots=True)
class AskedRole:
    """A role, and how the request spelled it: professional info answers in that spelling (docs/spec/domain.md 1.1)."""

    role: Role
    as_asked: str

    @classmethod
    def read(cls, name: object) -> "AskedRole":
        """The role of this name or alias.

        :raises UnknownRole: there is none.
        """
        role = find_role(name)
        if role is None:
            raise UnknownRole.of([FieldProblem("role_type", EXPECTED, UnknownRole.code)])
        return cls(role, str(name).strip())
