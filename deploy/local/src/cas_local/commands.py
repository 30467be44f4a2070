"""What `cas-local` does."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from types import FrameType
from typing import Any

from cas_local import demo
from cas_local.errors import AlreadyRunning, CannotRun
from cas_local.http_server import HttpServer, is_healthy
from cas_local.lock import holder
from cas_local.process import STOP_SIGNALS
from cas_local.settings import Settings
from cas_local.stack import Stack
from cas_local.terminal import LogFollower, table

WATCH_SECONDS = 0.1
STOP_SECONDS = 120.0
# Everything a stack makes in its folder.
DATA = ("cas-local.log", "files", "lock", "logs", "postgres", "redis", "secrets.json", "stack.json")


class StopRequested(BaseException):
    """Somebody asked for the end: Ctrl-C, `cas-local down`, or a terminal that was closed."""


def run(settings: Settings, *, background: bool) -> int:
    """Run the whole system until asked to stop or until a part of it ends."""
    stack = Stack(settings.data, gateway_port=settings.gateway_port, say=_say)
    return supervise(stack, follow_logs=not background)


def supervise(stack: Stack, *, follow_logs: bool) -> int:
    """Start a stack, tell where it is, and stop it when asked to.

    :raises CannotRun: when it does not start, or a part ends by itself
    """
    for number in STOP_SIGNALS:
        signal.signal(number, _request_stop)
    try:
        with stack:
            _sign_up_demo(stack)
            with _state_file(stack):
                _say(_welcome(stack))
                _watch(stack, follow_logs=follow_logs)
    except StopRequested:
        _say("Stopped.")
    return 0


def up(settings: Settings) -> int:
    """Run the stack in the background; return when it is healthy.

    :raises AlreadyRunning: when it does
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    if pid := holder(settings.data / "lock"):
        raise AlreadyRunning(f"Already running as pid {pid} on {settings.data}.")
    log = settings.data / "cas-local.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "cas_local.main", "run", "--background"]
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    with log.open(encoding="utf-8") as progress:
        try:
            while child.poll() is None and _read_state(settings).get("pid") != child.pid:
                print(progress.read(), end="", flush=True)
                time.sleep(WATCH_SECONDS)
        except KeyboardInterrupt:
            child.terminate()
            child.wait()
        print(progress.read(), end="", flush=True)
    return child.poll() or 0


def down(settings: Settings) -> int:
    """Stop a stack that runs anywhere on this data folder, and wait for it.

    :raises CannotRun: when it does not end in time
    """
    lock = settings.data / "lock"
    pid = holder(lock)
    if pid is None:
        _say("Not running.")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while holder(lock) == pid:
        if time.monotonic() > deadline:
            raise CannotRun(f"pid {pid} does not stop; its log is {settings.data / 'cas-local.log'}")
        time.sleep(WATCH_SECONDS)
    _say("Stopped.")
    return 0


def status(settings: Settings) -> int:
    """Print what runs and whether it is healthy."""
    pid = holder(settings.data / "lock")
    state = _read_state(settings)
    if pid is None or state.get("pid") != pid:
        _say("Not running." if pid is None else f"Starting or stopping (pid {pid}).")
        return 0
    print(table([_status_row(part) for part in state["parts"]]))
    return 0


def logs(settings: Settings) -> int:
    """Follow the logs of all parts until interrupted."""
    files = {file.stem: file for file in sorted((settings.data / "logs").glob("*.log"))}
    if not files:
        _say("Nothing has run yet.")
        return 0
    try:
        with closing(LogFollower(files, history=True)) as follower:
            while True:
                follower.print_new()
                time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        pass
    return 0


def execute(settings: Settings, *, service: str, words: Sequence[str]) -> int:
    """Run a command of a service with the settings it runs with.

    :raises CannotRun: when nothing runs, or nothing of that name
    """
    known = running_service(settings, service)
    return subprocess.run([*known["command"], *words], env=known["environment"], check=False).returncode


def running_service(settings: Settings, name: str) -> dict[str, Any]:
    """The `command` of a service that runs, and the `environment` it runs with.

    :raises CannotRun: when nothing runs, or nothing of that name
    """
    state = _read_state(settings)
    if not state or state["pid"] != holder(settings.data / "lock"):
        raise CannotRun("Not running.")
    if name not in state["services"]:
        raise CannotRun(f"There is no service {name}; there are {', '.join(state['services'])}.")
    known: dict[str, Any] = state["services"][name]
    return known


def reset(settings: Settings, *, sure: bool) -> int:
    """Stop the stack and delete its data, after asking; other files in the folder stay."""
    if not sure and not _confirm(f"Delete all data in {settings.data}? [y/N] "):
        return 1
    down(settings)
    for path in map(settings.data.joinpath, DATA):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    with suppress(OSError):
        settings.data.rmdir()
    _say(f"Deleted the data in {settings.data}.")
    return 0


def _confirm(question: str) -> bool:
    try:
        return input(question).strip().lower() == "y"
    except EOFError:
        return False


def _say(line: str) -> None:
    print(line, flush=True)


def _request_stop(_number: int, _frame: FrameType | None) -> None:
    """End the run at the first signal and ignore the rest: stopping is already under way."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise StopRequested


def _sign_up_demo(stack: Stack) -> None:
    """A system without the demo account is still worth running."""
    try:
        demo.sign_up(stack.url)
    except demo.DemoRefused as refused:
        _say(str(refused))


def _watch(stack: Stack, *, follow_logs: bool) -> None:
    with closing(LogFollower(stack.logs if follow_logs else {})) as follower:
        while True:
            follower.print_new()
            stack.require_running()
            time.sleep(WATCH_SECONDS)


@contextmanager
def _state_file(stack: Stack) -> Iterator[None]:
    """Tell other commands that the stack is healthy, and where it is, for as long as that is true."""
    parts = [
        {
            "name": name,
            "pid": server.process.pid,
            "url": stack.urls[name],
            "health_url": server.health_url if isinstance(server, HttpServer) else None,
        }
        for name, server in stack.servers.items()
    ]
    services = {
        name: {"command": service.command(), "environment": stack.environments[name]}
        for name, service in stack.services.items()
    }
    file = stack.data / "stack.json"
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)  # the environments hold secrets
    state = {"pid": os.getpid(), "parts": parts, "services": services}
    fresh.write_text(json.dumps(state, indent=2), encoding="utf-8")
    fresh.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _read_state(settings: Settings) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((settings.data / "stack.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return state


def _status_row(part: dict[str, Any]) -> tuple[str, ...]:
    """Ask the health address of a part which has one; the others run as long as the stack does."""
    healthy = part["health_url"] is None or is_healthy(part["health_url"])
    return (part["name"], "healthy" if healthy else "NOT HEALTHY", f"pid {part['pid']}", part["url"])


def _welcome(stack: Stack) -> str:
    rows: list[tuple[str, ...]] = [
        (name, stack.urls[name]) for name in ("gateway", "mail", *stack.services, "postgres", "redis")
    ]
    rows += [("demo login", f"{demo.EMAIL}  {demo.PASSWORD}"), ("data, logs", str(stack.data))]
    return f"\n{table(rows)}\n"
