"""Roles: what a user can be on the platform (docs/spec/domain.md 1.1)."""

from dataclasses import dataclass

from cas_kit.errors import DomainError, FieldProblem, Kind, ValidationFailed
from cas_taxonomy import ROLE_NAMES, Role, find_role

__all__ = ["EXPECTED", "ROLE_NAMES", "AskedRole", "Role", "RoleNotHeld", "UnknownRole", "find_role"]

EXPECTED = "must be tutor (or provider), client (or seeker) or agent"


class UnknownRole(ValidationFailed):
    code = "unknown-role"
    sentence = f"The role {EXPECTED}."


class RoleNotHeld(DomainError):
    kind = Kind.MALFORMED  # 400 on /api/profile, the one place where a role is switched
    code = "role-not-held"
    sentence = "You do not hold this role yet. Complete its onboarding first."


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
