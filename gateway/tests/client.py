"""Plain HTTP/1.1 from chosen addresses, with exactly the bytes a test writes."""

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Its value; two of a kind are joined as HTTP says."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Calls one gateway."""

    host: str
    port: int

    def call(
        self,
        method: str,
        target: str,
        *,
        token: str | None = None,
        headers: Headers = (),
        body: bytes | None = None,
        chunked: bool = False,
        source: str = "",
    ) -> Answer:
        """One request on a connection of its own."""
        connection = HTTPConnection(
            self.host, self.port, timeout=20, source_address=(source, 0) if source else None
        )
        try:
            connection.putrequest(method, target, skip_host=any(k.lower() == "host" for k, _ in headers))
            for name, value in [*headers, *([("Authorization", f"Bearer {token}")] if token else [])]:
                connection.putheader(name, value)
            if chunked:
                connection.putheader("Transfer-Encoding", "chunked")
            elif body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            if body is not None:
                self._send(connection, body, chunked=chunked)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def _send(self, connection: HTTPConnection, body: bytes, *, chunked: bool) -> None:
        try:
            if not chunked:
                connection.send(body)
                return
            for start in range(0, len(body), 65_536):
                part = body[start : start + 65_536]
                connection.send(b"%x\r\n%s\r\n" % (len(part), part))
            connection.send(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            """A gateway may answer 413 and hang up before it has read everything."""

    def send_raw(self, request: bytes, *, patience: float = 5) -> list[Answer]:
        """Every answer to these bytes until the gateway says that it hangs up.

        :param patience: seconds to wait for an answer that may never come
        """
        with socket.create_connection((self.host, self.port), timeout=patience) as connection:
            try:
                connection.sendall(request)
                return _answers(connection)
            except (BrokenPipeError, ConnectionResetError, TimeoutError):
                return []


def _answers(connection: socket.socket) -> list[Answer]:
    answers = []
    stream = connection.makefile("rb")
    while stream.peek(1):
        response = HTTPResponse(_Kept(stream))  # type: ignore[arg-type]
        response.begin()
        answers.append(Answer(response.status, response.getheaders(), response.read()))
        if answers[-1].header("Connection") == "close":
            break
    return answers


class _Kept:
    """A socket of which HTTPResponse reads one answer and leaves the next alone."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def makefile(self, mode: str) -> "_Kept":
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def close(self) -> None:
        """The next answer is read from it too."""

    def flush(self) -> None:
        """Nothing is written."""
