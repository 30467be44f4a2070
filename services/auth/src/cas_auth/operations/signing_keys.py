"""Have the keys that sign access tokens."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.credentials.keys import KeyRing, SigningKey
from cas_auth.domain.keys import KeyState
from cas_auth.models import StoredSigningKey
from cas_auth.operations.tools import Tools
from cas_auth.repository.signing_keys import (
    add_signing_key,
    get_signing_key,
    list_signing_keys,
    lock_signing_keys,
)
from cas_kit.db import Database


def load_signing_keys(
    database: Database, *, keys: KeyRing, encryption_key: EncryptionKey, now: datetime
) -> None:
    """Fill `keys` from the database, and make those that are missing: one that signs, one that will be next.

    Safe to repeat and to run at once.

    :raises WrongEncryptionKey: the keys were stored under another encryption key.
    """
    with database.transaction() as session:
        lock_signing_keys(session)
        states = {row.state for row in list_signing_keys(session)}
        for state in (KeyState.CURRENT, KeyState.STANDBY):
            if state not in states:
                add_signing_key(session, stored(SigningKey.generate(state=state), encryption_key, now=now))
        rows = list_signing_keys(session)
    keys.replace(_unsealed(rows, encryption_key))


def reload_signing_keys(database: Database, *, keys: KeyRing, encryption_key: EncryptionKey) -> bool:
    """Take over what was changed since `keys` was filled; whether a key was withdrawn.

    :raises WrongEncryptionKey: a key was stored under another encryption key.
    """
    with database.transaction() as session:
        rows = list_signing_keys(session)
    before, now = keys.states, {row.kid: row.state for row in rows}
    if before != now:
        keys.replace(_unsealed(rows, encryption_key))
    return not before.keys() <= now.keys()


def issue_service_token(
    database: Database, tools: Tools, *, role: str, lifetime: timedelta, now: datetime
) -> str:
    """A token for a program that administers users. Its key verifies for as long as the token is good."""
    load_signing_keys(database, keys=tools.issuer.keys, encryption_key=tools.encryption_key, now=now)
    with database.transaction() as session:
        lock_signing_keys(session)
        get_signing_key(session, kid=tools.issuer.keys.current.kid).need_until(now + lifetime)
    return tools.issuer.service_token(role, now=now, lifetime=lifetime)


def stored(key: SigningKey, encryption_key: EncryptionKey, *, now: datetime) -> StoredSigningKey:
    """The key as the database holds it."""
    return StoredSigningKey(
        kid=key.kid,
        state=key.state,
        algorithm=key.algorithm,
        sealed_private_key=key.sealed(encryption_key),
        created_at=now,
        state_since=now,
    )


def _unsealed(rows: Sequence[StoredSigningKey], encryption_key: EncryptionKey) -> list[SigningKey]:
    return [
        SigningKey.unseal(
            row.sealed_private_key,
            kid=row.kid,
            algorithm=row.algorithm,
            state=row.state,
            encryption_key=encryption_key,
        )
        for row in rows
    ]
