"""Mails that wait to be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.orm import Session

from cas_auth.domain.mails import MailKind
from cas_auth.models import Mail, outbox_messages
from cas_kit.outbox import Outbox

MAIL_REQUESTED = "mail-requested"

_outbox = Outbox(outbox_messages)


def add_mail(
    session: Session,
    *,
    mail_id: UUID,
    kind: MailKind,
    address: str,
    user_id: UUID | None,
    data: Mapping[str, Any],
    now: datetime,
) -> None:
    """Queue a mail, and the message that wakes whoever sends it, with this transaction."""
    session.add(
        Mail(
            id=mail_id,
            kind=kind,
            address=address,
            user_id=user_id,
            data=dict(data),
            attempts=0,
            next_attempt_at=now,
            created_at=now,
        )
    )
    session.flush()
    _outbox.add(session, topic=MAIL_REQUESTED, payload={"mail_id": str(mail_id)})


@dataclass(frozen=True, slots=True)
class MailQueue:
    """How things stand: the age of the oldest mail that is still tried, and how many were given up."""

    age: timedelta
    given_up: int


def claim_mail(session: Session, *, mail_id: UUID, now: datetime) -> Mail | None:
    """The mail, locked, if it is due and nobody else is looking at it."""
    return session.scalar(
        select(Mail)
        .where(Mail.id == mail_id, Mail.dead_at.is_(None), Mail.next_attempt_at <= now)
        .with_for_update(skip_locked=True)
    )


def find_mail(session: Session, *, mail_id: UUID, attempt: int, lock: bool = False) -> Mail | None:
    """The mail, unless it is gone or somebody else has begun another try."""
    statement = select(Mail).where(Mail.id == mail_id, Mail.attempts == attempt, Mail.dead_at.is_(None))
    return session.scalar(statement.with_for_update() if lock else statement)


def delete_mail(session: Session, *, mail_id: UUID, attempt: int) -> None:
    """Remove a mail that was taken care of, unless somebody else has begun another try."""
    session.execute(delete(Mail).where(Mail.id == mail_id, Mail.attempts == attempt))


def list_due_mails(connection: Connection, *, due_since: datetime, limit: int) -> Sequence[UUID]:
    """The ids of mails that nobody has begun since they became due, the longest waiting first."""
    return connection.scalars(
        select(Mail.id)
        .where(Mail.dead_at.is_(None), Mail.next_attempt_at <= due_since)
        .order_by(Mail.next_attempt_at)
        .limit(limit)
    ).all()


def measure_mails(connection: Connection, *, now: datetime) -> MailQueue:
    """How things stand."""
    oldest = func.min(Mail.created_at).filter(Mail.dead_at.is_(None))
    row = connection.execute(select(oldest.label("oldest"), func.count(Mail.dead_at).label("given_up"))).one()
    return MailQueue(age=timedelta(0) if row.oldest is None else now - row.oldest, given_up=row.given_up)


def retry_mails(session: Session, *, now: datetime) -> int:
    """Give the mails that were given up a new series of tries; the number of them."""
    revival = (
        update(Mail)
        .where(Mail.dead_at.is_not(None))
        .values(dead_at=None, attempts=0, unfinished=0, next_attempt_at=now)
        .returning(Mail.id)
    )
    return len(session.scalars(revival).all())


def forget_mails(connection: Connection, *, given_up_before: datetime) -> None:
    """Remove those that nobody looked at for long."""
    connection.execute(delete(Mail).where(Mail.dead_at < given_up_before))
