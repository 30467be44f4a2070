"""The audit log."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.models import AuditEntry
from cas_auth.repository.audit_seals import forget_salts, lock_seals


def add_audit_entry(
    session: Session,
    action: AuditAction,
    *,
    actor_id: UUID | None,
    origin: Origin,
    now: datetime,
    session_id: UUID | None = None,
    traits: Mapping[str, Any] | None = None,
) -> None:
    """Record what happened, with this transaction.

    :param traits: what else there is to say: ids and words of ours, nothing personal.
    """
    session.add(
        AuditEntry(
            action=action,
            actor_id=actor_id,
            session_id=session_id,
            traits=dict(traits or {}),
            request_id=origin.request_id,
            ip=origin.ip,
            user_agent=origin.device,
            created_at=now,
        )
    )


def forget_origins(session: Session, *, actor_id: UUID) -> None:
    """Blank where the user's requests came from; what happened stays on record, and the seals over it stay good."""
    lock_seals(session)
    session.execute(
        update(AuditEntry)
        .where(
            AuditEntry.actor_id == actor_id,
            or_(AuditEntry.ip.is_not(None), AuditEntry.user_agent.is_not(None)),
        )
        .values(ip=None, user_agent=None)
    )
    forget_salts(session, actor_id=actor_id)
