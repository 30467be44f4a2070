"""Real Envoys on free ports, with the real kong.yml."""

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cas_gateway.document import load
from cas_gateway.envoy import bootstrap
from cas_gateway.keys import placeholders_of
from cas_gateway.kong import read
from cas_gateway.process import command
from cas_gateway.settings import Settings
from cas_local.ports import free_port

from .client import Client
from .tokens import SigningKey
from .upstream import Upstream

Change = Callable[[Any], None]


def settings_for(upstream: Upstream, **changes: Any) -> Settings:
    """The settings of a gateway in front of these services; one that never limits, unless told."""
    values = {
        "port": free_port(),
        "admin_port": free_port(),
        "jwks_url": upstream.jwks_url,
        "user_limit": 100_000,
        "ip_limit": 100_000,
        **{f"{service}_url": url for service, url in upstream.urls.items()},
    }
    return Settings.model_validate(values | changes)


def document_for(settings: Settings) -> Any:
    """kong.yml, filled for Envoy."""
    return load(settings.kong_file, placeholders_of(settings))


@contextmanager
def running_envoy(
    directory: Path, settings: Settings, *, change: Change | None = None, tune: Change | None = None
) -> Iterator[Client]:
    """A gateway that listens; its access log is `access.log` in the directory.

    :param change: is given kong.yml before it is translated
    :param tune: is given the Envoy bootstrap
    """
    document = document_for(settings)
    if change:
        change(document)
    envoy = bootstrap(read(document), settings)
    if tune:
        tune(envoy)
    config = directory / "envoy.json"
    config.write_text(json.dumps(envoy))
    with (directory / "access.log").open("wb") as access, (directory / "envoy.log").open("wb") as log:
        process = subprocess.Popen(command(config, settings), stdout=access, stderr=log)
        try:
            client = Client("127.0.0.1", settings.port)
            wait_until(lambda: listens(settings.port) or _died(process, directory))
            yield client
        finally:
            process.terminate()
            process.wait(10)


def wait_until_keys_are_known(client: Client, key: SigningKey) -> None:
    """The gateway fetches keys by itself, a moment after it starts or they change."""
    wait_until(lambda: client.call("GET", "/api/profile", token=key.token()).status == 200)


def wait_until(condition: Callable[[], bool], *, seconds: float = 15) -> None:
    """Look often, give up at a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _died(process: subprocess.Popen[bytes], directory: Path) -> bool:
    assert process.poll() is None, (directory / "envoy.log").read_text()
    return False
