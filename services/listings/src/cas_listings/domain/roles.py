"""The roles somebody can offer or look for lessons in (docs/spec/domain.md 1.1)."""

from collections.abc import Sequence

from cas_kit.errors import DomainError, FieldProblem, Kind, ValidationFailed
from cas_taxonomy import ROLE_NAMES, Role, find_role

__all__ = ["ROLE_NAMES", "Role", "RoleNotHeld", "UnknownRole", "acting_role", "find_role", "role_named"]

_EXPECTED = "must be tutor (or provider), client (or seeker) or agent"


class UnknownRole(ValidationFailed):
    code = "unknown-role"
    sentence = f"The role {_EXPECTED}."


class RoleNotHeld(DomainError):
    kind = Kind.FORBIDDEN
    code = "role-not-held"
    sentence = "You do not hold this role yet. Complete its onboarding first."


def role_named(name: object, *, field: str) -> Role:
    """The role of this name or alias, in any case and with spaces around it.

    :param field: where the name was read, for the error.
    :raises UnknownRole: there is none.
    """
    role = find_role(name)
    if role is None:
        raise UnknownRole.of([FieldProblem(field, _EXPECTED, UnknownRole.code)])
    return role


def acting_role(asked: Role | None, *, held: Sequence[Role], active: Role | None) -> Role:
    """The role a listing is made in: the one asked for, else the active one, else tutor.

    Somebody who holds no role yet may act in any.

    :raises RoleNotHeld: others are held, this one is not.
    """
    if asked is None:
        return active or next(iter(held), Role.TUTOR)
    if held and asked not in held:
        raise RoleNotHeld
    return asked
