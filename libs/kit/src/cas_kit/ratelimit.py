"""Limits shared by all replicas of a service, counted in Redis."""

import time
from datetime import timedelta
from typing import Any

import structlog
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from cas_kit.errors import RateLimited
from cas_kit.telemetry import RATE_LIMITER_UNAVAILABLE

SCANNED = 1_000  # keys looked at in one step, during which Redis does nothing else

log = structlog.get_logger(__name__)


class RateLimiter:
    """Moving-window limits such as `30/5 minutes`.

    Counted atomically: of calls that run at once, no more pass than of those that run in turn. When Redis is away every
    call is allowed, because a cache must not lock everybody out; `cas_rate_limiter_unavailable_total` tells of it.
    """

    def __init__(self, redis_url: str, *, prefix: str) -> None:
        self._storage = RedisStorage(
            redis_url,
            wrap_exceptions=True,
            key_prefix=prefix,
            socket_timeout=0.25,
            socket_connect_timeout=0.25,
        )
        self._limiter = MovingWindowRateLimiter(self._storage)

    def hit(self, limit: str, *identifiers: str) -> None:
        """Count one use for these identifiers.

        :raises RateLimited: the limit is used up; says when the next use is allowed.
        """
        item = parse(limit)
        try:
            if self._limiter.hit(item, *identifiers):
                return
            retry_after = self._until_free(item, identifiers)
        except StorageError:
            self._report()
            return
        raise RateLimited(retry_after=retry_after)

    def check(self, limit: str, *identifiers: str) -> None:
        """See whether one more use is allowed, without counting it; `hit` may refuse it all the same.

        :raises RateLimited: the limit is used up; says when the next use is allowed.
        """
        item = parse(limit)
        try:
            if self._limiter.test(item, *identifiers):
                return
            retry_after = self._until_free(item, identifiers)
        except StorageError:
            self._report()
            return
        raise RateLimited(retry_after=retry_after)

    def forgive(self, limit: str, *identifiers: str) -> None:
        """Forget what was counted for these identifiers."""
        try:
            self._limiter.clear(parse(limit), *identifiers)
        except StorageError:
            self._report()

    def forget(self, identifier: str) -> None:
        """Remove every count that names this identifier, whatever else it names: whose it was is gone.

        Looks at every key there is: for what happens rarely. While Redis is away, counts end by themselves.

        :param identifier: an id or a digest, which occurs in no other.
        """
        redis: Any = self._storage.get_connection()  # the stub knows a few commands only
        pattern = f"{self._storage.key_prefix}:*/{identifier}/*"
        try:
            if keys := list(redis.scan_iter(match=pattern, count=SCANNED)):
                redis.delete(*keys)
        except RedisError:
            self._report()

    def _report(self) -> None:
        RATE_LIMITER_UNAVAILABLE.inc()
        log.warning("rate_limiter_unavailable")

    def _until_free(self, item: RateLimitItem, identifiers: tuple[str, ...]) -> timedelta:
        reset = self._limiter.get_window_stats(item, *identifiers).reset_time
        return timedelta(seconds=max(1.0, reset - time.time()))
