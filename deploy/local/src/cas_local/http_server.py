"""A program that serves HTTP: ready when its health address answers 200."""

import contextlib
import time
from collections.abc import Callable, Iterable
from http.client import HTTPConnection, HTTPException
from typing import Protocol
from urllib.parse import urlsplit

from cas_local.process import POLL_SECONDS, Process

READY_SECONDS = 60.0
STOP_SECONDS = 30.0  # what serves requests finishes those under way first


class Awaited(Protocol):
    """What becomes ready some time after it was launched."""

    @property
    def process(self) -> Process: ...

    def start(self) -> None: ...

    def launch(self) -> None: ...

    def is_ready(self) -> bool: ...

    def stop(self) -> None: ...


class HttpServer:
    """A process and the address that tells whether it is ready."""

    def __init__(self, process: Process, *, health_url: str) -> None:
        self.process = process
        self.health_url = health_url

    def start(self) -> None:
        """Start it and wait until it is ready.

        :raises ProgramFailed: when it ends or is not ready in time
        """
        self.launch()
        wait_until_ready([self])

    def launch(self) -> None:
        """Start it without waiting."""
        self.process.start()

    def is_ready(self) -> bool:
        return is_healthy(self.health_url)

    def stop(self) -> None:
        """Stop it, by force if it takes too long; harmless when it does not run."""
        self.process.stop(grace=STOP_SECONDS)


def stop_together(servers: Iterable[Awaited]) -> None:
    """Stop servers at the same time."""
    with contextlib.ExitStack() as all_of_them:
        for server in servers:
            all_of_them.callback(server.stop)
            server.process.ask_to_stop()


def wait_until_ready(
    servers: Iterable[Awaited], *, say_ready: Callable[[str], None] = lambda _: None
) -> None:
    """Wait until every server is ready, and fail as soon as one of them ends.

    :raises ProgramFailed: when one ends or is not ready in time
    """
    pending = list(servers)
    deadline = time.monotonic() + READY_SECONDS
    while pending:
        for server in tuple(pending):
            server.process.require_running()
            if server.is_ready():
                pending.remove(server)
                say_ready(server.process.name)
            elif time.monotonic() > deadline:
                raise server.process.failure(f"was not ready within {READY_SECONDS:g} s")
        time.sleep(POLL_SECONDS)


def is_healthy(url: str) -> bool:
    """Tell whether the address answers 200 now."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200  # noqa: PLR2004
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
