"""The audit log as administrators read it, newest first."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from cas_auth.domain.audit_search import AuditSearch
from cas_auth.domain.user_list import UserMatch
from cas_auth.models import AuditEntry, User
from cas_auth.repository.user_list import conditions_of

# Nobody pages further; counting all of a log that only grows would take longer every year.
MAX_COUNTED = 100_000
MAX_AUTHORS = 100


def count_entries(session: Session, search: AuditSearch) -> int:
    """How many entries match, at most `MAX_COUNTED`."""
    found = select(AuditEntry.id).where(*_conditions(session, search)).limit(MAX_COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def list_entries(session: Session, search: AuditSearch, *, limit: int, offset: int) -> Sequence[AuditEntry]:
    """Matching entries."""
    return session.scalars(
        select(AuditEntry)
        .where(*_conditions(session, search))
        .order_by(AuditEntry.id.desc())
        .limit(limit)
        .offset(offset)
    ).all()


def addresses_of(session: Session, *, user_ids: set[UUID]) -> Mapping[UUID, str]:
    """The present addresses of those of these users who have one."""
    rows = session.execute(select(User.id, User.email).where(User.id.in_(user_ids), User.email.is_not(None)))
    return {user_id: email for user_id, email in rows if email is not None}


def _conditions(session: Session, search: AuditSearch) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if search.actions is not None:
        conditions.append(AuditEntry.action.in_(search.actions))
    if search.author is not None:
        conditions.append(AuditEntry.actor_id.in_(_authors(session, search.author)))
    return conditions


def _authors(session: Session, text: str) -> Sequence[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        match = UserMatch(email_prefix=text)
        return session.scalars(select(User.id).where(*conditions_of(match)).limit(MAX_AUTHORS)).all()
