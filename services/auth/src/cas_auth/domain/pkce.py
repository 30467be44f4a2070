"""Proof Key for Code Exchange (RFC 7636), as the protocol spells it (docs/spec/auth-protocol.md 2.3)."""

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Self

from cas_auth.domain.refusals import InvalidRequest

FLOW_LIFETIME = timedelta(minutes=5)
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class ChallengeMethod(StrEnum):
    S256 = "s256"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a client keeps the secret of; only who has it may exchange the code."""

    value: str
    method: ChallengeMethod

    @classmethod
    def read(cls, value: str | None, method: str | None) -> Self | None:
        """The challenge of a request's two fields; None when it has neither.

        :raises InvalidRequest: one is missing, or one is malformed.
        """
        if not value and not method:
            return None
        if not value or not method:
            raise InvalidRequest(
                "PKCE flow requires both code_challenge and code_challenge_method parameters"
            )
        if not _CHALLENGE.fullmatch(value):
            raise InvalidRequest(
                "code challenge has to be between 43 and 128 characters of A-Z a-z 0-9 . _ ~ -"
            )
        try:
            return cls(value, ChallengeMethod(method.lower()))
        except ValueError as error:
            raise InvalidRequest("code challenge method must be s256 or plain") from error

    def is_met_by(self, verifier: str) -> bool:
        """Whether `verifier` is the secret behind the challenge."""
        if self.method is ChallengeMethod.PLAIN:
            offered = verifier
        else:
            digest = sha256(verifier.encode("utf-8", "surrogatepass")).digest()
            offered = urlsafe_b64encode(digest).rstrip(b"=").decode()
        return hmac.compare_digest(offered.encode("utf-8", "surrogatepass"), self.value.encode())
