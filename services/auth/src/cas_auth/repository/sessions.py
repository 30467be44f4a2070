"""Sessions, and the end of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, func, or_, select
from sqlalchemy.orm import Session, joinedload

from cas_auth.domain.sessions import AssuranceLevel
from cas_auth.models import UserSession
from cas_auth.repository.loading import WHOLE_USER
from cas_auth.repository.revocations import add_revocations
from cas_kit.revocations import EndedSession

# For sessions that were last refreshed before this was recorded.
LONGEST_UNKNOWN = timedelta(days=1)

_SESSION_WITH_USER = (
    select(UserSession)
    .where(UserSession.id == bindparam("session_id"))
    .options(joinedload(UserSession.user).options(*WHOLE_USER))
)
_OWN_SESSION_WITH_USER = _SESSION_WITH_USER.where(UserSession.user_id == bindparam("user_id"))
_LOCK_SESSION = select(UserSession.id).where(UserSession.id == bindparam("session_id")).with_for_update()


def find_session_with_user(session: Session, *, session_id: UUID, user_id: UUID) -> UserSession | None:
    """The user's session, with the user, their identities and factors."""
    key = {"session_id": session_id, "user_id": user_id}
    return session.execute(_OWN_SESSION_WITH_USER, key).unique().scalar_one_or_none()


def lock_session(session: Session, *, session_id: UUID) -> UserSession | None:
    """The session with its user, once no other transaction is refreshing it.

    Locked first and then read, as users are.
    """
    key = {"session_id": session_id}
    if session.scalar(_LOCK_SESSION, key) is None:
        return None
    return (
        session.execute(_SESSION_WITH_USER, key, execution_options={"populate_existing": True})
        .unique()
        .scalar_one()
    )


def list_sessions_of_factor(session: Session, *, user_id: UUID, factor_id: UUID) -> Sequence[UserSession]:
    """The user's sessions that were proven by this second factor, locked."""
    return session.scalars(
        select(UserSession)
        .where(UserSession.user_id == user_id, UserSession.factor_id == factor_id)
        .order_by(UserSession.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def list_sessions(session: Session, *, user_id: UUID) -> Sequence[UserSession]:
    """The user's sessions, the one that was used last first."""
    return session.scalars(
        select(UserSession)
        .where(UserSession.user_id == user_id)
        .order_by(UserSession.refreshed_at.desc(), UserSession.id)
    ).all()


def has_newer_session(session: Session, found: UserSession) -> bool:
    """Whether its user signed in again since."""
    newer = select(UserSession.id).where(
        UserSession.user_id == found.user_id, UserSession.created_at > found.created_at
    )
    return session.scalar(newer.limit(1)) is not None


def end_session(session: Session, *, session_id: UUID, user_id: UUID | None = None) -> int:
    """End one session; the number of sessions ended.

    :param user_id: only if it is this user's.
    """
    ending = [UserSession.id == session_id]
    if user_id is not None:
        ending.append(UserSession.user_id == user_id)
    return _end(session, *ending)


def end_sessions(
    session: Session, *, user_id: UUID, except_id: UUID | None = None, aal: AssuranceLevel | None = None
) -> int:
    """End the user's sessions, but for one; the number of sessions ended.

    :param aal: only those that were proven to this level.
    """
    ending = [UserSession.user_id == user_id]
    if except_id is not None:
        ending.append(UserSession.id != except_id)
    if aal is not None:
        ending.append(UserSession.aal == aal)
    return _end(session, *ending)


def end_stale_sessions(
    session: Session, *, began_before: datetime | None, renewed_before: datetime | None, limit: int
) -> int:
    """End sessions that passed a limit long ago, those being renewed just now excepted; the number ended."""
    stale = [
        column < before
        for column, before in (
            (UserSession.created_at, began_before),
            (UserSession.refreshed_at, renewed_before),
        )
        if before is not None
    ]
    if not stale:
        return 0
    found = select(UserSession.id).where(or_(*stale)).limit(limit).with_for_update(skip_locked=True)
    return _end(session, UserSession.id.in_(session.scalars(found).all()))


def _end(session: Session, *conditions: ColumnElement[bool]) -> int:
    """The one place where sessions end; every service is told, once this transaction commits (docs/adr/0017)."""
    tokens_until = func.coalesce(UserSession.tokens_until, func.now() + LONGEST_UNKNOWN)
    ending = delete(UserSession).where(*conditions).returning(UserSession.id, tokens_until.label("until"))
    ended = [EndedSession(row.id, row.until) for row in session.execute(ending)]
    add_revocations(session, ended)
    return len(ended)
