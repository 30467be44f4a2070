"""The roles a person can be onboarded for (docs/spec/domain.md 1.1)."""

from cas_kit.errors import DomainError, Kind
from cas_taxonomy import Role, find_role

__all__ = ["Role", "UnknownRole", "role_named"]


class UnknownRole(DomainError):
    kind = Kind.MALFORMED
    code = "unknown-role"
    sentence = "Unknown role: use tutor, client or agent."


def role_named(name: str) -> Role:
    """The role of this name or alias, in any case and with spaces around it.

    :raises UnknownRole: there is none.
    """
    role = find_role(name)
    if role is None:
        raise UnknownRole
    return role
