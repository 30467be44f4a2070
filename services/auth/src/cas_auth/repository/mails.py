"""Mails that wait to be sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

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
