"""Send the mails that were asked for. Their rows are the truth; whoever is woken for one claims it (docs/adr/0016)."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from cas_auth.clients.smtp import MailNotTakenNow, MailRefused
from cas_auth.domain.mails import GIVEN_UP_KEPT, MailKind, retry_delay
from cas_auth.operations.carriers import Carrier
from cas_auth.operations.letters import compose
from cas_auth.operations.tools import Tools
from cas_auth.repository.mails import (
    MailQueue,
    claim_mail,
    delete_mail,
    find_mail,
    forget_mails,
    list_due_mails,
    measure_mails,
)
from cas_kit.db import Database

# A mail that is due for so long was not heard of by any worker: the wake-up is lost, or they are behind.
OVERDUE = timedelta(seconds=10)
SWEEP_LIMIT = 100
UNFINISHED = "no try was ever finished"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Claim:
    """One try at sending a mail; `attempt` tells it from every other."""

    mail_id: UUID
    kind: MailKind
    attempt: int

    def says(self) -> dict[str, object]:
        """The fields of its log lines."""
        return {"mail_id": str(self.mail_id), "kind": self.kind, "attempt": self.attempt}


def send_mail(database: Database, tools: Tools, carrier: Carrier, *, mail_id: UUID, now: datetime) -> None:
    """Send the mail if it is due; does nothing when it is not, is gone, or somebody else is at it.

    Safe to repeat: a mail may arrive twice when the process ends between sending and noting it, never not at all. What
    fails is tried again for about a day, unless it is refused for good; then the row is kept for a person.
    """
    claim = _claim(database, mail_id=mail_id, now=now)
    if claim is None:
        return
    try:
        _carry(database, tools, carrier, claim=claim, now=now)
    except MailRefused as refusal:
        _give_up(database, claim, reason=refusal.reason, now=now)
    except MailNotTakenNow as trouble:
        _put_off(database, claim, reason=trouble.reason, now=now)
    except Exception as error:
        _put_off(database, claim, reason=type(error).__name__, now=now)
        raise
    else:
        with database.transaction() as session:
            delete_mail(session, mail_id=claim.mail_id, attempt=claim.attempt)


def list_overdue_mails(database: Database, *, now: datetime) -> list[UUID]:
    """Mails that nobody has begun although they have been due for a while, at most 100, the longest waiting first."""
    with database.autocommit() as connection:
        return list(list_due_mails(connection, due_since=now - OVERDUE, limit=SWEEP_LIMIT))


def tidy_mails(database: Database, *, now: datetime) -> MailQueue:
    """Forget what was given up long ago; returns how things stand."""
    with database.autocommit() as connection:
        forget_mails(connection, given_up_before=now - GIVEN_UP_KEPT)
        return measure_mails(connection, now=now)


def _claim(database: Database, *, mail_id: UUID, now: datetime) -> _Claim | None:
    with database.transaction() as session:
        mail = claim_mail(session, mail_id=mail_id, now=now)
        if mail is None:
            return None
        claim = _Claim(mail.id, mail.kind, mail.attempts + 1)
        if mail.never_finishes:
            mail.give_up(UNFINISHED, now=now)
        else:
            mail.begin(now)
    if mail.dead_at is not None:
        log.error("mail_given_up", **claim.says(), reason=UNFINISHED)
        return None
    return claim


def _carry(database: Database, tools: Tools, carrier: Carrier, *, claim: _Claim, now: datetime) -> None:
    hand_over = _packed(database, tools, carrier, claim=claim, now=now)
    if hand_over is None:
        log.info("mail_dropped", **claim.says())
    else:
        hand_over()
        log.info("mail_sent", **claim.says())


def _packed(
    database: Database, tools: Tools, carrier: Carrier, *, claim: _Claim, now: datetime
) -> Callable[[], None] | None:
    """What sends the mail, its token stored; None when there is nobody to send it to."""
    with database.transaction() as session:
        mail = find_mail(session, mail_id=claim.mail_id, attempt=claim.attempt)
        letter = mail and compose(session, tools, mail, now=now)
        return carrier.pack(letter, mail=mail, now=now) if mail and letter else None


def _put_off(database: Database, claim: _Claim, *, reason: str, now: datetime) -> None:
    delay = retry_delay(claim.attempt, luck=random.random())  # noqa: S311  spreads tries out; nothing secret
    with database.transaction() as session:
        mail = find_mail(session, mail_id=claim.mail_id, attempt=claim.attempt, lock=True)
        if mail is None:
            return
        mail.put_off(reason, delay=delay, now=now)
    if mail.dead_at is None:
        log.warning("mail_put_off", **claim.says(), reason=reason, seconds=int(delay.total_seconds()))
    else:
        log.error("mail_given_up", **claim.says(), reason=reason)


def _give_up(database: Database, claim: _Claim, *, reason: str, now: datetime) -> None:
    with database.transaction() as session:
        mail = find_mail(session, mail_id=claim.mail_id, attempt=claim.attempt, lock=True)
        if mail is None:
            return
        mail.give_up(reason, now=now)
    log.error("mail_given_up", **claim.says(), reason=reason)
