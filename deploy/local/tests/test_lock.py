"""Stacks that prefer the same ports start one after the other."""

import threading
from concurrent.futures import ThreadPoolExecutor

from cas_local.lock import turn


def test_waits_for_whoever_starts_now_and_says_so(tmp_path):
    path, waits, said = tmp_path / "starting", threading.Event(), []

    def say(line):
        said.append(line)
        waits.set()

    def start():
        with turn(path, say=say):
            return "started"

    with ThreadPoolExecutor(1) as other:
        with turn(path, say=said.append):
            starting = other.submit(start)
            assert waits.wait(10)
            assert not starting.done()
        assert starting.result(10) == "started"
    assert said == ["Waiting for another stack to have started."]
