"""Which of somebody's listings they want to see (docs/spec/domain.md 6.7)."""

from dataclasses import dataclass
from enum import StrEnum

from cas_listings.domain.roles import Role
from cas_listings.domain.states import Status


class Sort(StrEnum):
    """The order of somebody's listings; ties by age, the newest first."""

    RECENT = "recent"
    PERFORMANCE = "performance"
    STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Filters, order and page."""

    status: Status | None = None
    role: Role | None = None
    sort: Sort = Sort.RECENT
    limit: int
    offset: int
