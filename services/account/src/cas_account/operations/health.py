"""How the whole system is: every part really asked, at once, each within a second (docs/spec/domain.md 8.1)."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from cas_account import repository
from cas_account.domain.health import PARTS, Finding, Status, WorkersMissing, overall, summary
from cas_fields.reading import Json
from cas_kit.db import Database
from cas_kit.errors import Unavailable

log = structlog.get_logger(__name__)

HARD_LIMIT = timedelta(seconds=1)
REUSED_FOR = timedelta(seconds=5)

_NOBODY = UUID(int=0)

Check = Callable[[], None]
"""Asks one part; raises `Unavailable` when it does not work."""


def prove_profiles(database: Database) -> None:
    """Read a profile as every call does.

    :raises Unavailable: it cannot be done.
    """
    with database.autocommit() as connection:
        repository.find_profile(connection, user_id=_NOBODY)


class HealthMonitor:
    """Answers from its last report while that is fresh; while one caller renews it, the others get the old one."""

    def __init__(
        self, checks: Mapping[str, Check], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._checks = checks
        self._monotonic = monotonic
        self._threads = ThreadPoolExecutor(2 * len(checks), thread_name_prefix="health")
        self._renewal = threading.Lock()
        self._report: dict[str, Json] = {}
        self._fresh_until = float("-inf")

    def report(self) -> Mapping[str, Json]:
        """The state of every part."""
        if self._monotonic() >= self._fresh_until and self._renewal.acquire(blocking=not self._report):
            try:
                if self._monotonic() >= self._fresh_until:
                    self._report = self._new_report()
                    self._fresh_until = self._monotonic() + REUSED_FOR.total_seconds()
            finally:
                self._renewal.release()
        return self._report

    def close(self) -> None:
        """Let running checks end by their own limits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _new_report(self) -> dict[str, Json]:
        started = time.perf_counter()
        running = {name: self._threads.submit(_run, check) for name, check in self._checks.items()}
        wait(running.values(), timeout=HARD_LIMIT.total_seconds())
        findings = {name: _found(running.get(name)) for name in PARTS}
        return {
            "status": overall(findings).value,
            "timestamp": int(datetime.now(UTC).timestamp() * 1000),
            "responseTime": round((time.perf_counter() - started) * 1000, 1),
            "services": {name: finding.document() for name, finding in findings.items()},
            "summary": summary(findings),
        }


def _found(running: Future[Finding] | None) -> Finding:
    if running is None:
        return Finding(Status.NOT_CONFIGURED)
    if not running.done():
        running.cancel()
        return Finding.of(seconds=HARD_LIMIT.total_seconds(), failed=True)
    return running.result()


def _run(check: Check) -> Finding:
    started = time.perf_counter()
    failed = False
    missing: Sequence[str] = ()
    try:
        check()
    except WorkersMissing as error:
        failed, missing = True, error.names
    except Unavailable:
        failed = True
    except Exception:
        log.exception("health_check_crashed")  # a fault in one check must not hide what the others found
        failed = True
    return Finding.of(seconds=time.perf_counter() - started, failed=failed, missing=missing)
