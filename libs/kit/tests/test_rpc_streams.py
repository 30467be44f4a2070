"""Answers of many messages: the same error mapping, deadline and request id as answers of one."""

import threading
from datetime import timedelta

import grpc
import pytest
from structlog.testing import capture_logs

from cas_kit import telemetry
from cas_kit.errors import DomainError, Kind, Unavailable
from cas_kit.rpc import RemoteRefusal, RpcClient, RpcServer

SERVICE = "notes.v1.NoteService"


class NoteRefused(DomainError):
    kind = Kind.CONFLICT
    code = "note-refused"
    sentence = "It is so."


@pytest.fixture
def stream():
    """`stream(method, timeout=...)`: call a server whose one method is this."""
    opened = []

    def call(method, *, timeout=20.0, safe_methods=()):
        def register(server):
            handlers = {"Read": grpc.unary_stream_rpc_method_handler(method)}
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])

        server = RpcServer(register)
        port = server.start(host="127.0.0.1", port=0)
        client = RpcClient(f"127.0.0.1:{port}", service=SERVICE, safe_methods=safe_methods)
        opened.append((client, server))
        read = client.channel.unary_stream(f"/{SERVICE}/Read")
        return client.stream(read, b"", timeout=timedelta(seconds=timeout))

    yield call
    for client, server in opened:
        client.close()
        server.stop(timedelta(0))


def test_all_messages_arrive_in_order(stream):
    assert list(stream(lambda request, context: iter([b"1", b"2", b"3"]))) == [b"1", b"2", b"3"]
    assert list(stream(lambda request, context: iter([]))) == []


def test_the_request_id_travels_and_leaves_with_the_call(stream):
    def ids(request, context):
        for _ in range(2):
            yield telemetry.request_id.get().encode()

    token = telemetry.request_id.set("request-1")
    try:
        assert list(stream(ids)) == [b"request-1"] * 2
    finally:
        telemetry.request_id.reset(token)


def test_a_refusal_is_told_with_its_code_although_messages_came_before(stream):
    def refuse(request, context):
        yield b"1"
        raise NoteRefused

    answer = stream(refuse)
    assert next(answer) == b"1"
    with pytest.raises(RemoteRefusal) as refusal:
        next(answer)
    assert (refusal.value.status, refusal.value.code) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "note-refused",
    )


def test_a_crash_is_unavailable_and_logged_without_its_text(stream):
    def crash(request, context):
        yield b"1"
        raise RuntimeError("ada@example.com")

    with capture_logs() as logs, pytest.raises(Unavailable):
        list(stream(crash))
    assert [entry["event"] for entry in logs] == ["rpc_crashed"]


def test_the_time_is_for_all_messages_together(stream):
    leave = threading.Event()

    def wait(request, context):
        yield b"1"
        context.add_callback(leave.set)
        assert leave.wait(30)
        yield b"2"

    with pytest.raises(Unavailable):
        list(stream(wait, timeout=0.5))
    assert leave.wait(10)


def test_a_safe_method_is_repeated_before_its_first_message(stream):
    calls = []

    def fail_first(request, context):
        calls.append(request)
        if len(calls) == 1:
            raise Unavailable
        yield b"fine"

    assert list(stream(fail_first, safe_methods=["Read"])) == [b"fine"]


def test_nobody_there_is_unavailable():
    client = RpcClient("127.0.0.1:1", service=SERVICE)
    read = client.channel.unary_stream(f"/{SERVICE}/Read")
    with pytest.raises(Unavailable):
        list(client.stream(read, b"", timeout=timedelta(seconds=1)))
    client.close()
