"""The newest part of what a search finds, where there is too much to look at all of it (docs/adr/0031)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from cas_listings.models import listing_search as found
from cas_listings.repository.search import Clause, count_up_to, has_id

# What is expected must exceed what is claimed by this factor: what was published of late may differ from the rest.
_MARGIN = 2
# The newest fiftieth of the listings begins here, by what ANALYZE learnt; nobody reads it from the table for this.
_NEWEST = text(
    """
    SELECT bounds[1 + (array_length(bounds, 1) - 1) * 49 / 50] AS begins,
           (SELECT reltuples FROM pg_class WHERE oid = to_regclass('listing_search')) AS listings
    FROM pg_stats CROSS JOIN LATERAL (SELECT histogram_bounds::text::timestamptz[] AS bounds) AS known
    WHERE schemaname = current_schema() AND tablename = 'listing_search' AND attname = 'published_at'
    """
)


@dataclass(frozen=True, slots=True)
class Part:
    """The newest of very many results.

    :param newest: when they were published, and their ids.
    :param results: about how many there are of all ages.
    """

    newest: Sequence[tuple[datetime, UUID]]
    results: int

    @property
    def clause(self) -> Clause:
        """Whether a listing is one of them."""
        return has_id([each for _, each in self.newest])

    @property
    def weight(self) -> float:
        """How many results each of them stands for."""
        return self.results / len(self.newest)


@dataclass(frozen=True, slots=True)
class _Horizon:
    begins: datetime
    listings: float


class Parts:
    """The parts of what one search and its variations find; each is looked for once.

    :param size: how many results a part has.
    :param counted: results are counted up to here; what has a part has more.
    """

    def __init__(self, session: Session, *, size: int, counted: int) -> None:
        self._session = session
        self._size = size
        self._counted = counted
        self._known: dict[tuple[Clause, ...], Part | None] = {}
        row = session.execute(_NEWEST).one_or_none()
        self._horizon = None if row is None or row.begins is None else _Horizon(row.begins, row.listings)

    def of(self, clauses: Mapping[str, Clause]) -> Part | None:
        """The newest results, where there are surely more than are counted; None where there may be fewer."""
        key = tuple(clauses.values())
        if key not in self._known:
            self._known[key] = None if self._horizon is None else self._find(key, self._horizon)
        return self._known[key]

    def count(self, clauses: Mapping[str, Clause]) -> int:
        """How many results there are, or one more than are counted."""
        most = self._counted + 1
        return most if self.of(clauses) else count_up_to(self._session, most, clauses=[*clauses.values()])

    def _find(self, clauses: Sequence[Clause], horizon: _Horizon) -> Part | None:
        newest = (
            select(found.c.published_at, found.c.id)
            .where(*clauses, found.c.published_at >= horizon.begins)
            .order_by(found.c.published_at.desc(), found.c.id)
            .limit(self._size)
        )
        rows = [(row.published_at, row.id) for row in self._session.execute(newest)]
        if len(rows) < self._size:
            return None
        # An index alone answers this.
        as_new = select(func.count()).where(found.c.published_at >= rows[-1][0])
        results = round(len(rows) * horizon.listings / (self._session.scalar(as_new) or 1))
        return Part(rows, results) if results > _MARGIN * self._counted else None
