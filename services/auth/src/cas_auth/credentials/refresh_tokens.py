"""Refresh tokens: a session's id and counter, signed, so that the database holds nothing worth stealing."""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from uuid import UUID

from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.domain.refusals import InvalidRequest, RefreshTokenNotFound

VERSION = 2  # of the scheme in docs/spec/auth-protocol.md 2.3
TAG_BYTES = 16
_PAYLOAD = struct.Struct(">B16sQ")  # version, session id, counter


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a genuine refresh token says."""

    session_id: UUID
    counter: int


class RefreshTokens:
    """Writes and reads refresh tokens. Every session has a key of its own, derived from the encryption key."""

    def __init__(self, encryption_key: EncryptionKey) -> None:
        self._root = encryption_key.derive("refresh tokens")

    def write(self, token: RefreshToken) -> str:
        """The opaque text for this session and counter; always the same."""
        payload = _PAYLOAD.pack(VERSION, token.session_id.bytes, token.counter)
        return _encode(payload + self._tag(token.session_id, payload))

    def read(self, text: str) -> RefreshToken:
        """What `text` says, if it is one of ours.

        :raises InvalidRequest: it does not have the form of a refresh token.
        :raises RefreshTokenNotFound: it is forged.
        """
        raw = _decode(text)
        payload, tag = raw[: _PAYLOAD.size], raw[_PAYLOAD.size :]
        _, session_bytes, counter = _PAYLOAD.unpack(payload)
        token = RefreshToken(UUID(bytes=session_bytes), counter)
        if not hmac.compare_digest(tag, self._tag(token.session_id, payload)):
            raise RefreshTokenNotFound
        return token

    def _tag(self, session_id: UUID, payload: bytes) -> bytes:
        session_key = hmac.digest(self._root, session_id.bytes, "sha256")
        return hmac.digest(session_key, payload, "sha256")[:TAG_BYTES]


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (NotBase64, ValueError):
        raw = b""
    # Encoding again refuses the other spellings that a lenient decoder reads as the same bytes.
    if len(raw) != _PAYLOAD.size + TAG_BYTES or raw[0] != VERSION or _encode(raw) != text:
        raise InvalidRequest("Refresh token is not valid")
    return raw
