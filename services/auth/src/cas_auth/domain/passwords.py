"""Which passwords people may choose (docs/spec/auth-protocol.md 4, NIST SP 800-63B-4 section 3.1.1.2)."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cas_auth.domain.refusals import InvalidRequest

PASSWORD_MAX_BYTES = 1024


class Flaw(StrEnum):
    """Why a password should be another one; the protocol's `reasons`."""

    LENGTH = "length"
    CHARACTERS = "characters"
    PWNED = "pwned"


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """What can be told from a password alone.

    :param required: a password has a character of each of these; none by default, because such rules make passwords
        worse.
    """

    min_length: int
    required: Sequence[str] = ()

    def flaws(self, password: str) -> Iterator[Flaw]:
        """Which rules it breaks; each code point is one character."""
        normal = normal_form(password)
        if len(normal) < self.min_length:
            yield Flaw.LENGTH
        if not all(set(characters) & set(normal) for characters in self.required):
            yield Flaw.CHARACTERS

    def advice(self, flaws: Sequence[Flaw]) -> str:
        """What to do about these flaws, in the protocol's words."""
        sentences = {
            Flaw.LENGTH: f"Password should be at least {self.min_length} characters.",
            Flaw.CHARACTERS: f"Password should contain at least one character of each: {', '.join(self.required)}.",
            Flaw.PWNED: "Password is known to be weak and easy to guess, please choose a different one.",
        }
        return " ".join(sentences[flaw] for flaw in flaws)


def check_size(password: str) -> None:
    """Refuse what is longer than anybody types.

    :raises InvalidRequest: it has more than `PASSWORD_MAX_BYTES`.
    """
    if len(password.encode()) > PASSWORD_MAX_BYTES:
        raise InvalidRequest(f"Password cannot be longer than {PASSWORD_MAX_BYTES} bytes")


def normal_form(password: str) -> str:
    """The one spelling of what looks the same: keyboards differ in how they send `é` (NFC)."""
    return unicodedata.normalize("NFC", password)
