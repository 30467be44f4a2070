"""Where the caller is signed in, and ending it there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.devices import device_name
from cas_auth.domain.refusals import DeviceNotFound
from cas_auth.domain.sessions import AssuranceLevel
from cas_auth.models import UserSession
from cas_auth.operations.sessions import authenticate
from cas_auth.operations.tools import Tools
from cas_auth.repository.audit_log import add_audit_entry
from cas_auth.repository.sessions import end_session, list_sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A session as its owner recognises it.

    :param name: such as "Firefox on Windows"; None when its user agent says nothing.
    :param current: the one that asks.
    """

    id: UUID
    created_at: datetime
    last_used_at: datetime
    ip: str | None
    user_agent: str | None
    name: str | None
    aal: AssuranceLevel
    current: bool


def list_devices(
    session: Session, tools: Tools, *, user_id: UUID, session_id: UUID, now: datetime
) -> Sequence[Device]:
    """Where the caller is signed in, the device that was used last first.

    :raises CallerNotFound: the user is gone.
    :raises SessionNotFound: the caller's own session was ended.
    :raises UserBanned: the user is banned.
    """
    user = authenticate(session, user_id=user_id, session_id=session_id, now=now).user
    return [
        _device(found, current=found.id == session_id)
        for found in list_sessions(session, user_id=user_id)
        if not found.expiry(tools.session_limits, user=user, now=now)
    ]


def end_device(
    session: Session, *, user_id: UUID, session_id: UUID, device_id: UUID, origin: Origin, now: datetime
) -> None:
    """Sign the caller out on one of their devices, wherever it is.

    :param device_id: of the session that ends; it may be the caller's own.
    :raises DeviceNotFound: it is not one of theirs, or it ended already.
    :raises CallerNotFound: the user is gone.
    :raises SessionNotFound: the caller's own session was ended.
    :raises UserBanned: the user is banned.
    """
    authenticate(session, user_id=user_id, session_id=session_id, now=now, lock=True)
    if not end_session(session, session_id=device_id, user_id=user_id):
        raise DeviceNotFound
    add_audit_entry(
        session,
        AuditAction.LOGOUT,
        actor_id=user_id,
        session_id=session_id,
        origin=origin,
        now=now,
        traits={"ended_session_id": str(device_id)},
    )


def _device(found: UserSession, *, current: bool) -> Device:
    return Device(
        id=found.id,
        created_at=found.created_at,
        last_used_at=found.refreshed_at,
        ip=None if found.ip is None else str(found.ip),
        user_agent=found.user_agent,
        name=device_name(found.user_agent),
        aal=found.aal,
        current=current,
    )
