"""Waiting with empty hands: one at a time, or one for all, and never without end."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from cas_auth.rest.turns import SharedAnswers, Turns
from cas_kit.errors import Unavailable
from cas_kit.testing import until

SHORT = timedelta(milliseconds=50)


class TestTurns:
    def test_are_had_one_at_a_time(self):
        turns, inside, most = Turns(), [], []

        def pass_through():
            with turns.take("key"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

        with ThreadPoolExecutor(20) as threads:
            for _ in range(200):
                threads.submit(pass_through)
        assert most == [1] * 200

    def test_do_not_keep_callers_waiting_without_end(self):
        turns = Turns(patience=SHORT)
        with turns.take("key"), pytest.raises(Unavailable), turns.take("key"):
            pass

    def test_come_again_after_a_failure(self):
        turns = Turns(patience=SHORT)
        with pytest.raises(ValueError, match="broken"), turns.take("key"):
            raise ValueError("broken")
        with turns.take("key"):
            pass


class Slow:
    """Work that ends when told to, and counts how often it was begun."""

    def __init__(self, outcome="done"):
        self.begun = 0
        self.end = threading.Event()
        self._outcome = outcome

    def __call__(self):
        self.begun += 1
        self.end.wait(10)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return f"{self._outcome} {self.begun}"


@pytest.fixture
def threads():
    with ThreadPoolExecutor(20) as pool:
        yield pool


class TestSharedAnswers:
    def ask_at_once(self, threads, answers, work, *, times):
        """Ask while the work is under way; it goes on once all have asked."""
        first = threads.submit(answers.of, "key", work)
        until(lambda: work.begun)
        asking = threading.Semaphore(0)

        def ask():
            asking.release()
            return answers.of("key", work)

        others = [threads.submit(ask) for _ in range(times)]
        for _ in others:
            asking.acquire(timeout=10)
        return first, others

    def test_are_worked_out_once_for_all_who_wait(self, threads):
        answers, work = SharedAnswers(), Slow()
        first, others = self.ask_at_once(threads, answers, work, times=10)
        work.end.set()
        assert first.result() == "done 1"
        assert [other.result() for other in others].count("done 1") > 0
        assert work.begun < 11

    def test_are_not_kept(self, threads):
        answers, work = SharedAnswers(), Slow()
        work.end.set()
        assert [answers.of("key", work) for _ in range(2)] == ["done 1", "done 2"]

    def test_are_shared_by_one_key_only(self, threads):
        answers, busy, free = SharedAnswers(), Slow(), Slow("free")
        threads.submit(answers.of, "busy", busy)
        until(lambda: busy.begun)
        free.end.set()
        assert answers.of("free", free) == "free 1"
        busy.end.set()

    def test_share_a_refusal(self, threads):
        answers, work = SharedAnswers(), Slow(ValueError("refused"))
        first, others = self.ask_at_once(threads, answers, work, times=3)
        work.end.set()
        for asked in (first, *others):
            with pytest.raises(ValueError, match="refused"):
                asked.result()

    def test_do_not_keep_callers_waiting_without_end(self, threads):
        answers, work = SharedAnswers(patience=SHORT), Slow()
        first = threads.submit(answers.of, "key", work)
        until(lambda: work.begun)
        with pytest.raises(Unavailable):
            answers.of("key", work)
        work.end.set()
        assert first.result() == "done 1"
