"""Envoy as `cas-gateway serve` runs it."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

from cas_gateway.settings import Settings

from .client import Answer, Client
from .envoys import listens, settings_for, wait_until
from .upstream import Upstream

SERVE = "import sys; from cas_gateway.main import main; sys.exit(main())"


def serve(settings: Settings) -> list[str]:
    given = settings.model_dump(include=settings.model_fields_set)
    options = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    return [sys.executable, "-c", SERVE, "serve", *options]


def test_a_gateway_told_to_stop_finishes_what_it_began(services: Upstream, directory: Path) -> None:
    settings, answers = settings_for(services), list[Answer]()
    client = Client("127.0.0.1", settings.port)
    services.received.clear()
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen(serve(settings), stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(lambda: listens(settings.port))
            slow = threading.Thread(
                target=lambda: answers.append(client.call("GET", "/api/taxonomy?delay=1"))
            )
            slow.start()
            wait_until(lambda: len(services.received) == 1)
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: not listens(settings.port))
            assert process.poll() is None
            slow.join()
            assert process.wait(10) == 0
        finally:
            process.terminate()
    assert [answer.status for answer in answers] == [200]


def test_a_gateway_that_cannot_start_says_so(services: Upstream, directory: Path) -> None:
    taken = int(services.urls["auth"].rpartition(":")[2])
    process = subprocess.run(
        serve(settings_for(services, port=taken)), capture_output=True, check=False, timeout=30
    )
    assert process.returncode != 0
    assert b"Address already in use" in process.stderr
