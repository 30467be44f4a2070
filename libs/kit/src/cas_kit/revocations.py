"""Sessions that ended while access tokens of theirs run on: known in every service within milliseconds (docs/adr/0017).

The auth service writes them to a Redis stream; every other service keeps them in memory, so that asking costs nothing.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from cas_kit import telemetry
from cas_kit.errors import Unavailable

STREAM = "cas:revoked-sessions"
WHOLE = "cas:revoked-sessions:whole"  # the run of Redis in which everything was written
BATCH = 1_000
# How long a read waits for news, in milliseconds; also how late a service notices that it has to stop.
PATIENCE = 250
TIMEOUT = 1.0  # seconds, for connecting and for an answer
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5  # seconds between two tries to connect
FORGET_EVERY = 60.0  # seconds
BEGINNING = "0-0"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session whose access tokens count no more; after `until` none of them would anyway."""

    session_id: UUID
    until: datetime


class RevokedSessions:
    """The ended sessions this process knows of; `session_id in revoked` is one look-up in memory.

    While Redis is away, or was emptied, what is known stays known.
    """

    def __init__(self, redis_url: str, *, now: Callable[[], float] = time.time) -> None:
        self._redis = _client(redis_url)
        self._now = now
        self._until: dict[str, float] = {}
        self._position = BEGINNING
        self._forget_at = 0.0
        self._trouble = ""

    def __contains__(self, session_id: object) -> bool:
        return session_id in self._until

    def catch_up(self) -> None:
        """Read what there is. While Redis is away the service starts all the same, and `run` reads later."""
        try:
            while self._read(patience=None):
                pass
            self._look_around()
        except RedisError as error:
            self._lost(error)

    def run(self, stop: threading.Event) -> None:
        """Read on until `stop` is set, through every outage."""
        pause = FIRST_PAUSE
        while not stop.is_set():
            try:
                if not self._read(patience=PATIENCE):
                    self._look_around()
                pause = FIRST_PAUSE
            except RedisError as error:
                self._lost(error)
                stop.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _read(self, *, patience: int | None) -> bool:
        """Learn the next entries; False when there are none."""
        answer: Any = self._redis.xread({STREAM: self._position}, count=BATCH, block=patience)
        entries = answer[0][1] if answer else []
        for entry_id, fields in entries:
            self._learn(fields)
            self._position = entry_id
        self._forget_expired()
        return bool(entries)

    def _learn(self, fields: Mapping[str, str]) -> None:
        try:
            self._until[fields["session"]] = float(fields["until"])
        except (KeyError, ValueError):
            log.warning("revocation_unreadable")

    def _look_around(self) -> None:
        """Start over in a stream that is another one, and see whether everything is in it.

        Entries of a new stream may have smaller ids than the last one read, if a clock was set back. It is not whole
        for a moment after Redis was emptied, and never where the auth service writes to another Redis.
        """
        newest: Any = self._redis.xrevrange(STREAM, count=1)
        if not newest or _order(newest[0][0]) < _order(self._position):
            self._position = BEGINNING
        self._tell("" if self._redis.exists(WHOLE) else "incomplete")

    def _lost(self, error: RedisError) -> None:
        self._tell(type(error).__name__)
        self._position = BEGINNING  # whoever answers next may hold other entries

    def _tell(self, trouble: str) -> None:
        """Say once what keeps sessions that end now from being known here; nothing when they are."""
        if trouble and not self._trouble:
            log.warning("revocations_stale", reason=trouble, known=len(self._until))
        elif self._trouble and not trouble:
            log.info("revocations_current", known=len(self._until))
        self._trouble = trouble
        telemetry.REVOCATIONS_STALE.set(1 if trouble else 0)

    def _forget_expired(self) -> None:
        now = self._now()
        if now >= self._forget_at:
            self._forget_at = now + FORGET_EVERY
            self._until = {session: until for session, until in self._until.items() if until > now}
        telemetry.REVOCATIONS_KNOWN.set(len(self._until))


class RevocationFeed:
    """The writing side. Every method is safe to repeat, and raises `Unavailable` while Redis is away."""

    def __init__(self, redis_url: str) -> None:
        self._redis = _client(redis_url)

    def publish(self, ended: Iterable[EndedSession]) -> None:
        """Tell every service that these sessions have ended."""
        with self._writing() as pipeline:
            _append(pipeline, ended)

    def is_whole(self) -> bool:
        """Whether Redis still is the one to which everything was written: neither emptied nor started again."""
        with _unavailable_when_away():
            return bool(self._redis.get(WHOLE) == self._run())

    def publish_all(self, ended: Sequence[EndedSession]) -> None:
        """Write every session that counts, after which the stream is whole."""
        with self._writing() as pipeline:
            _append(pipeline, ended)
            pipeline.set(WHOLE, self._run())
        log.info("revocations_written_again", count=len(ended))

    def forget_expired(self, now: datetime) -> None:
        """Take the oldest entries off the stream, as far as they have expired."""
        with _unavailable_when_away():
            while entries := self._redis.xrange(STREAM, count=BATCH):
                expired = _expired_first(entries, now.timestamp())
                if expired:
                    self._redis.xdel(STREAM, *expired)
                if len(expired) < len(entries):
                    return

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """Commands that are carried out together when the block ends."""
        with _unavailable_when_away(), self._redis.pipeline(transaction=True) as pipeline:
            yield pipeline
            pipeline.execute()

    def _run(self) -> str:
        server: Any = self._redis.info("server")
        return str(server["run_id"])


def _append(pipeline: Any, ended: Iterable[EndedSession]) -> None:
    for each in ended:
        pipeline.xadd(STREAM, {"session": str(each.session_id), "until": repr(each.until.timestamp())})


def _expired_first(entries: Any, now: float) -> list[str]:
    """The ids of the expired entries at the beginning."""
    expired = []
    for entry_id, fields in entries:
        if float(fields.get("until", 0)) > now:
            break
        expired.append(entry_id)
    return expired


def _order(entry_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split("-"))


def _client(redis_url: str) -> Redis:
    """A client that fails at once: its users know better when to try again."""
    return Redis.from_url(
        redis_url,
        decode_responses=True,
        encoding_errors="replace",
        socket_connect_timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )


@contextmanager
def _unavailable_when_away() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise Unavailable from error
