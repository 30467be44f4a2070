"""Whoever does not answer is asked seldom, is waited for by one caller at a time, and is welcome back at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import grpc
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from cas_kit.breaker import FAILURES, PAUSE, Breaker
from cas_kit.errors import DomainError, Kind, Unavailable
from cas_kit.rpc import RemoteRefusal, RpcClient, RpcServer
from cas_kit.testing import until
from cas_local.ports import free_port

SERVICE = "notes.v1.NoteService"
SOON = timedelta(seconds=0.2)
PATIENT = timedelta(seconds=20)


class NoteRefused(DomainError):
    kind = Kind.CONFLICT
    code = "note-refused"
    sentence = "It is so."


class Notes:
    """A service that stops answering while it is told to, and a client of it."""

    def __init__(self, port):
        self.port = port
        self.answers = threading.Event()
        self.answers.set()
        self.asked = 0
        self._lock = threading.Lock()
        self._server = None
        self.client = RpcClient(f"127.0.0.1:{port}", service=SERVICE)

    def start(self):
        def register(server):
            methods = {
                "Read": grpc.unary_unary_rpc_method_handler(self._answer),
                "Refuse": grpc.unary_unary_rpc_method_handler(self._refuse),
                "List": grpc.unary_stream_rpc_method_handler(self._answer_with_many),
            }
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])

        self._server = RpcServer(register)
        self._server.start(host="127.0.0.1", port=self.port)

    def stop(self):
        self.answers.set()
        self.client.close()
        if self._server is not None:
            self._server.stop(timedelta(0))

    def _answer(self, request, context):
        with self._lock:
            self.asked += 1
        assert self.answers.wait(30)
        return b"read"

    def _refuse(self, request, context):
        self._answer(request, context)
        raise NoteRefused

    def _answer_with_many(self, request, context):
        yield self._answer(request, context)

    def call(self, method="Read", *, timeout=SOON):
        return self.client.call(self.client.channel.unary_unary(f"/{SERVICE}/{method}"), b"", timeout=timeout)

    def list(self, *, timeout=SOON):
        return list(
            self.client.stream(self.client.channel.unary_stream(f"/{SERVICE}/List"), b"", timeout=timeout)
        )

    def fall_silent(self):
        """Open the breaker of the client."""
        self.answers.clear()
        for _ in range(FAILURES):
            with pytest.raises(Unavailable):
                self.call()
        self.asked = 0


@pytest.fixture
def absent():
    """The service at an address where nobody listens yet."""
    notes = Notes(free_port())
    yield notes
    notes.stop()


@pytest.fixture
def notes(absent):
    absent.start()
    assert absent.call(timeout=PATIENT) == b"read"
    return absent


def is_open():
    return REGISTRY.get_sample_value("cas_rpc_breaker_open", {"service": SERVICE}) == 1


def unanswered(call):
    try:
        call()
    except Unavailable:
        return True
    return False


def test_nobody_waits_for_a_service_that_did_not_answer_several_times(notes):
    notes.fall_silent()
    started = time.monotonic()
    for call in (notes.call, notes.list, partial(notes.call, "Refuse")):
        assert unanswered(partial(call, timeout=PATIENT))
    assert time.monotonic() - started < PAUSE
    assert notes.asked == 0


def test_streams_count_as_calls(notes):
    notes.answers.clear()
    for _ in range(FAILURES):
        assert unanswered(notes.list)
    assert is_open()


def test_an_answer_in_between_keeps_it_closed(notes):
    for _ in range(FAILURES):
        notes.answers.clear()
        for _ in range(FAILURES - 1):
            assert unanswered(notes.call)
        notes.answers.set()
        assert notes.call(timeout=PATIENT) == b"read"
    assert not is_open()


def test_one_caller_at_a_time_finds_out_whether_it_answers_again(notes):
    notes.fall_silent()
    with ThreadPoolExecutor(8) as pool:
        callers = [pool.submit(until, lambda: unanswered(notes.call) and notes.asked) for _ in range(8)]
        for caller in callers:
            assert caller.result(20)
    assert notes.asked == 1


def test_the_next_one_asks_after_a_pause(notes):
    notes.fall_silent()
    begun = time.monotonic()
    until(lambda: unanswered(notes.call) and notes.asked == 2)
    assert time.monotonic() - begun > PAUSE


@pytest.mark.parametrize("method", ["Read", "Refuse"])
def test_any_answer_lets_everybody_in_again(notes, method):
    notes.fall_silent()
    notes.answers.set()
    try:
        until(lambda: not unanswered(partial(notes.call, method)))
    except RemoteRefusal:
        assert method == "Refuse"
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: notes.call(timeout=PATIENT), range(8))) == {b"read"}


def test_a_service_that_is_not_there_is_found_as_soon_as_it_is(absent):
    """gRPC fails such calls at once by itself; a pause would only make a restart last longer."""
    for _ in range(5 * FAILURES):
        assert unanswered(partial(absent.call, timeout=PATIENT))
    assert not is_open()
    absent.start()
    assert until(lambda: None if unanswered(absent.call) else "found") == "found"


def test_a_service_that_went_away_while_it_was_silent_is_no_answer(notes):
    notes.fall_silent()
    notes.answers.set()
    notes._server.stop(timedelta(0))
    begun = time.monotonic()
    until(lambda: unanswered(notes.call) and time.monotonic() > begun + 2 * PAUSE)
    assert is_open()


def test_a_probe_of_which_nothing_is_heard_keeps_nobody_out_for_ever():
    breaker = Breaker("lost.v1.LostService")
    for _ in range(FAILURES):
        breaker.note(grpc.StatusCode.DEADLINE_EXCEEDED)

    def is_admitted():
        return not unanswered(partial(breaker.admit, seconds=0.05))

    until(is_admitted)
    assert not is_admitted()
    until(is_admitted)


def test_it_is_told_once_when_it_opens_and_when_it_closes(notes):
    with capture_logs() as logs:
        notes.fall_silent()
        assert is_open()
        notes.answers.set()
        until(lambda: not unanswered(notes.call))
    assert not is_open()
    assert [(entry["event"], entry["dependency"]) for entry in logs] == [
        ("rpc_breaker_opened", SERVICE),
        ("rpc_breaker_closed", SERVICE),
    ]
