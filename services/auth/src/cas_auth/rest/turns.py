"""Requests that would wait for the same row wait here instead, with no connection in their hands."""

import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from typing import Generic, TypeVar

from cas_kit.errors import Unavailable

# Twice what a statement may take: whoever is before us has had its chance.
PATIENCE = timedelta(seconds=4)

Answer = TypeVar("Answer")


class Turns:
    """Lets callers with the same key pass one at a time."""

    def __init__(self, *, stripes: int = 64, patience: timedelta = PATIENCE) -> None:
        self._locks = tuple(threading.Lock() for _ in range(stripes))
        self._patience = patience.total_seconds()

    @contextmanager
    def take(self, key: Hashable) -> Iterator[None]:
        """Have the turn of this key; other keys may share it.

        :raises Unavailable: it took too long to come.
        """
        lock = self._locks[hash(key) % len(self._locks)]
        if not lock.acquire(timeout=self._patience):
            raise Unavailable
        try:
            yield
        finally:
            lock.release()


class SharedAnswers(Generic[Answer]):
    """Does work once for all who ask for the same at the same moment, such as the tabs of one browser.

    Only for work that is safe to repeat, and whose answer is the same for all who know the key.
    """

    def __init__(self, *, patience: timedelta = PATIENCE) -> None:
        self._patience = patience.total_seconds()
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[Answer]] = {}

    def of(self, key: str, work: Callable[[], Answer]) -> Answer:
        """The answer of `work`, or of whoever is at the same work already; refusals are shared as well.

        :raises Unavailable: it took too long to come.
        """
        with self._lock:
            others = self._under_way.get(key)
            own = self._under_way.setdefault(key, Future())
        if others is None:
            return self._work(key, work, own)
        try:
            return others.result(self._patience)
        except TimeoutError as error:
            raise Unavailable from error

    def _work(self, key: str, work: Callable[[], Answer], answer: "Future[Answer]") -> Answer:
        try:
            answer.set_result(work())
        except BaseException as error:
            answer.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[key]
        return answer.result()
