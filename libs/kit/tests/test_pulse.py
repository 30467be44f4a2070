"""Programs that nobody calls say that they live, to whoever has to know."""

import time
from datetime import timedelta

import pytest
from redis import Redis

from cas_kit.errors import Unavailable
from cas_kit.pulse import Pulse, Pulses
from cas_kit.testing import until

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def url(redis_server):
    """A database of its own."""
    address = redis_server.url(6)
    with Redis.from_url(address) as redis:
        redis.flushdb()
        yield address
        redis.flushdb()


@pytest.fixture
def pulses(url):
    reading = Pulses(url)
    yield reading
    reading.close()


class TestPulses:
    def test_name_those_who_are_missing_in_the_order_asked(self, url, pulses):
        Pulse(url, of="mails").beat()
        assert pulses.missing(["pictures", "mails", "letters"]) == ["pictures", "letters"]
        assert pulses.missing([]) == []

    def test_miss_who_has_not_beaten_for_three_beats(self, url, pulses):
        pulse = Pulse(url, of="mails", every=timedelta(milliseconds=50))
        pulse.beat()
        with Redis.from_url(url) as redis:
            (key,) = redis.keys()
            assert 0 < redis.pttl(key) <= 150
        until(lambda: pulses.missing(["mails"]))
        pulse.beat()
        assert pulses.missing(["mails"]) == []

    def test_cannot_be_told_while_redis_is_away(self):
        with pytest.raises(Unavailable):
            Pulses(NOWHERE).missing(["mails"])


def test_a_beat_that_nobody_hears_stops_nothing():
    began = time.monotonic()
    Pulse(NOWHERE, of="mails").beat()
    assert time.monotonic() - began < 2
