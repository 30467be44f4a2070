"""The verdict on the whole system from the verdicts on its parts (docs/spec/domain.md 8.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cas_fields.reading import Json
from cas_kit.errors import Unavailable

SLOW_FROM = 0.5  # seconds


class Status(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    ERROR = "error"
    NOT_CONFIGURED = "not_configured"


PARTS = ("auth", "account", "onboarding", "listings", "database", "redis", "storage", "worker", "neo4j")
CORE = frozenset({"auth", "account", "onboarding", "listings", "database"})
SENTENCES = {
    Status.OK: "Working normally.",
    Status.DEGRADED: "Answering slowly.",
    Status.ERROR: "Not answering.",
    Status.NOT_CONFIGURED: "Not part of this installation.",
}


class WorkersMissing(Unavailable):
    """:param names: the services whose worker does not live."""

    sentence = "A worker is missing."

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = names


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `seconds` is None when nothing was measured.

    :param missing: what does not work of a part that is made of several.
    """

    status: Status
    seconds: float | None = None
    missing: Sequence[str] = ()

    @classmethod
    def of(cls, *, seconds: float, failed: bool, missing: Sequence[str] = ()) -> "Finding":
        """The finding of a check that took this long."""
        if failed:
            return cls(Status.ERROR, seconds, missing)
        return cls(Status.DEGRADED if seconds >= SLOW_FROM else Status.OK, seconds)

    def document(self) -> dict[str, Json]:
        """The finding as /api/health answers it."""
        shown: dict[str, Json] = {
            "status": self.status.value,
            "message": SENTENCES[self.status],
            "details": {"missing": [*self.missing]} if self.missing else {},
        }
        if self.seconds is not None:
            shown["responseTime"] = round(self.seconds * 1000, 1)
        return shown


def overall(findings: Mapping[str, Finding]) -> Status:
    """`error` when a core part fails, `degraded` when anything else does or is slow."""
    failed = {name for name, finding in findings.items() if finding.status is Status.ERROR}
    if failed & CORE:
        return Status.ERROR
    slow = any(finding.status is Status.DEGRADED for finding in findings.values())
    return Status.DEGRADED if failed or slow else Status.OK


def summary(findings: Mapping[str, Finding]) -> dict[str, Json]:
    """How many parts are in which state; parts that are not configured do not count."""
    statuses = [finding.status for finding in findings.values()]
    healthy, degraded, failed = (
        statuses.count(status) for status in (Status.OK, Status.DEGRADED, Status.ERROR)
    )
    return {
        "total": healthy + degraded + failed,
        "healthy": healthy,
        "degraded": degraded,
        "failed": failed,
    }
