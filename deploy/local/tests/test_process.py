"""A child process is watched, stopped politely, then by force."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from cas_local.errors import ProgramFailed
from cas_local.process import Identity, Process

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("told", flush=True))
subprocess.Popen(["sleep", "60"])
print("ready", flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    started = []

    def start(script):
        process = Process("child", [sys.executable, "-c", script], log=tmp_path / "child.log", environment={})
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def said(process, word):
    return lambda: word in process.log.read_text()


def test_a_program_that_ends_first_is_not_ready_and_says_why(start):
    process = start("print('no such table'); raise SystemExit(3)")
    with pytest.raises(ProgramFailed, match=r"child ended with code 3\.\n  no such table"):
        process.wait_until(lambda: False, within=30)


def test_a_program_is_known_before_a_stop_is_heard(tmp_path, monkeypatch):
    """Otherwise it would run on, known to nobody who could stop it."""

    class Stopped(BaseException):
        pass

    def stop(*_):
        raise Stopped

    class Popen(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            # To this thread: the stack has no other one that could hear it, but whatever runs tests may.
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    script = "import time; print(open('/proc/self/status').read(), flush=True); time.sleep(60)"
    process = Process("child", [sys.executable, "-c", script], log=tmp_path / "child.log", environment={})
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stopped):
            process.start()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert process.running
    process.wait_until(said(process, "SigBlk:\t0000000000000000"), within=30)
    process.stop()
    assert not process.running


def test_a_program_that_takes_too_long_is_not_ready(start):
    process = start("import time; print('working', flush=True); time.sleep(60)")
    process.wait_until(said(process, "working"), within=30)
    with pytest.raises(ProgramFailed, match=r"child was not ready within 0 s\.\n  working"):
        process.wait_until(lambda: False, within=0)


def test_a_finished_program_failed_unless_its_code_is_zero(start):
    start("pass").finish(within=30)
    with pytest.raises(ProgramFailed, match="code 4"):
        start("raise SystemExit(4)").finish(within=30)


def test_a_program_that_never_finishes_is_killed(start):
    process = start("import time; time.sleep(60)")
    with pytest.raises(ProgramFailed, match="took longer than 0 s"):
        process.finish(within=0)
    assert not process.running


def test_stopping_asks_once_then_kills_the_whole_group(start):
    process = start(STUBBORN)
    process.wait_until(said(process, "ready"), within=30)
    grandchild = psutil.Process(process.pid).children()[0]
    process.ask_to_stop()
    process.stop(grace=0.2)
    assert process.log.read_text().splitlines() == ["ready", "told"]
    assert process.returncode == -signal.SIGKILL
    assert grandchild.wait(timeout=10) is None


def test_it_can_be_started_again(start):
    process = start("print('once', flush=True)")
    process.finish(within=30)
    process.start()
    process.finish(within=30)
    assert process.log.read_text() == "once\nonce\n"


def test_a_program_whose_parent_has_already_died_does_not_start():
    elsewhere = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    command = Identity().launch(["/bin/echo", "hello"], death_signal=signal.SIGTERM)
    command[command.index(f"--parent={os.getpid()}")] = f"--parent={elsewhere.stdout.decode().strip()}"
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "the parent is already gone" in answer.stderr
    assert "hello" not in answer.stdout
