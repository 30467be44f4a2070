"""Connections over a network that may lose everything: found out, given up, made anew."""

import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta

import grpc
import pytest

from cas_kit import rpc
from cas_kit.errors import Unavailable
from cas_kit.rpc import RpcClient, RpcServer
from cas_kit.testing import until

SERVICE = "notes.v1.NoteService"
PATIENT = timedelta(seconds=20)


class Network:
    """Carries connections to a port; of those that exist while it is cut, nothing arrives any more."""

    def __init__(self, port):
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        self._cut = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Lose everything, without telling anybody."""
        self._cut.set()

    def heal(self):
        """Carry connections that begin from now on."""
        self._cut = threading.Event()

    def close(self):
        self._listener.close()
        for end in self._open:
            end.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(*ends, self._cut), daemon=True).start()

    def _carry(self, source, target, cut):
        with suppress(OSError):
            while chunk := source.recv(65536):
                if not cut.is_set():
                    target.sendall(chunk)
            if not cut.is_set():
                target.shutdown(socket.SHUT_WR)


@pytest.fixture
def opened():
    to_close = []
    yield to_close
    for close in reversed(to_close):
        close()


@pytest.fixture
def serve(opened):
    """`serve(method)`: the port of a server with this one method."""

    def start(method):
        def register(server):
            handlers = {"Wait": grpc.unary_unary_rpc_method_handler(method)}
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])

        server = RpcServer(register)
        opened.append(lambda: server.stop(timedelta(0)))
        return server.start(host="127.0.0.1", port=0)

    return start


@pytest.fixture
def caller(opened):
    """`caller(port)`: calls the method there."""

    def make(port):
        client = RpcClient(f"127.0.0.1:{port}", service=SERVICE)
        opened.append(client.close)
        method = client.channel.unary_unary(f"/{SERVICE}/Wait")
        return lambda timeout=PATIENT: client.call(method, b"", timeout=timeout)

    return make


def test_a_network_that_loses_everything_ends_the_connection_and_is_used_again_once_it_heals(
    serve, caller, opened, monkeypatch
):
    monkeypatch.setattr(rpc, "PING_EVERY", 500)
    monkeypatch.setattr(rpc, "PING_TIMEOUT", 500)
    entered, leave = threading.Event(), threading.Event()
    opened.append(leave.set)

    def wait(request, context):
        entered.set()
        assert leave.wait(60)
        return b"done"

    network = Network(serve(wait))
    opened.append(network.close)
    call = caller(network.port)
    threading.Thread(target=lambda: entered.wait(10) and network.cut(), daemon=True).start()
    started = time.monotonic()
    with pytest.raises(Unavailable):
        call()
    assert time.monotonic() - started < PATIENT.total_seconds() / 2, "long before the deadline of the call"
    leave.set()
    network.heal()
    assert until(lambda: _answer(call), within=20) == b"done"


def test_a_server_permits_the_pings_of_clients_that_wait(serve, caller, monkeypatch):
    """Five pings without an answer in between would have it end the connection, if it did not permit them."""
    monkeypatch.setattr(rpc, "PING_EVERY", 1000)

    def wait(request, context):
        begun = time.monotonic()
        until(lambda: time.monotonic() > begun + 6)
        return b"done"

    assert caller(serve(wait))() == b"done"


def _answer(call):
    with suppress(Unavailable):
        return call(timedelta(seconds=1))
