"""Seals over the audit log, under a key of ours: who can write the database, but has no key, cannot make them anew."""

import hmac
import json
import struct
from datetime import datetime, timedelta
from hashlib import sha256

from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.domain.audit_chain import HASH_BYTES
from cas_auth.models import AuditEntry

FIRST_HASH = bytes(HASH_BYTES)  # what the first seal follows
SALT_BYTES = 16
_POSITION = struct.Struct(">q")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class AuditSeals:
    """Makes the hashes of seals."""

    def __init__(self, encryption_key: EncryptionKey) -> None:
        self._key = encryption_key.derive("audit seals")

    def hash(self, entry: AuditEntry, *, position: int, previous: bytes, origin_digest: bytes) -> bytes:
        """What follows from the seal before and everything of this entry, its origin by the digest alone."""
        message = previous + _POSITION.pack(position) + origin_digest + _canonical(entry)
        return hmac.digest(self._key, message, "sha256")


def origin_digest(entry: AuditEntry, salt: bytes) -> bytes:
    """What stands for the origin in the seal. Without the salt nobody finds out of which address it was made."""
    ip = None if entry.ip is None else str(entry.ip)
    return sha256(salt + json.dumps([ip, entry.user_agent]).encode()).digest()


def _canonical(entry: AuditEntry) -> bytes:
    """The entry without its origin, in the one spelling that the database gives back unchanged."""
    return json.dumps(
        [
            entry.id,
            entry.actor_id and str(entry.actor_id),
            entry.session_id and str(entry.session_id),
            entry.action,
            entry.traits,
            entry.request_id,
            (entry.created_at - _EPOCH) // _MICROSECOND,
        ],
        sort_keys=True,
        separators=(",", ":"),
    ).encode()
