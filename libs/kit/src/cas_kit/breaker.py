"""A dependency that does not answer is asked seldom, so that nobody waits for it in vain (docs/adr/0035)."""

import threading
import time

import structlog
from grpc import StatusCode

from cas_kit import telemetry
from cas_kit.errors import Unavailable

FAILURES = 3
PAUSE = 1.0  # seconds

log = structlog.get_logger(__name__)


class Breaker:
    """Opens after several calls in a row that were not answered in time; then one call at a time asks again.

    :param service: what the metric and the log call the dependency.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._unanswered = 0
        self._asked_again_at = 0.0
        self._metric = telemetry.RPC_BREAKER_OPEN.labels(service)
        self._metric.set(0)

    def admit(self, *, seconds: float) -> None:
        """Let a call begin that ends within `seconds`.

        :raises Unavailable: the dependency is not to be asked now.
        """
        with self._lock:
            if self._unanswered < FAILURES:
                return
            now = time.monotonic()
            if now < self._asked_again_at:
                raise Unavailable
            # For no longer than that: a probe of which nothing is heard again must not keep everybody out.
            self._asked_again_at = now + seconds

    def note(self, status: StatusCode) -> None:
        """Learn from how an admitted call ended.

        A server that cannot be reached is no failure here: gRPC itself tells callers at once, and finds out when it is
        back. Nor does it prove that an open breaker may close.
        """
        with self._lock:
            before = self._unanswered
            if status is StatusCode.DEADLINE_EXCEEDED:
                self._unanswered += 1
            elif status is not StatusCode.UNAVAILABLE:
                self._unanswered = 0
            self._asked_again_at = time.monotonic() + PAUSE
            if (before < FAILURES) != (self._unanswered < FAILURES):
                self._tell(is_open=before < FAILURES)

    def _tell(self, *, is_open: bool) -> None:
        self._metric.set(is_open)
        log.warning("rpc_breaker_opened" if is_open else "rpc_breaker_closed", dependency=self._service)
