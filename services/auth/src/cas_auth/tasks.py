"""What this service does on its own: Celery tasks, and who is woken for them."""

from datetime import UTC, datetime
from uuid import UUID

from celery import Celery

from cas_auth import metrics
from cas_auth.clients.account import AccountClient
from cas_auth.operations.carriers import Carrier
from cas_auth.operations.delivery import list_overdue_mails, send_mail, tidy_mails
from cas_auth.operations.tools import Tools
from cas_kit.db import Database
from cas_kit.outbox import Message
from cas_kit.worker import QueuedTask, Task, task_named

SEND_MAIL = "auth.send_mail"
MAIL_QUEUE = "auth.mail"

# For processes that only wake workers.
WOKEN = (QueuedTask(SEND_MAIL, MAIL_QUEUE),)


def mail_task(database: Database, tools: Tools, carrier: Carrier) -> QueuedTask:
    """The task that sends one mail."""

    def run(*, mail_id: str, **_: object) -> None:
        send_mail(database, tools, carrier, mail_id=UUID(mail_id), now=datetime.now(UTC))

    return QueuedTask(SEND_MAIL, MAIL_QUEUE, run)


def wake_for_mail(celery: Celery[Task], message: Message) -> None:
    """Have the mail of an outbox message sent.

    :raises Unavailable: the broker is away; the relay tries again.
    """
    task_named(celery, SEND_MAIL).wake(mail_id=str(message.payload["mail_id"]))


def forget_elsewhere(account: AccountClient | None, message: Message) -> None:
    """Have a user whom an administrator deleted forgotten everywhere. Safe to repeat.

    :param account: None where there are no other services.
    :raises Unavailable: it did not answer; the relay tries again.
    """
    if account is not None:
        account.begin_erasure(UUID(message.payload["user_id"]))


def sweep_mails(database: Database, celery: Celery[Task], *, now: datetime) -> None:
    """Wake workers again for mails whose wake-up was lost; say how things stand.

    As long as as many messages wait as mails do, none is lost and the workers are only behind.

    :raises Unavailable: the broker or the database is away.
    """
    queue = tidy_mails(database, now=now)
    metrics.MAIL_AGE.set(queue.age.total_seconds())
    metrics.MAILS_GIVEN_UP.set(queue.given_up)
    task = task_named(celery, SEND_MAIL)
    overdue = list_overdue_mails(database, now=now)
    if overdue and task.backlog() < len(overdue):
        for mail_id in overdue:
            task.wake(mail_id=str(mail_id))
