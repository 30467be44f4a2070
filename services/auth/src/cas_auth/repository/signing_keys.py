"""Signing keys."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cas_auth.domain.refusals import SigningKeyNotFound
from cas_auth.models import StoredSigningKey

SIGNING_KEYS_LOCK = 0x5161  # any constant will do: it is held per database


def lock_signing_keys(session: Session) -> None:
    """Keep other processes from making or changing keys until this transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(SIGNING_KEYS_LOCK)))


def list_signing_keys(session: Session) -> Sequence[StoredSigningKey]:
    """All keys, oldest first."""
    return session.scalars(select(StoredSigningKey).order_by(StoredSigningKey.created_at)).all()


def get_signing_key(session: Session, *, kid: str) -> StoredSigningKey:
    """The key of this id.

    :raises SigningKeyNotFound: there is none.
    """
    found = session.get(StoredSigningKey, kid)
    if found is None:
        raise SigningKeyNotFound
    return found


def add_signing_key(session: Session, key: StoredSigningKey) -> None:
    """Add a key, after what was changed before it: at most one is current, and one standby."""
    session.flush()
    session.add(key)
    session.flush()


def delete_signing_keys(session: Session, *, kids: Collection[str]) -> None:
    """Remove keys: what they signed is good no longer."""
    session.execute(delete(StoredSigningKey).where(StoredSigningKey.kid.in_(kids)))
