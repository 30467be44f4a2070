"""A limit counts for all replicas together, and never locks everybody out."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from cas_kit.errors import RateLimited
from cas_kit.ratelimit import RateLimiter
from cas_kit.telemetry import RATE_LIMITER_UNAVAILABLE

LIMIT = "10/hour"


@pytest.fixture
def make_limiter(redis_server):
    prefix = f"test-{uuid4()}"
    return lambda: RateLimiter(redis_server.url(), prefix=prefix)


def allowed(limiter, *identifiers, limit=LIMIT):
    try:
        limiter.hit(limit, *identifiers)
    except RateLimited:
        return False
    return True


class TestHit:
    def test_allows_exactly_the_limit_to_all_replicas_together(self, make_limiter):
        replicas = [make_limiter() for _ in range(4)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: allowed(replicas[n % 4], "ada"), range(60)))
        assert answers.count(True) == 10

    def test_counts_each_identifier_and_limit_apart(self, make_limiter):
        limiter = make_limiter()
        assert all(allowed(limiter, "sign-in", "ada") for _ in range(10))
        assert not allowed(limiter, "sign-in", "ada")
        assert allowed(limiter, "sign-in", "grace")
        assert allowed(limiter, "sign-up", "ada")
        assert allowed(limiter, "sign-in", "ada", limit="11/hour")

    def test_keeps_two_services_apart(self, redis_server):
        first, second = (RateLimiter(redis_server.url(), prefix=str(uuid4())) for _ in range(2))
        assert allowed(first, "ada", limit="1/hour")
        assert not allowed(first, "ada", limit="1/hour")
        assert allowed(second, "ada", limit="1/hour")

    def test_forgives(self, make_limiter):
        limiter = make_limiter()
        for name in ("ada", "grace"):
            assert allowed(limiter, name, limit="1/hour")
        limiter.forgive("1/hour", "ada")
        assert allowed(limiter, "ada", limit="1/hour")
        assert not allowed(limiter, "grace", limit="1/hour")

    def test_says_when_the_next_use_is_free(self, make_limiter):
        limiter = make_limiter()
        limiter.hit("1/5 minutes", "ada")
        with pytest.raises(RateLimited) as refusal:
            limiter.hit("1/5 minutes", "ada")
        assert 290 <= refusal.value.retry_after.total_seconds() <= 301


class TestCheck:
    def test_counts_nothing(self, make_limiter):
        limiter = make_limiter()
        for _ in range(3):
            limiter.check("1/hour", "ada")
        assert allowed(limiter, "ada", limit="1/hour")

    def test_refuses_what_is_used_up(self, make_limiter):
        limiter = make_limiter()
        limiter.hit("1/5 minutes", "ada")
        with pytest.raises(RateLimited) as refusal:
            limiter.check("1/5 minutes", "ada")
        assert 290 <= refusal.value.retry_after.total_seconds() <= 301


class TestForget:
    def test_forgets_everything_that_names_somebody_and_nothing_else(self, make_limiter, redis_server):
        limiter = make_limiter()
        for names in (("ada",), ("sign-in", "ada"), ("sign-in", "ada", "192.0.2.1"), ("sign-in", "adam")):
            assert allowed(limiter, *names, limit="1/hour")
        stranger = RateLimiter(redis_server.url(), prefix=str(uuid4()))
        assert allowed(stranger, "ada", limit="1/hour")
        limiter.forget("ada")
        for names in (("ada",), ("sign-in", "ada"), ("sign-in", "ada", "192.0.2.1")):
            assert allowed(limiter, *names, limit="1/hour")
        assert not allowed(limiter, "sign-in", "adam", limit="1/hour")
        assert not allowed(stranger, "ada", limit="1/hour")


class TestRedisAway:
    """A cache must not lock everybody out, and a request cannot wait for it."""

    @pytest.fixture(params=["refuses", "is silent"])
    def redis_url(self, request):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            if request.param == "is silent":
                server.listen()
            yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"

    def test_allows_every_call_soon_and_warns(self, redis_url):
        started = time.monotonic()
        limiter = RateLimiter(redis_url, prefix="test")
        with capture_logs() as logs:
            assert all(allowed(limiter, "ada", limit="1/hour") for _ in range(3))
        assert time.monotonic() - started < 3
        assert logs == [{"event": "rate_limiter_unavailable", "log_level": "warning"}] * 3

    def test_counts_what_was_not_counted(self, redis_url):
        limiter = RateLimiter(redis_url, prefix="test")
        before = RATE_LIMITER_UNAVAILABLE._value.get()
        limiter.hit(LIMIT, "ada")
        limiter.check(LIMIT, "ada")
        limiter.forgive(LIMIT, "ada")
        limiter.forget("ada")
        assert RATE_LIMITER_UNAVAILABLE._value.get() == before + 4
