"""The newest part of what a search finds, all of it where that is not too much to look at (docs/adr/0031)."""

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
    """The newest results of a search; all of them when there are no more.

    :param newest: when they were published, and their ids.
    :param results: how many there are of all ages, about so many when it is `estimated`.
    """

    newest: Sequence[tuple[datetime, UUID]]
    results: int
    estimated: bool

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
    :param counted: results are counted up to here; what has an estimated part has more.
    """

    def __init__(self, session: Session, *, size: int, counted: int) -> None:
        self._session = session
        self._size = size
        self._counted = counted
        self._estimated: dict[tuple[Clause, ...], Part | None] = {}
        row = session.execute(_NEWEST).one_or_none()
        self._horizon = None if row is None or row.begins is None else _Horizon(row.begins, row.listings)

    def estimated(self, clauses: Mapping[str, Clause]) -> Part | None:
        """The newest results, where there are surely more than are counted; None where there may be fewer."""
        key = tuple(clauses.values())
        if key not in self._estimated:
            self._estimated[key] = None if self._horizon is None else self._estimate(key, self._horizon)
        return self._estimated[key]

    def newest(self, clauses: Mapping[str, Clause]) -> Part:
        """The newest results; they are all counted, where there may be few."""
        return self.estimated(clauses) or self._count(tuple(clauses.values()))

    def count(self, clauses: Mapping[str, Clause]) -> int:
        """How many results there are, or one more than are counted."""
        most = self._counted + 1
        estimated = self.estimated(clauses)
        return most if estimated else count_up_to(self._session, most, clauses=[*clauses.values()])

    def _estimate(self, clauses: Sequence[Clause], horizon: _Horizon) -> Part | None:
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
        return Part(rows, results, estimated=True) if results > _MARGIN * self._counted else None

    def _count(self, clauses: Sequence[Clause]) -> Part:
        results = select(found.c.published_at, found.c.id).where(*clauses).cte("results")
        results = results.prefix_with("MATERIALIZED")
        counted = select(func.count()).select_from(results).scalar_subquery()
        newest = (
            select(results.c.published_at, results.c.id, counted.label("counted"))
            .order_by(results.c.published_at.desc(), results.c.id)
            .limit(self._size)
        )
        rows = self._session.execute(newest).all()
        total = rows[0].counted if rows else 0
        return Part([(row.published_at, row.id) for row in rows], total, estimated=False)
