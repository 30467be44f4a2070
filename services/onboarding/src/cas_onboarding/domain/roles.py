"""The roles a person can be onboarded for (docs/spec/domain.md 1.1)."""

from enum import StrEnum

from cas_kit.errors import DomainError, Kind


class Role(StrEnum):
    TUTOR = "tutor"
    CLIENT = "client"
    AGENT = "agent"


class UnknownRole(DomainError):
    kind = Kind.MALFORMED
    code = "unknown-role"
    sentence = "Unknown role: use tutor, client or agent."


_ALIASES = {"provider": Role.TUTOR, "seeker": Role.CLIENT}


def role_named(name: str) -> Role:
    """The role of this name or alias, in any case and with spaces around it.

    :raises UnknownRole: there is none.
    """
    folded = name.strip().casefold()
    try:
        return _ALIASES.get(folded) or Role(folded)
    except ValueError:
        raise UnknownRole from None
