"""Have the keys that sign access tokens."""

from datetime import datetime

from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.credentials.keys import KeyRing, SigningKey
from cas_auth.models import StoredSigningKey
from cas_auth.repository.signing_keys import list_signing_keys, lock_signing_keys
from cas_kit.db import Database


def load_signing_keys(
    database: Database, *, keys: KeyRing, encryption_key: EncryptionKey, now: datetime
) -> None:
    """Fill `keys` from the database, and make the first key when there is none. Safe to repeat and to run at once.

    :raises WrongEncryptionKey: the keys were stored under another encryption key.
    """
    with database.transaction() as session:
        lock_signing_keys(session)
        stored = list_signing_keys(session)
        if not stored:
            stored = [_new_key(encryption_key, now)]
            session.add_all(stored)
    keys.replace(
        SigningKey.unseal(row.sealed_private_key, kid=row.kid, state=row.state, encryption_key=encryption_key)
        for row in stored
    )


def _new_key(encryption_key: EncryptionKey, now: datetime) -> StoredSigningKey:
    key = SigningKey.generate()
    return StoredSigningKey(
        kid=key.kid,
        state=key.state,
        sealed_private_key=key.sealed(encryption_key),
        created_at=now,
    )
