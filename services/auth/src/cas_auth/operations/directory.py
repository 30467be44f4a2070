"""What other services ask about users, and of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.refusals import InvalidRequest, UserNotFound
from cas_auth.domain.sessions import AssuranceLevel
from cas_auth.models import User
from cas_auth.operations.sessions import session_expiry
from cas_auth.operations.tools import Tools
from cas_auth.repository import users
from cas_auth.repository.audit_log import add_audit_entry, forget_origins
from cas_auth.repository.erasure import delete_user
from cas_auth.repository.one_time_tokens import delete_flows_of_user
from cas_auth.repository.sessions import end_sessions, find_session_with_user
from cas_auth.repository.users import lock_user

MAX_BATCH = 500


def get_user(session: Session, *, user_id: UUID) -> User:
    """The user of this id.

    :raises UserNotFound: there is none, or they were erased.
    """
    return users.get_user(session, user_id=user_id)


def list_users(session: Session, *, user_ids: Collection[UUID]) -> Sequence[User]:
    """Those of these users that there are.

    :raises InvalidRequest: these are more than `MAX_BATCH`.
    """
    if len(user_ids) > MAX_BATCH:
        raise InvalidRequest(f"at most {MAX_BATCH} users at once")
    return users.list_users(session, user_ids=frozenset(user_ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """What is true of a session at one moment.

    :param active: it lasts, and its user is not banned.
    :param aal: how well it is proven; None when it has ended.
    :param banned: whether the user is, whatever their sessions.
    """

    active: bool
    aal: AssuranceLevel | None
    banned: bool


def introspect_session(
    session: Session, tools: Tools, *, user_id: UUID, session_id: UUID, now: datetime
) -> SessionState:
    """Say whether the user's session lasts; one that nobody knows does not."""
    found = find_session_with_user(session, session_id=session_id, user_id=user_id)
    if found is None:
        user = users.find_user(session, user_id=user_id)
        return SessionState(active=False, aal=None, banned=user is not None and user.is_banned(now))
    banned = found.user.is_banned(now)
    lasts = session_expiry(session, tools, found, now=now) is None
    return SessionState(active=lasts and not banned, aal=found.aal, banned=banned)


def set_app_roles(
    session: Session,
    *,
    user_id: UUID,
    roles: Sequence[str],
    active_role: str | None,
    version: int,
    now: datetime,
) -> bool:
    """Let the user's next tokens carry these roles; false when a version as new was applied before.

    Safe to repeat, and in any order.

    :raises InvalidRequest: the active role is not one of the roles.
    :raises UserNotFound: there is no such user, or they were erased.
    """
    if active_role is not None and active_role not in roles:
        raise InvalidRequest("active_role must be one of roles")
    user = lock_user(session, user_id=user_id)
    if user is None:
        raise UserNotFound
    return user.set_app_roles(list(roles), active_role, version=version, now=now)


def close_user(session: Session, *, user_id: UUID, now: datetime) -> int:
    """End all sessions of a user who is about to be erased, and begin none; the number of sessions ended.

    Safe to repeat.
    """
    user = lock_user(session, user_id=user_id)
    if user is None:
        return 0
    user.close(now)
    delete_flows_of_user(session, user_id=user_id)
    return end_sessions(session, user_id=user_id)


def list_addresses(session: Session, *, user_id: UUID) -> Sequence[str]:
    """The e-mail addresses the user has or asked for."""
    user = users.find_user(session, user_id=user_id)
    return [] if user is None else [address for address in (user.email, user.new_email) if address]


def erase_user(session: Session, *, user_id: UUID, origin: Origin, now: datetime) -> int:
    """Forget a user: sessions, identities and credentials; the number of rows removed. Safe to repeat.

    The audit log keeps what happened to which id, but no longer from where.
    """
    user = lock_user(session, user_id=user_id)
    if user is None:
        return 0
    removed = delete_user(session, user)
    forget_origins(session, actor_id=user_id)
    add_audit_entry(session, AuditAction.USER_DELETED, actor_id=user_id, origin=origin, now=now)
    return removed
