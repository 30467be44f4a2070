"""Programs that nobody can call say that they live: in the Redis that all services share, for as long as they do."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from cas_kit.errors import Unavailable

PULSE_KEY = "cas:pulse:{}"
EVERY = timedelta(seconds=5)
BEATS_MISSED = 3  # so many, and a program is taken for dead
TIMEOUT = 0.5  # seconds, for connecting and for an answer: nothing else happens meanwhile

log = structlog.get_logger(__name__)


class Pulse:
    """The side of the program. Several that do the same work share a name: one that lives is enough.

    :param of: the service whose worker it is.
    """

    def __init__(self, redis_url: str, *, of: str, every: timedelta = EVERY) -> None:
        self.every = every
        self._redis = _client(redis_url)
        self._key = PULSE_KEY.format(of)

    def beat(self) -> None:
        """Live for another three beats; while Redis is away, nobody hears it."""
        try:
            self._redis.set(self._key, "1", px=BEATS_MISSED * self.every)
        except RedisError as error:
            log.warning("pulse_not_heard", reason=type(error).__name__)


class Pulses:
    """The side of whoever has to know."""

    def __init__(self, redis_url: str) -> None:
        self._redis = _client(redis_url)

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of `names` of whom nobody lives.

        :raises Unavailable: Redis cannot be asked.
        """
        keys = [PULSE_KEY.format(name) for name in names]
        try:
            found: Any = self._redis.mget(keys) if keys else []
        except RedisError as error:
            raise Unavailable from error
        return [name for name, pulse in zip(names, found, strict=True) if pulse is None]

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()


def _client(redis_url: str) -> Redis:
    """A client that fails at once: the next beat is the next try."""
    return Redis.from_url(
        redis_url, socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0)
    )
