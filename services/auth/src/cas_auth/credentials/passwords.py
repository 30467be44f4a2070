"""Password hashing: argon2id, a bounded number at a time. What other systems hashed is checked in the same places."""

import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import ParamSpec, TypeVar

import argon2
from argon2.exceptions import VerificationError

from cas_auth.credentials import imported_hashes
from cas_auth.domain.passwords import normal_form
from cas_kit.errors import Unavailable

# The OWASP minimum for argon2id; the library's own default costs seven times as much (docs/spec/auth-protocol.md 4).
MEMORY_KIB = 19_456
PASSES = 2
LANES = 1

Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")


class PasswordHasher:
    """Hashes and verifies; never call it while holding a database connection.

    `concurrency` hashes run at once and `waiting` callers queue for them; every further one is refused at once, so that
    a flood of sign-ins costs bounded memory and leaves threads for other requests.
    """

    def __init__(self, *, concurrency: int, waiting: int) -> None:
        self._argon2 = argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._places = threading.BoundedSemaphore(concurrency + waiting)
        self._threads = ThreadPoolExecutor(concurrency, "hasher", initializer=_let_others_go_first)
        self._nobodys = self._argon2.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        """The hash to store, with its salt and parameters (PHC string).

        :raises Unavailable: too many callers are waiting.
        """
        return self._run(self._argon2.hash, normal_form(password))

    def matches(self, password: str, stored: str | None) -> bool:
        """Whether `password` is the one that was hashed; the same work when nothing is stored.

        Hashes made elsewhere may be of the spelling a keyboard sent instead of the normal one.

        :raises Unavailable: too many callers are waiting.
        """
        spellings = dict.fromkeys((normal_form(password), password))
        return self._run(self._any_matches, spellings, stored or self._nobodys) and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with another scheme or other parameters than today's."""
        return not imported_hashes.is_argon2(stored) or self._argon2.check_needs_rehash(stored)

    def _any_matches(self, spellings: Iterable[str], stored: str) -> bool:
        return any(self._verify(stored, spelling) for spelling in spellings)

    def _verify(self, stored: str, password: str) -> bool:
        if not imported_hashes.is_argon2(stored):
            return imported_hashes.matches(password, stored)
        try:
            return self._argon2.verify(stored, password)
        except VerificationError:
            return False

    def _run(
        self, work: Callable[Arguments, Found], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Found:
        if not self._places.acquire(blocking=False):
            raise Unavailable(retry_after=timedelta(seconds=1))
        try:
            return self._threads.submit(work, *args, **kwargs).result()
        finally:
            self._places.release()


def _let_others_go_first() -> None:
    """Compute in this thread only when a core has nothing else to do; on Linux, where threads have their own policy.

    Hashing keeps cores busy for tens of milliseconds, and whoever only reads should not wait for that. A core that
    runs nothing but such threads counts as idle when Linux looks for one to run a request on, which low priority
    alone (nice 19) does not achieve.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox that forbids it only costs the others some time
            os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))
