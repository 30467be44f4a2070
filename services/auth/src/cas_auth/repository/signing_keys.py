"""Signing keys."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cas_auth.models import StoredSigningKey

SIGNING_KEYS_LOCK = 0x5161  # any constant will do: it is held per database


def lock_signing_keys(session: Session) -> None:
    """Keep other processes from making keys until this transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(SIGNING_KEYS_LOCK)))


def list_signing_keys(session: Session) -> Sequence[StoredSigningKey]:
    """All keys, oldest first."""
    return session.scalars(select(StoredSigningKey).order_by(StoredSigningKey.created_at)).all()
