"""Side effects that survive crashes: messages written with the change, delivered at least once (docs/adr/0008)."""

import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    all_,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Session

from cas_kit import telemetry
from cas_kit.db import AT_ONCE, Database
from cas_kit.errors import Unavailable

# Well above every delivery's own deadline: a message whose relay crashed is free again after it.
LEASE = timedelta(seconds=30)
# Messages tried between two looks at the clock, the metrics and whether to stop.
BATCH = 20
# Seconds between polls: short while there is work, longer while there is none.
BUSY_WAIT, IDLE_WAIT = 0.05, 0.25
MEASURE_EVERY = 5.0  # seconds; Prometheus asks less often
FIRST_BACKOFF, LONGEST_BACKOFF = timedelta(seconds=0.5), timedelta(minutes=5)
MAX_ATTEMPTS = 60  # two to four hours at the longest back-off: then a person has to look
# A topic whose try failed is left alone for this many times as long as the try took.
REST = 2
# What must be done soon after everything works again is tried this often however long it does not.
PATIENT_BACKOFF = timedelta(seconds=30)

log = structlog.get_logger(__name__)


class Undeliverable(Exception):
    """Raised by a handler: this message can never be delivered, park it at once."""


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed message; `id` is the idempotency key of its effect."""

    id: UUID
    topic: str
    payload: Mapping[str, Any]
    request_id: str
    attempts: int
    created_at: datetime


Handler = Callable[[Message], None]


def outbox_table(metadata: MetaData) -> Table:
    """The table of waiting messages, as part of a service's own schema. Delivered messages leave it."""
    return Table(
        "outbox_messages",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("topic", Text, nullable=False),
        Column("payload", JSONB, nullable=False),
        Column("request_id", Text, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("next_attempt_at", DateTime(timezone=True), nullable=False),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("last_error", Text),
        Column("parked_at", DateTime(timezone=True)),
        Index("ix_outbox_messages_due", "next_attempt_at", postgresql_where=text("parked_at IS NULL")),
    )


class Outbox:
    """The writing side: used by operations, inside their transaction."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def add(
        self,
        session: Session,
        *,
        topic: str,
        payload: Mapping[str, Any],
        relay_waits: timedelta = timedelta(0),
        at_once: bool = False,
    ) -> UUID:
        """Queue a message that is delivered if and only if the transaction commits.

        :param relay_waits: how long the background relay leaves the first try to `Relay.deliver`.
        :param at_once: the thread that commits it tries it right afterwards; for what must not wait behind others.
        :returns: the message's id.
        """
        message_id = uuid4()
        session.execute(
            insert(self.table).values(
                id=message_id,
                topic=topic,
                payload=dict(payload),
                request_id=telemetry.request_id.get(),
                next_attempt_at=func.now() + relay_waits,
            )
        )
        if at_once:
            session.info.setdefault(AT_ONCE, []).append(message_id)
        return message_id

    def waiting(self, message_id: ColumnElement[UUID]) -> ColumnElement[bool]:
        """A condition for queries: the message of this id is not delivered yet."""
        return exists().where(self.table.c.id == message_id)


class Relay:
    """The delivering side: hands each message to the handler of its topic until one call succeeds.

    Several relays may run at once. A message is claimed by a short lease and handled outside any transaction. Order
    between messages is not kept: handlers re-read what they send.

    :param patient: topics whose messages are never given up because somebody is `Unavailable`.
    """

    def __init__(
        self,
        database: Database,
        table: Table,
        handlers: Mapping[str, Handler],
        *,
        patient: Collection[str] = (),
    ) -> None:
        self._database = database
        self._table = table
        self._handlers = handlers
        self._patient = frozenset(patient)
        self._woken = threading.Event()
        self._rests_until: dict[str, float] = {}
        due = and_(
            table.c.parked_at.is_(None),
            table.c.next_attempt_at <= func.now(),
            table.c.topic != all_(bindparam("resting", type_=ARRAY(Text))),
        )
        self._claim_due = _claim(table, due)
        self._claim_first_try = _claim(
            table, and_(table.c.id == bindparam("message_id"), table.c.attempts == 0)
        )
        database.deliver_with(self.deliver)

    def deliver(self, message_id: UUID) -> bool:
        """Try one message now, before its sender answers; True when this call delivered it.

        False when the try failed or another relay has it; the background relay goes on from there.
        """
        try:
            message = self._claimed(self._claim_first_try, {"message_id": message_id})
            return message is not None and self._handle(message)
        except Unavailable:
            return False

    def run_once(self) -> int:
        """Try what is due, at most 20 messages; returns how many were tried.

        Each is claimed on its own: of a whole batch, the last leases would run out while the first ones are slow.
        A topic that fails slowly, as when nobody answers, takes at most a third of the time: the others go on.
        """
        for tried in range(BATCH):
            message = self._claimed(self._claim_due, {"resting": self._resting()})
            if message is None:
                return tried
            self._handle(message)
        return BATCH

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set."""
        measure_at = time.monotonic()
        while not stop.is_set():
            try:
                found = self.run_once()
                if time.monotonic() >= measure_at:
                    self._measure()
                    measure_at = time.monotonic() + MEASURE_EVERY
            except Unavailable:
                log.warning("outbox_database_unavailable")
                found = 0
            self._woken.wait(BUSY_WAIT if found else IDLE_WAIT)
            self._woken.clear()

    def wake(self) -> None:
        """Poll at once: something was added, or the process is stopping."""
        self._woken.set()

    def retry_parked(self) -> int:
        """Give every parked message a new series of tries; returns how many there were."""
        parked = self._table.c.parked_at.is_not(None)
        with self._database.transaction() as session:
            result = session.execute(
                update(self._table)
                .where(parked)
                .values(parked_at=None, attempts=0, next_attempt_at=func.now())
                .returning(self._table.c.id)
            )
            return len(result.all())

    def _claimed(self, statement: Any, parameters: Mapping[str, Any]) -> Message | None:
        with self._database.autocommit() as connection:
            row = connection.execute(statement, parameters).mappings().one_or_none()
        return None if row is None else Message(**row)

    def _handle(self, message: Message) -> bool:
        token = telemetry.request_id.set(message.request_id)
        started = time.monotonic()
        try:
            self._handlers[message.topic](message)
        except Undeliverable as error:
            self._park(message, reason=str(error))
        except Exception as error:  # noqa: BLE001  whatever went wrong, the message must be tried again
            ended = time.monotonic()
            self._rests_until[message.topic] = ended + REST * (ended - started)
            self._put_back(message, error)
        else:
            self._remove(message)
            return True
        finally:
            telemetry.request_id.reset(token)
        return False

    def _resting(self) -> list[str]:
        now = time.monotonic()
        return [topic for topic, until in self._rests_until.copy().items() if now < until]

    def _remove(self, message: Message) -> None:
        with self._database.autocommit() as connection:
            connection.execute(delete(self._table).where(self._table.c.id == message.id))
        telemetry.OUTBOX_DELIVERIES.labels(message.topic, "delivered").inc()

    def _put_back(self, message: Message, error: Exception) -> None:
        reason, delay = type(error).__name__, backoff(message.attempts)
        if message.topic in self._patient and isinstance(error, Unavailable):
            delay = min(delay, PATIENT_BACKOFF)
        elif message.attempts >= MAX_ATTEMPTS:
            self._park(message, reason=reason)
            return
        self._change(message, next_attempt_at=func.now() + delay, last_error=reason)
        telemetry.OUTBOX_DELIVERIES.labels(message.topic, "failed").inc()
        log.warning("outbox_delivery_failed", **_described(message), reason=reason)

    def _park(self, message: Message, *, reason: str) -> None:
        self._change(message, parked_at=func.now(), last_error=reason)
        telemetry.OUTBOX_DELIVERIES.labels(message.topic, "parked").inc()
        log.error("outbox_message_parked", **_described(message), reason=reason)

    def _change(self, message: Message, **values: Any) -> None:
        with self._database.autocommit() as connection:
            connection.execute(update(self._table).where(self._table.c.id == message.id).values(**values))

    def _measure(self) -> None:
        columns = self._table.c
        oldest = func.min(columns.created_at).filter(columns.parked_at.is_(None))
        with self._database.autocommit() as connection:
            age, parked = connection.execute(
                select(
                    func.coalesce(func.extract("epoch", func.now() - oldest), 0),
                    func.count(columns.parked_at),
                )
            ).one()
        telemetry.OUTBOX_AGE.set(float(age))
        telemetry.OUTBOX_PARKED.set(parked)


def backoff(attempts: int) -> timedelta:
    """How long to wait after this many tries: doubled each time, capped, with up to half of it taken off at random."""
    longest: timedelta = min(FIRST_BACKOFF * 2 ** min(attempts - 1, 20), LONGEST_BACKOFF)
    return longest - longest * random.uniform(0, 0.5)  # noqa: S311  spreads retries out; nothing secret


def _claim(table: Table, condition: ColumnElement[bool]) -> Any:
    claimable = (
        select(table.c.id)
        .where(condition)
        .order_by(table.c.next_attempt_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (
        update(table)
        .where(table.c.id == claimable.scalar_subquery())
        .values(attempts=table.c.attempts + 1, next_attempt_at=func.now() + LEASE)
        .returning(
            table.c.id,
            table.c.topic,
            table.c.payload,
            table.c.request_id,
            table.c.attempts,
            table.c.created_at,
        )
    )


def _described(message: Message) -> dict[str, Any]:
    return {"message_id": str(message.id), "topic": message.topic, "attempts": message.attempts}
