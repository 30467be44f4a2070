"""What the tests of the local stack share."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def eventually():
    """Poll until a condition holds, and fail when it never does."""

    def wait(condition, *, within=30.0):
        deadline = time.monotonic() + within
        while not (outcome := condition()):
            assert time.monotonic() < deadline, "the condition never came true"
            time.sleep(0.05)
        return outcome

    return wait


@pytest.fixture
def running_on():
    """List the processes that name a folder in their command line or work in it."""

    def find(folder):
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "status"]):
            about = [*(process.info["cmdline"] or []), process.info["cwd"] or ""]
            if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(folder) in text for text in about):
                found.append(process)
        return found

    return find


@pytest.fixture
def small_stack(tmp_path):
    """Make a stack of small programs; the mode says how the last service misbehaves."""
    spec = importlib.util.spec_from_file_location("supervise", PROGRAMS / "supervise.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda mode="works": module.small_stack(tmp_path / "stack", mode)


@pytest.fixture
def supervised(tmp_path):
    """Start a stack of small programs in a process of its own; killed at the end whatever happens."""
    started = []

    def start(mode="works"):
        command = [sys.executable, str(PROGRAMS / "supervise.py"), str(tmp_path / "stack"), mode]
        output = tmp_path / "output.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file)
        started.append(process)
        return process, output

    yield start
    for process in started:
        process.kill()
        process.wait()
