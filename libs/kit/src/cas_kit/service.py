"""One service as a process: its command line, its servers and background work, and a stop that cuts nothing off."""

import argparse
import gc
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Generic, TypeVar

import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from cas_kit import migrations
from cas_kit.errors import Unavailable
from cas_kit.outbox import Relay
from cas_kit.rest import Readiness
from cas_kit.rpc import RpcServer
from cas_kit.settings import ServiceSettings
from cas_kit.telemetry import configure_logging

# Longer than the gateway keeps an idle connection, so that it never sends a request into one that we just closed.
KEEP_ALIVE = timedelta(seconds=75)
RESTART_PAUSE = timedelta(seconds=1)
LAST_WAIT = timedelta(seconds=2)
# How long a thread may compute while others wait for the interpreter. A request changes threads several times, and with
# Python's own 5 ms each change behind a busy thread shows in the slowest answers (benchmarks/README.md).
SWITCH_INTERVAL = timedelta(milliseconds=1)

log = structlog.get_logger(__name__)
Settings = TypeVar("Settings", bound=ServiceSettings)


@dataclass(frozen=True, slots=True)
class Periodic:
    """A job that runs every so often while the service runs; it must be safe to run in several replicas at once.

    What it needs may be `Unavailable`: then the next time does.
    """

    name: str
    every: timedelta
    job: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Background:
    """Work that goes on while the service runs; it ends soon after its event is set, and starts again when it fails."""

    name: str
    run: Callable[[threading.Event], None]


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one service, built from its settings and not started yet.

    `prepare` runs before the first request is taken, `close` callables after the last one is answered.
    """

    app: FastAPI
    rpc: RpcServer
    readiness: Readiness
    relay: Relay | None = None
    background: Sequence[Background] = ()
    periodic: Sequence[Periodic] = ()
    prepare: Callable[[], None] = lambda: None
    close: Sequence[Callable[[], None]] = field(default=())


@dataclass(frozen=True, slots=True)
class Command(Generic[Settings]):
    """One word of a service's command line; `run` ends with `sys.exit(reason)` when it fails.

    :param add_arguments: adds what may follow the word; `run` is given what was found.
    """

    name: str
    purpose: str
    run: Callable[[Settings, argparse.Namespace], None]
    add_arguments: Callable[[argparse.ArgumentParser], object] = lambda _: None


def run_command(
    *,
    name: str,
    package: str,
    settings: type[Settings],
    build: Callable[[Settings], Service],
    commands: Sequence[Command[Settings]] = (),
    arguments: Sequence[str] | None = None,
) -> None:
    """Do what the command line asks: one of the commands all services have, or one of the service's own."""
    parser = argparse.ArgumentParser(prog=f"cas-{name}")
    choices = parser.add_subparsers(dest="command", metavar="command", required=True)
    known = {command.name: command for command in (*_shared_commands(package, build), *commands)}
    for command in known.values():
        command.add_arguments(
            choices.add_parser(command.name, help=command.purpose, description=command.purpose)
        )
    options = parser.parse_args(arguments)
    configured = _read(settings, name)
    configure_logging(service=name, level=configured.log_level)
    known[options.command].run(configured, options)


def _shared_commands(package: str, build: Callable[[Settings], Service]) -> Sequence[Command[Settings]]:
    def serve_until_told(settings: Settings, _: argparse.Namespace) -> None:
        serve(build(settings), settings)
        _leave()

    def migrate(settings: Settings, _: argparse.Namespace) -> None:
        migrations.upgrade(settings.database_url.get_secret_value(), package=package)
        log.info("schema_migrated")

    def openapi(settings: Settings, _: argparse.Namespace) -> None:
        document = build(settings).app.openapi()
        sys.stdout.write(json.dumps(document, indent=2, sort_keys=True) + "\n")

    def retry_parked(settings: Settings, _: argparse.Namespace) -> None:
        relay = build(settings).relay
        log.info("parked_messages_released", count=relay.retry_parked() if relay else 0)

    return (
        Command("serve", "serve requests", serve_until_told),
        Command("migrate", "bring the schema up to date", migrate),
        Command("openapi", "print the OpenAPI document", openapi),
        Command("retry-parked", "give parked outbox messages new tries", retry_parked),
    )


def serve(service: Service, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT, then drain: refuse readiness, wait, finish what runs, stop."""
    stop = threading.Event()
    service.prepare()
    _settle()
    service.rpc.start(host=settings.host, port=settings.grpc_port)
    threads = [_start(name, work, stop) for name, work in _background(service, stop)]
    config = uvicorn.Config(
        service.app,
        host=settings.host,
        port=settings.rest_port,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=int(KEEP_ALIVE.total_seconds()),
        timeout_graceful_shutdown=math.ceil(settings.drain_timeout.total_seconds()),
    )
    log.info("service_started", rest_port=settings.rest_port, grpc_port=settings.grpc_port)
    server = _DrainingServer(config, service, settings.drain_delay)
    server.run()
    stop.set()
    if service.relay:
        service.relay.wake()
    patience = timedelta(0) if server.force_exit else settings.drain_timeout
    service.rpc.stop(patience)
    for thread in threads:
        thread.join(patience.total_seconds())
    for close in service.close:
        close()
    log.info("service_stopped")


def _settle() -> None:
    """Keep the interpreter from standing still while it serves: what is there now is there to stay.

    A full garbage collection looks at all of it, for a tenth of a second in which no request is answered.
    """
    sys.setswitchinterval(SWITCH_INTERVAL.total_seconds())
    gc.collect()
    gc.freeze()


def _leave() -> None:
    """End the process although a request may still run in a thread: its time is over, and a thread cannot be ended.

    Only then is the exit status 1; otherwise the interpreter is gone before the timer fires.
    """
    timer = threading.Timer(LAST_WAIT.total_seconds(), os._exit, args=[1])
    timer.daemon = True
    timer.start()


class _DrainingServer(uvicorn.Server):
    """Keeps answering for a while after the signal, because load balancers need time to look elsewhere."""

    def __init__(self, config: uvicorn.Config, service: Service, delay: timedelta) -> None:
        super().__init__(config)
        self._service = service
        self._delay = delay.total_seconds()
        self._told_to_stop = False
        self._stop_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: drain. Second: stop now.

        Only remembers what to do: a signal may interrupt any line, even one that holds a lock.
        """
        del sig, frame
        if self._told_to_stop:
            self.should_exit = self.force_exit = True
        self._told_to_stop = True

    async def on_tick(self, counter: int) -> bool:
        """What uvicorn asks ten times a second: whether to end."""
        if self._told_to_stop and self._stop_at is None:
            self._stop_at = time.monotonic() + self._delay
            self._drain()
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    def _drain(self) -> None:
        log.info("service_draining")
        self._service.readiness.ready = False
        self._service.rpc.announce_stop()


def _background(service: Service, stop: threading.Event) -> Sequence[tuple[str, Callable[[], object]]]:
    work: list[tuple[str, Callable[[], object]]] = []
    if (relay := service.relay) is not None:
        work.append(("outbox-relay", lambda: relay.run(stop)))
    work.extend((each.name, partial(each.run, stop)) for each in service.background)
    work.extend((periodic.name, _repeating(periodic, stop)) for periodic in service.periodic)
    return work


def _repeating(periodic: Periodic, stop: threading.Event) -> Callable[[], object]:
    def repeat() -> None:
        postponed = False
        while not stop.wait(periodic.every.total_seconds()):
            try:
                periodic.job()
                postponed = False
            except Unavailable:
                if not postponed:
                    log.warning("periodic_work_postponed", work=periodic.name)
                postponed = True

    return repeat


def _start(name: str, work: Callable[[], object], stop: threading.Event) -> threading.Thread:
    def keep_running() -> None:
        while not stop.is_set():
            try:
                work()
            except Exception:
                log.exception("background_work_crashed", work=name)
                stop.wait(RESTART_PAUSE.total_seconds())

    thread = threading.Thread(target=keep_running, name=name, daemon=True)
    thread.start()
    return thread


def _read(settings: type[Settings], name: str) -> Settings:
    try:
        return settings()
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        lines = [
            f"  {prefix}{'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
            if problem["loc"]
            else f"  {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        sys.exit(f"cas-{name} cannot start, the environment is wrong:\n" + "\n".join(lines))
