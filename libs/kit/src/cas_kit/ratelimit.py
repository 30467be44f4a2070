"""Limits shared by all replicas of a service, counted in Redis."""

import time
from datetime import timedelta

import structlog
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from cas_kit.errors import RateLimited

log = structlog.get_logger(__name__)


class RateLimiter:
    """Moving-window limits such as `30/5 minutes`.

    When Redis is away every call is allowed: a cache must not lock everybody out.
    """

    def __init__(self, redis_url: str, *, prefix: str) -> None:
        storage = RedisStorage(
            redis_url,
            wrap_exceptions=True,
            key_prefix=prefix,
            socket_timeout=0.25,
            socket_connect_timeout=0.25,
        )
        self._limiter = MovingWindowRateLimiter(storage)

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
            log.warning("rate_limiter_unavailable")
            return
        raise RateLimited(retry_after=retry_after)

    def _until_free(self, item: RateLimitItem, identifiers: tuple[str, ...]) -> timedelta:
        reset = self._limiter.get_window_stats(item, *identifiers).reset_time
        return timedelta(seconds=max(1.0, reset - time.time()))
