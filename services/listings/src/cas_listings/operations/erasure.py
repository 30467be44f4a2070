"""Users who are gone (docs/spec/domain.md 8.3)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_kit.errors import Unauthenticated
from cas_listings import repository
from cas_listings.operations.files import remove_all_files
from cas_listings.repository import Reader


def hold_user(session: Session, *, user_id: UUID) -> None:
    """See to it that the user is not erased before the transaction ends: what it writes is erased with them.

    :raises Unauthenticated: the user was erased after the token was issued.
    """
    repository.hold_user(session, user_id=user_id)
    refuse_erased(session, user_id=user_id)


def refuse_erased(reader: Reader, *, user_id: UUID) -> None:
    """Answer nobody who is gone.

    :raises Unauthenticated: the user was erased after the token was issued.
    """
    if repository.is_erased(reader, user_id=user_id):
        raise Unauthenticated


def erase_user(session: Session, *, user_id: UUID, now: datetime) -> int:
    """Remove all data of the user and every effect that still waits; returns how many rows that were.

    What they make later is refused, whatever token they still have. Safe to repeat: there is nothing left then.
    """
    repository.lock_user(session, user_id=user_id)
    if repository.is_erased(session, user_id=user_id):
        return 0
    repository.add_erased_user(session, user_id=user_id, erased_at=now)
    remove_all_files(session, owner=user_id)
    removed = repository.delete_everything_of(session, user_id=user_id)
    repository.add_audit_entry(
        session,
        actor_id=user_id,
        action="user_erased",
        thing=f"user/{user_id}",
        now=now,
        details={"rows": removed},
    )
    return removed
