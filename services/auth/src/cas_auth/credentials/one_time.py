"""Secrets that work once: mailed links, mailed codes, and the codes of PKCE flows. The database keeps digests only."""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.domain.one_time_tokens import PKCE_PREFIX

LINK_BYTES = 32


@dataclass(frozen=True, slots=True)
class OneTimeSecret:
    """A link's token and a code for typing, and what may be stored of them."""

    link: str
    link_digest: bytes
    code: str
    code_digest: bytes


class OneTimeSecrets:
    """Makes and recognises one-time secrets."""

    def __init__(self, encryption_key: EncryptionKey, *, code_length: int) -> None:
        self._key = encryption_key.derive("one-time codes")
        self._code_length = code_length

    def make(self, token_id: UUID, *, pkce: bool) -> OneTimeSecret:
        """New secrets for the token of this id."""
        link = (PKCE_PREFIX if pkce else "") + secrets.token_hex(LINK_BYTES)
        code = f"{secrets.randbelow(10**self._code_length):0{self._code_length}}"
        return OneTimeSecret(
            link=link,
            link_digest=digest(link),
            code=code,
            code_digest=self._code_digest(token_id, code),
        )

    def is_code(self, code: str, *, token_id: UUID, stored: bytes) -> bool:
        """Whether `code` is the one of this token."""
        return hmac.compare_digest(self._code_digest(token_id, code.strip()), stored)

    def _code_digest(self, token_id: UUID, code: str) -> bytes:
        """Under a key of ours: a million codes are quickly tried otherwise."""
        return hmac.digest(self._key, token_id.bytes + code.encode("utf-8", "surrogatepass"), "sha256")


def auth_code() -> str:
    """A new code to exchange for a session."""
    return secrets.token_urlsafe(LINK_BYTES)


def digest(secret: str) -> bytes:
    """What is stored of a secret that nobody can guess."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
