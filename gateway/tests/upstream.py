"""A small real service behind the gateway: it records what reaches it and does what the query says."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SERVICES = ("auth", "account", "onboarding", "listings")
JWKS_PATH = "/auth/v1/.well-known/jwks.json"


@dataclass(frozen=True)
class Received:
    """A request as the service saw it."""

    service: str
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Every value of a header, as sent."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass
class Upstream:
    """The services in one process, each on its own port."""

    urls: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    keys: list[dict[str, str]] = field(default_factory=list)
    key_fetches: int = 0
    lost_its_keys: bool = False
    body_bytes: int = 0  # of bodies that are not complete yet, too

    @property
    def jwks_url(self) -> str:
        return self.urls["auth"] + JWKS_PATH

    def only(self) -> Received:
        """The one request that came through."""
        assert len(self.received) == 1, self.received
        return self.received[0]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    service: str
    upstream: Upstream

    def handle_error(self, request: object, client_address: object) -> None:
        """A gateway that hangs up is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def answer_as_asked(self) -> None:
        url = urlsplit(self.path)
        asked = parse_qs(url.query, keep_blank_values=True)
        body = self._read_body()
        if url.path == JWKS_PATH and "record" not in asked:
            self.server.upstream.key_fetches += 1
            if self.server.upstream.lost_its_keys:
                return self._reset()
            return self._answer(200, {"keys": self.server.upstream.keys})
        self.server.upstream.received.append(
            Received(self.server.service, self.command, self.path, list(self.headers.items()), body)
        )
        if "delay" in asked:
            time.sleep(float(asked["delay"][0]))
        if "reset" in asked:
            return self._reset()
        if "location" in asked:
            return self._send(303, [("Location", asked["location"][0])], b"")
        if "page" in asked:
            return self._send(200, [("Content-Type", "text/html; charset=utf-8")], b"<!doctype html><p>Hello")
        return self._answer(int(asked.get("status", ["200"])[0]), {"service": self.server.service})

    def __getattr__(self, name: str) -> Callable[[], None]:
        """`do_GET`, `do_POST` and whatever else arrives."""
        if name.startswith("do_"):
            return self.answer_as_asked
        raise AttributeError(name)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return b"".join(self._chunks())
        left, body = int(self.headers.get("Content-Length", 0)), bytearray()
        while left and (arrived := self.rfile.read1(left)):
            body += arrived
            left -= len(arrived)
            self.server.upstream.body_bytes += len(arrived)
        return bytes(body)

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, status: int, content: object) -> None:
        body = b"" if status in {204, 304} else json.dumps(content).encode()
        self._send(status, [("Content-Type", "application/json")], body)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-From-Upstream", "yes")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    """The services, ready to be called."""
    upstream = Upstream()
    servers = []
    for service in SERVICES:
        server = Server(("127.0.0.1", 0), Handler)
        server.service, server.upstream = service, upstream
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        upstream.urls[service] = f"http://127.0.0.1:{server.server_address[1]}"
        servers.append(server)
    try:
        yield upstream
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
