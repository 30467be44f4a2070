"""Everything kept about a user, collected from every service, for that user (docs/spec/domain.md 8.2)."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from uuid import UUID

from sqlalchemy.orm import Session

from cas_account import repository
from cas_account.domain.export import Export
from cas_account.operations.parts import Part
from cas_account.operations.profiles import get_own_profile
from cas_kit.db import Database


def collect_export(database: Database, parts: Sequence[Part], *, user_id: UUID, now: datetime) -> Export:
    """Ask every service; complete, or not at all.

    :raises Unavailable: one of them did not answer.
    :raises Unauthenticated: the user was erased after the token was issued.
    """
    with database.autocommit() as connection:
        get_own_profile(connection, user_id=user_id)
    return Export.of(user_id, chain.from_iterable(part.export_user(user_id) for part in parts), now=now)


def record_export(session: Session, *, user_id: UUID, now: datetime) -> None:
    """Put on record that the user took their data with them."""
    repository.add_audit_entry(
        session, actor=user_id, action="data_exported", thing=f"profile/{user_id}", now=now
    )
