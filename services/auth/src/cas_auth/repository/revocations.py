"""Sessions that ended while access tokens of theirs are still good."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Select, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from cas_auth.models import RevokedSession, outbox_messages
from cas_kit.outbox import Outbox
from cas_kit.revocations import EndedSession

SESSIONS_ENDED = "sessions-ended"
MESSAGE_SESSIONS = 1_000  # named by one message

_outbox = Outbox(outbox_messages)
_REVOCATIONS = select(RevokedSession.session_id, RevokedSession.until)


def add_revocations(session: Session, ended: Sequence[EndedSession]) -> None:
    """Remember these sessions, and tell every service of them as soon as this transaction has committed."""
    for start in range(0, len(ended), MESSAGE_SESSIONS):
        part = ended[start : start + MESSAGE_SESSIONS]
        rows = [{"session_id": each.session_id, "until": each.until} for each in part]
        session.execute(insert(RevokedSession).on_conflict_do_nothing(), rows)
        ids = [str(each.session_id) for each in part]
        _outbox.add(session, topic=SESSIONS_ENDED, payload={"session_ids": ids}, at_once=True)


def list_revocations(connection: Connection, *, session_ids: Sequence[UUID]) -> Sequence[EndedSession]:
    """Those of these sessions that are remembered."""
    return _ended(connection, _REVOCATIONS.where(RevokedSession.session_id.in_(session_ids)))


def list_live_revocations(connection: Connection, *, now: datetime) -> Sequence[EndedSession]:
    """Every session whose access tokens would be good if it had not ended."""
    return _ended(connection, _REVOCATIONS.where(RevokedSession.until > now))


def forget_revocations(connection: Connection, *, now: datetime) -> None:
    """Remove those that have expired."""
    connection.execute(delete(RevokedSession).where(RevokedSession.until <= now))


def _ended(connection: Connection, statement: Select[UUID, datetime]) -> Sequence[EndedSession]:
    return [EndedSession(row.session_id, row.until) for row in connection.execute(statement)]
