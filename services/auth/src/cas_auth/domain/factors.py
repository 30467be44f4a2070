"""Second factors (docs/spec/auth-protocol.md 1.3)."""

from datetime import timedelta
from enum import StrEnum

from cas_auth.domain.refusals import InvalidRequest

# Of one user, whether verified or not.
MAX_FACTORS = 10
NAME_CHARACTERS = 100
# With the longest address behind it, the text still fits into a QR code.
ISSUER_CHARACTERS = 64

CHALLENGE_LIFETIME = timedelta(minutes=5)
# Guesses at the code of one challenge, and challenges of one factor at a time: what bounds guessing while no counter is
# shared between replicas.
MAX_CODE_ATTEMPTS = 5
MAX_OPEN_CHALLENGES = 15


class FactorType(StrEnum):
    TOTP = "totp"
    PHONE = "phone"
    WEBAUTHN = "webauthn"


class FactorStatus(StrEnum):
    UNVERIFIED = "unverified"
    VERIFIED = "verified"


def factor_name(text: str | None) -> str | None:
    """The name somebody gives a factor of theirs; None when they give none.

    :raises InvalidRequest: it is too long.
    """
    name = (text or "").strip()
    if len(name) > NAME_CHARACTERS:
        raise InvalidRequest(f"friendly_name cannot be longer than {NAME_CHARACTERS} characters")
    return name or None
