"""Probes of other services against real servers, well and dead."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cas_account.clients import ReadinessProbe, RedisProbe, WorkersProbe
from cas_account.domain.health import WorkersMissing
from cas_kit.errors import Unavailable
from cas_kit.pulse import Pulse

NOWHERE = "127.0.0.1:1"


class Answering(BaseHTTPRequestHandler):
    """Ready on one path only."""

    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 503)
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def peer():
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def probe():
    made = []

    def make(kind, url):
        made.append(kind(url))
        return made[-1]

    yield make
    for each in made:
        each.close()


class TestReadinessProbe:
    def test_is_quiet_about_a_ready_service(self, probe, peer):
        assert probe(ReadinessProbe, f"{peer}/health/ready").check() is None

    @pytest.mark.parametrize("address", ["/busy", None])
    def test_raises_when_it_is_not_ready_or_away(self, probe, peer, address):
        with pytest.raises(Unavailable):
            probe(ReadinessProbe, f"{peer}{address}" if address else f"http://{NOWHERE}/").check()


class TestRedisProbe:
    def test_is_quiet_about_a_running_server(self, probe, redis_server):
        assert probe(RedisProbe, redis_server.url()).check() is None

    def test_raises_when_it_is_away(self, probe):
        with pytest.raises(Unavailable):
            probe(RedisProbe, f"redis://{NOWHERE}/0").check()


class TestWorkersProbe:
    @pytest.fixture
    def check(self, redis_server):
        made = []

        def check(url=None, *, workers=("mails", "pictures")):
            made.append(WorkersProbe(url or redis_server.url(), workers=workers))
            return made[-1].check()

        yield check
        for each in made:
            each.close()

    def test_is_quiet_while_all_of_them_live(self, redis_server, check):
        for name in ("mails", "pictures"):
            Pulse(redis_server.url(), of=name).beat()
        assert check() is None

    def test_names_who_is_missing(self, redis_server, check):
        Pulse(redis_server.url(), of="mails").beat()
        with pytest.raises(WorkersMissing) as raised:
            check(workers=("mails", "letters", "stamps"))
        assert raised.value.names == ["letters", "stamps"]

    def test_names_nobody_when_it_cannot_tell(self, check):
        with pytest.raises(Unavailable) as raised:
            check(f"redis://{NOWHERE}/0")
        assert type(raised.value) is Unavailable
