"""Forgetting a user (docs/spec/domain.md 8.3)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_account import repository


def erase_user(session: Session, *, user_id: UUID, now: datetime) -> int:
    """Remove all that is kept about a user and see to it that nothing comes back; returns the rows removed.

    Safe to repeat: then there is nothing left to remove.
    """
    repository.lock_user(session, user_id=user_id)
    if repository.is_erased(session, user_id=user_id):
        return 0
    repository.add_erased_user(session, user_id=user_id, erased_at=now)
    removed = repository.delete_user(session, user_id=user_id)
    repository.add_audit_entry(
        session,
        actor=user_id,
        action="user_erased",
        thing=f"profile/{user_id}",
        now=now,
        details={"rows": removed},
    )
    return removed
