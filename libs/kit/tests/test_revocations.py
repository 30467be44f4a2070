"""Ended sessions are known everywhere in a moment, and stay known whatever becomes of Redis."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from redis import Redis
from structlog.testing import capture_logs

from cas_kit import revocations, telemetry
from cas_kit.errors import Unavailable
from cas_kit.issuers import TrustedIssuer
from cas_kit.revocations import STREAM, EndedSession, RevocationFeed, RevokedSessions
from cas_kit.testing import Issuer, JwksServer, until
from cas_kit.testing.issuer import AUDIENCE, ISSUER
from cas_kit.tokens import SessionEnded, TokenVerifier
from cas_local.redis import RedisServer

NOWHERE = "redis://127.0.0.1:1/0"


def ended(**after):
    """A session that just ended; its tokens would count for another hour."""
    return EndedSession(uuid4(), datetime.now(UTC) + timedelta(**(after or {"hours": 1})))


@pytest.fixture
def server(tmp_path):
    """A Redis of this test alone, which may be killed."""
    with RedisServer(tmp_path / "redis", persistent=False) as running:
        yield running


@pytest.fixture
def redis(server):
    with Redis.from_url(server.url(), decode_responses=True) as client:
        yield client


@pytest.fixture
def feed(server):
    writing = RevocationFeed(server.url())
    writing.publish_all([])
    yield writing
    writing.close()


@pytest.fixture
def read():
    """Start a reader; it stops at the end."""
    stop = threading.Event()
    started = []

    def start(url, **options):
        reader = RevokedSessions(url, **options)
        thread = threading.Thread(target=reader.run, args=(stop,))
        thread.start()
        started.append((reader, thread))
        return reader

    yield start
    stop.set()
    for reader, thread in started:
        thread.join(10)
        assert not thread.is_alive()
        reader.close()


@pytest.fixture
def reader(read, server):
    return read(server.url())


@pytest.fixture(autouse=True)
def nothing_is_known_yet():
    """The metrics are those of the process."""
    telemetry.REVOCATIONS_STALE.set(0)
    telemetry.REVOCATIONS_KNOWN.set(0)


def knows(reader, *sessions):
    return all(str(session.session_id) in reader for session in sessions)


def stale():
    return telemetry.REVOCATIONS_STALE._value.get() == 1


class TestReading:
    def test_learns_what_happens_at_once(self, feed, reader):
        gone, other = ended(), ended()
        feed.publish([gone])
        until(lambda: knows(reader, gone), within=1)
        assert not knows(reader, other)

    def test_learns_what_happened_before_it_started(self, feed, server, read):
        before = [ended() for _ in range(2_500)]
        feed.publish(before)
        reader = read(server.url())
        until(lambda: knows(reader, *before))
        assert telemetry.REVOCATIONS_KNOWN._value.get() == 2_500

    def test_can_know_everything_before_the_first_request(self, feed, server):
        before = [ended() for _ in range(1_001)]
        feed.publish(before)
        reader = RevokedSessions(server.url())
        reader.catch_up()
        assert knows(reader, *before)
        reader.close()

    def test_starts_without_redis(self):
        reader = RevokedSessions(NOWHERE)
        reader.catch_up()
        assert stale()
        assert not knows(reader, ended())

    def test_forgets_what_has_expired(self, feed, server, read):
        clock = [time.time()]
        reader = read(server.url(), now=lambda: clock[0])
        short, long = ended(minutes=1), ended(hours=1)
        feed.publish([short, long])
        until(lambda: knows(reader, short, long))
        clock[0] += 120
        until(lambda: not knows(reader, short))
        assert knows(reader, long)

    def test_passes_over_what_it_cannot_read(self, feed, redis, reader):
        for fields in ({"x": "y"}, {"session": "s", "until": "tomorrow"}, {"until": b"\xff"}):
            redis.xadd(STREAM, fields)
        gone = ended()
        feed.publish([gone])
        until(lambda: knows(reader, gone), within=1)


class TestWithoutRedis:
    def test_keeps_what_it_knows_and_says_so(self, feed, server, reader):
        gone = ended()
        feed.publish([gone])
        until(lambda: knows(reader, gone))
        server.process.kill()
        until(stale)
        assert knows(reader, gone)

    def test_learns_on_after_a_restart(self, feed, server, reader):
        first, second = ended(), ended()
        feed.publish([first])
        until(lambda: knows(reader, first))
        server.process.kill()
        until(stale)
        server.start()
        feed.publish([second])
        until(lambda: knows(reader, second), within=2)
        assert knows(reader, first)
        feed.publish_all([first, second])
        until(lambda: not stale())

    def test_learns_on_after_it_was_emptied(self, feed, redis, reader):
        first, second = ended(), ended()
        feed.publish([first])
        until(lambda: knows(reader, first))
        redis.flushall()
        feed.publish([second])
        until(lambda: knows(reader, second), within=1)
        assert knows(reader, first)

    def test_learns_on_when_a_clock_was_set_back(self, feed, redis, reader):
        """The entries of the new stream have smaller ids than those read before."""
        first, second = ended(), ended()
        feed.publish([first])
        until(lambda: knows(reader, first))
        redis.flushall()
        redis.xadd(STREAM, {"session": str(second.session_id), "until": "9999999999"}, id="1-1")
        until(lambda: knows(reader, second), within=2)

    def test_says_when_nobody_writes_where_it_reads(self, server, redis, read):
        """As when the auth service was given another Redis."""
        with capture_logs() as logs:
            read(server.url())
            until(lambda: logs)
        assert stale()
        assert [(log["event"], log["reason"]) for log in logs] == [("revocations_stale", "incomplete")]
        feed = RevocationFeed(server.url())
        feed.publish_all([])
        feed.close()
        until(lambda: not stale())

    def test_gives_up_on_a_silent_one(self, feed, redis, reader, monkeypatch):
        first = ended()
        feed.publish([first])
        until(lambda: knows(reader, first))
        redis.client_pause(3_000)
        until(stale)
        assert knows(reader, first)
        until(lambda: not stale())

    def test_stops_while_it_is_away(self, server, reader):
        server.process.kill()
        until(stale)


class TestWriting:
    def test_is_refused_while_redis_is_away(self):
        feed = RevocationFeed(NOWHERE)
        for attempt in (
            lambda: feed.publish([ended()]),
            lambda: feed.publish_all([]),
            lambda: feed.forget_expired(datetime.now(UTC)),
            feed.is_whole,
        ):
            with pytest.raises(Unavailable):
                attempt()

    def test_is_whole_until_redis_was_emptied(self, feed, redis):
        redis.flushall()
        assert not feed.is_whole()
        feed.publish_all([ended()])
        feed.publish([ended()])
        assert feed.is_whole()
        redis.flushall()
        assert not feed.is_whole()

    def test_is_not_whole_after_a_restart(self, tmp_path):
        """The last second may be lost, although everything older is there."""
        server = RedisServer(tmp_path / "durable", persistent=True)
        server.start()
        feed = RevocationFeed(server.url())
        feed.publish_all([ended()])
        server.stop()
        server.start()
        assert not feed.is_whole()
        feed.publish_all([])
        assert feed.is_whole()
        feed.close()
        server.stop()

    def test_writes_again_what_was_lost(self, feed, redis, server, read):
        known = [ended() for _ in range(3)]
        feed.publish_all(known)
        redis.flushall()
        feed.publish_all(known)
        reader = read(server.url())
        until(lambda: knows(reader, *known))

    def test_forgets_what_has_expired(self, feed, redis, monkeypatch):
        monkeypatch.setattr(revocations, "BATCH", 2)
        feed.publish([ended(seconds=-1) for _ in range(5)])
        feed.publish([lasting := ended()])
        feed.publish([ended(seconds=-1)])
        redis.xadd(STREAM, {"x": "y"})
        feed.forget_expired(datetime.now(UTC))
        first, *_ = redis.xrange(STREAM)
        assert first[1]["session"] == str(lasting.session_id)
        feed.forget_expired(lasting.until)
        assert redis.xlen(STREAM) == 0
        feed.forget_expired(lasting.until)

    def test_may_happen_from_many_threads(self, feed, reader):
        many = [ended() for _ in range(100)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda session: feed.publish([session]), many))
        until(lambda: knows(reader, *many))


class TestVerifying:
    @pytest.fixture
    def revoked(self):
        return set()

    @pytest.fixture
    def verifier(self, issuer, revoked):
        return TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=issuer, revoked=revoked)

    def test_refuses_a_token_that_was_good_a_moment_ago(self, verifier, issuer, revoked):
        token = issuer.token(session_id="s")
        assert verifier.verify(token)
        revoked.add("s")
        assert verifier.remembered(token) is None
        with pytest.raises(SessionEnded):
            verifier.verify(token)

    def test_refuses_a_token_it_has_not_seen(self, verifier, issuer, revoked):
        revoked.add("s")
        with pytest.raises(SessionEnded):
            verifier.verify(issuer.token(session_id="s"))
        assert verifier.verify(issuer.token(session_id="t"))

    def test_leaves_sessions_of_other_issuers_alone(self, issuer, revoked):
        with JwksServer() as server:
            project = Issuer(url=server.url)
            server.publish(project.jwk)
            entry = TrustedIssuer(issuer=project.url, algorithm="ES256")
            verifier = TokenVerifier(
                issuer=ISSUER, audience=AUDIENCE, keys=issuer, trusted=[entry], revoked=revoked
            )
            revoked.add("s")
            token = project.token(session_id="s")
            assert verifier.verify(token) is verifier.remembered(token)

    def test_refuses_within_a_second_of_the_end(self, feed, reader, issuer):
        verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=issuer, revoked=reader)
        gone = ended()
        token = issuer.token(session_id=str(gone.session_id))
        assert verifier.verify(token)
        feed.publish([gone])
        until(lambda: verifier.remembered(token) is None, within=1)
