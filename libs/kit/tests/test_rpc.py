"""Calls between services: one error mapping, deadlines that travel, retries only where they are safe."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import grpc
import pytest
from structlog.testing import capture_logs

from cas_kit import telemetry
from cas_kit.errors import DomainError, Kind, Unavailable
from cas_kit.rpc import (
    ERROR_CODE,
    MAX_CONCURRENT_CALLS,
    REQUEST_ID,
    STATUS,
    RemoteRefusal,
    RpcClient,
    RpcServer,
)
from cas_kit.testing import until
from cas_local.ports import free_port

SERVICE = "notes.v1.NoteService"
SECOND = timedelta(seconds=1)
PATIENT = timedelta(seconds=20)


class Notes:
    """A server of raw bytes whose methods the test supplies, and a client of it."""

    def __init__(self, port=0, **methods):
        def register(server):
            handlers = {name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()}
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])

        self.server = RpcServer(register)
        self.port = self.server.start(host="127.0.0.1", port=port)
        self.clients = []

    def client(self, *, safe_methods=()):
        return client_of(f"127.0.0.1:{self.port}", self.clients, safe_methods=safe_methods)

    def call(self, method, request=b"", *, timeout=PATIENT, safe_methods=()):
        return self.client(safe_methods=safe_methods)(method, request, timeout=timeout)

    def stop(self):
        for client in self.clients:
            client.close()
        self.server.stop(timedelta(0))


def client_of(target, opened, *, safe_methods=()):
    client = RpcClient(target, service=SERVICE, safe_methods=safe_methods)
    opened.append(client)

    def call(method, request=b"", *, timeout=PATIENT):
        return client.call(client.channel.unary_unary(f"/{SERVICE}/{method}"), request, timeout=timeout)

    return call


def raw_error(port, method):
    """The error as any gRPC client sees it."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(f"/{SERVICE}/{method}")(b"", timeout=20)
    return error.value


@pytest.fixture
def serve():
    running = []

    def start(port=0, **methods):
        running.append(Notes(port, **methods))
        return running[-1]

    yield start
    for notes in running:
        notes.stop()


def echo(request, context):
    return request


def which_id(request, context):
    return telemetry.request_id.get().encode()


def failing(kind, *, code="made-up"):
    """A method that fails in this way."""
    error = type("Made", (DomainError,), {"kind": kind, "code": code, "sentence": "It is so."})

    def fail(request, context):
        raise error

    return fail


class TestStatus:
    @pytest.mark.parametrize("kind", Kind)
    def test_of_every_kind_carries_its_code(self, serve, kind):
        error = raw_error(serve(Fail=failing(kind)).port, "Fail")
        assert error.code() is STATUS[kind]
        assert error.details() == "It is so."
        assert dict(error.trailing_metadata())[ERROR_CODE] == "made-up"

    def test_a_refusal_is_told_with_its_code(self, serve):
        with pytest.raises(RemoteRefusal) as refusal:
            serve(Refuse=failing(Kind.CONFLICT, code="note-refused")).call("Refuse")
        assert refusal.value.code == "note-refused"
        assert refusal.value.status is grpc.StatusCode.FAILED_PRECONDITION

    @pytest.mark.parametrize("kind", [Kind.UNAVAILABLE, Kind.RATE_LIMITED, Kind.INTERNAL])
    def test_what_may_pass_is_unavailable(self, serve, kind):
        with pytest.raises(Unavailable):
            serve(Fail=failing(kind)).call("Fail")

    def test_a_version_mismatch_is_a_refusal_because_repeating_changes_nothing(self, serve):
        with pytest.raises(RemoteRefusal, match="version-mismatch"):
            serve(Fail=failing(Kind.VERSION_MISMATCH, code="version-mismatch")).call("Fail")

    def test_an_unknown_method_is_a_refusal(self, serve):
        with pytest.raises(RemoteRefusal) as refusal:
            serve(Echo=echo).call("Missing")
        assert refusal.value.status is grpc.StatusCode.UNIMPLEMENTED

    def test_nobody_there_is_unavailable(self):
        opened = []
        with pytest.raises(Unavailable):
            client_of("127.0.0.1:1", opened)("Echo", timeout=SECOND)
        opened[0].close()


class TestCrash:
    def test_is_internal_without_its_text_and_logged_once(self, serve):
        def crash(request, context):
            raise RuntimeError("ada@example.com")

        notes = serve(Crash=crash)
        with capture_logs() as logs:
            error = raw_error(notes.port, "Crash")
        assert error.code() is grpc.StatusCode.INTERNAL
        assert "ada" not in error.details()
        assert "Runtime" not in error.details()
        assert dict(error.trailing_metadata())[ERROR_CODE] == "internal-error"
        assert [(entry["event"], entry["method"]) for entry in logs] == [("rpc_crashed", f"/{SERVICE}/Crash")]

    def test_does_not_end_the_server(self, serve):
        def crash(request, context):
            raise ValueError

        notes = serve(Crash=crash, Echo=echo)
        for _ in range(20):
            with pytest.raises(Unavailable):
                notes.call("Crash")
        assert notes.call("Echo", b"still here") == b"still here"


class TestRequestId:
    def test_travels_with_the_call(self, serve):
        notes = serve(WhichId=which_id)
        token = telemetry.request_id.set("request-7")
        try:
            assert notes.call("WhichId") == b"request-7"
        finally:
            telemetry.request_id.reset(token)

    @pytest.mark.parametrize("offered", [None, "", "two words", "x" * 200])
    def test_is_new_where_none_is_offered(self, serve, offered):
        notes = serve(WhichId=which_id)
        metadata = () if offered is None else ((REQUEST_ID, offered),)
        with grpc.insecure_channel(f"127.0.0.1:{notes.port}") as channel:
            answer = channel.unary_unary(f"/{SERVICE}/WhichId")(b"", timeout=20, metadata=metadata)
        assert len(answer) == 36

    def test_is_not_kept_by_the_thread(self, serve):
        notes = serve(WhichId=which_id)
        assert len({notes.call("WhichId") for _ in range(40)}) == 40


class TestDeadline:
    def test_of_the_outer_call_bounds_the_inner_one(self, serve):
        """An inner call that would wait for a minute ends with the outer second."""
        remaining, gave_up = [], threading.Event()

        def wait(request, context):
            remaining.append(context.time_remaining())
            context.add_callback(gave_up.set)
            assert gave_up.wait(30)
            return b""

        inner = serve(Wait=wait)

        def outer_call(request, context):
            return inner.call("Wait", timeout=timedelta(minutes=1))

        outer = serve(Outer=outer_call)
        started = time.monotonic()
        with pytest.raises(Unavailable):
            outer.call("Outer", timeout=SECOND)
        assert time.monotonic() - started < 10
        assert gave_up.wait(10), "the inner server is told at once"
        assert remaining[0] <= 1

    def test_that_has_passed_makes_no_call_at_all(self, serve):
        called, tried = [], threading.Event()
        inner = serve(Echo=lambda request, context: called.append(request) or b"")

        def too_late(request, context):
            over = time.monotonic() + context.time_remaining()
            until(lambda: time.monotonic() > over + 0.1)
            try:
                return inner.call("Echo")
            finally:
                tried.set()

        with pytest.raises(Unavailable):
            serve(Outer=too_late).call("Outer", timeout=timedelta(seconds=0.2))
        assert tried.wait(10)
        assert called == []

    def test_is_the_callers_own_outside_of_a_call(self, serve):
        notes = serve(Left=lambda request, context: str(context.time_remaining()).encode())
        assert 0 < float(notes.call("Left", timeout=timedelta(seconds=7))) <= 7

    def test_does_not_leak_into_the_next_call_of_the_thread(self, serve):
        inner = serve(Left=lambda request, context: str(context.time_remaining()).encode())
        outer = serve(Outer=lambda request, context: inner.call("Left", timeout=timedelta(seconds=9)))
        outer.call("Outer", timeout=SECOND)
        assert float(outer.call("Outer", timeout=PATIENT)) > 5


class FailsFirst:
    """Unavailable for the first calls, then fine."""

    def __init__(self, failures):
        self.failures = failures
        self.calls = 0

    def __call__(self, request, context):
        self.calls += 1
        if self.calls <= self.failures:
            raise Unavailable
        return b"fine"


class TestRetries:
    def test_repeat_a_safe_method(self, serve):
        method = FailsFirst(2)
        assert serve(Safe=method).call("Safe", safe_methods=["Safe"]) == b"fine"
        assert method.calls == 3

    def test_end_after_three_attempts(self, serve):
        method = FailsFirst(10)
        with pytest.raises(Unavailable):
            serve(Safe=method).call("Safe", safe_methods=["Safe"])
        assert method.calls == 3

    def test_never_repeat_another_method(self, serve):
        method = FailsFirst(1)
        with pytest.raises(Unavailable):
            serve(Unsafe=method, Safe=echo).call("Unsafe", safe_methods=["Safe"])
        assert method.calls == 1

    def test_never_repeat_what_was_refused(self, serve):
        calls = []
        refuse = failing(Kind.CONFLICT)
        notes = serve(Safe=lambda request, context: calls.append(request) or refuse(request, context))
        with pytest.raises(RemoteRefusal):
            notes.call("Safe", safe_methods=["Safe"])
        assert len(calls) == 1

    def test_have_a_budget(self, serve):
        """A dead dependency is not asked three times as often as a healthy one."""
        method = FailsFirst(10_000)
        call = serve(Safe=method).client(safe_methods=["Safe"])
        for _ in range(40):
            with pytest.raises(Unavailable):
                call("Safe")
        assert method.calls <= 50


class TestOverload:
    def test_is_refused_early(self, serve):
        """Calls beyond the bound end at once while the others still run."""
        leave = threading.Event()

        def wait(request, context):
            assert leave.wait(30)
            return b"served"

        call = serve(Wait=wait).client()
        with ThreadPoolExecutor(MAX_CONCURRENT_CALLS + 8) as pool:
            running = [pool.submit(call, "Wait") for _ in range(MAX_CONCURRENT_CALLS + 8)]
            until(lambda: sum(future.done() for future in running) >= 8)
            refused = [future for future in running if future.done()]
            assert all(isinstance(future.exception(), Unavailable) for future in refused)
            leave.set()
            served = [future.result(30) for future in running if future not in refused]
        assert set(served) == {b"served"}
        assert len(served) >= MAX_CONCURRENT_CALLS - 1, "a health watch of the client may take one place"


class TestStop:
    def test_lets_running_calls_finish(self, serve):
        entered, leave = threading.Event(), threading.Event()

        def wait(request, context):
            entered.set()
            assert leave.wait(10)
            return b"finished"

        notes = serve(Wait=wait)
        with ThreadPoolExecutor(2) as pool:
            running = pool.submit(notes.call, "Wait")
            assert entered.wait(10)
            stopping = pool.submit(notes.server.stop, timedelta(seconds=10))
            leave.set()
            assert running.result(10) == b"finished"
            stopping.result(10)
        with pytest.raises(Unavailable):
            notes.call("Wait", timeout=SECOND)

    def test_of_one_server_after_the_other_fails_no_call(self, serve):
        """Clients move away from a server that announced its stop; none of their calls is cut off."""
        replicas = [Replica(serve) for _ in range(2)]
        target = "ipv4:" + ",".join(f"127.0.0.1:{replica.port}" for replica in replicas)
        opened = []
        calls = [client_of(target, opened) for _ in range(3)]
        done, failed = threading.Event(), []

        def keep_calling(call):
            while not done.is_set():
                try:
                    call("Echo", b"x")
                except (Unavailable, RemoteRefusal) as error:
                    failed.append(error.__cause__ or error)

        with ThreadPoolExecutor(len(calls)) as pool:
            callers = [pool.submit(keep_calling, call) for call in calls]
            try:
                for restarting, other in (replicas, replicas[::-1]):
                    until(lambda: all(replica.calls for replica in replicas))
                    restarting.restart(other)
                until(lambda: all(replica.calls for replica in replicas))
            finally:
                done.set()
            for caller in callers:
                caller.result(10)
        for client in opened:
            client.close()
        assert failed == []


class Replica:
    """One of several servers behind one name; counts the calls since its last start."""

    def __init__(self, serve):
        self._serve = serve
        self.port = free_port()
        self._start()

    def _start(self):
        self.calls = 0
        self._notes = self._serve(self.port, Echo=self._echo)

    def _echo(self, request, context):
        self.calls += 1
        return request

    def restart(self, other):
        """Drain until nobody calls any more, stop, start again at the same address."""
        self._notes.server.announce_stop()
        until(lambda: self._is_left_for(other))
        self._notes.server.stop(timedelta(seconds=10))
        self._start()

    def _is_left_for(self, other):
        """No call came here while the other one answered fifty."""
        before, goal = self.calls, other.calls + 50
        until(lambda: other.calls >= goal)
        return self.calls == before


class TestMetrics:
    def test_count_by_method_and_status_on_both_sides(self, serve):
        notes = serve(Refuse=failing(Kind.CONFLICT))
        with pytest.raises(RemoteRefusal):
            notes.call("Refuse")
        for histogram in (telemetry.RPC_SECONDS, telemetry.RPC_CLIENT_SECONDS):
            labels = [sample.labels for metric in histogram.collect() for sample in metric.samples]
            assert {"method": f"/{SERVICE}/Refuse", "status": "FAILED_PRECONDITION"} in labels
