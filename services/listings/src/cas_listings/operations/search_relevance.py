"""Pages of the results of a text: the newest by how well they match, the others by age (docs/adr/0031)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from cas_listings.domain.search.request import NEWEST, Search
from cas_listings.domain.search.text import TextQuery
from cas_listings.repository import search as index
from cas_listings.repository.search import Clause, Ranked, clauses_of, in_order_of_rank, in_order_of_tier
from cas_listings.repository.search_part import Part
from cas_listings.repository.spelling import Spelling

# Of those that are arranged, only so many are ranked: ranking reads the whole document.
RANKED = 100
# What is asked for again can have grown meanwhile, to no more than so many times what it was.
_GROWN = 2


class _Zone(IntEnum):
    RANKED = 0
    ARRANGED = 1
    OLDER = 2


class RankedPlace(msgspec.Struct, frozen=True, array_like=True):
    """After a result of a text.

    :param window: the last result by tier and age that was ranked, None when all were.
    :param oldest: the oldest result that was arranged, None when all were.
    :param zone: where the last result shown was found.
    """

    fuzzy: bool
    last: Ranked
    window: Ranked | None
    oldest: Ranked | None
    zone: _Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSearch:
    """A search for a text, and what is known of its results.

    :param spelling: as of `clauses_of`.
    :param newest: the newest of all results.
    :param few: as of `list_page`.
    :param arranged: how many of the newest are put in the order of how well they match.
    """

    search: Search
    query: TextQuery
    clauses: Mapping[str, Clause]
    newest: Part
    spelling: Spelling | None
    few: bool
    arranged: int


@dataclass(frozen=True, slots=True)
class _Arranged:
    """The newest results: `window` by tier and rank, `rest` by tier and age; older ones lie beyond `oldest`."""

    window: Sequence[Ranked]
    rest: Sequence[Ranked]
    oldest: Ranked | None

    @property
    def ranked_to(self) -> Ranked | None:
        """The last of a full window in the order in which it was filled."""
        return max(self.window, key=in_order_of_tier) if self.rest or self.oldest else None

    def after(self, place: RankedPlace) -> list[tuple[_Zone, Ranked]]:
        """What follows a place."""
        order = in_order_of_rank if place.zone is _Zone.RANKED else in_order_of_tier
        return [
            (zone, result)
            for zone, result in self.results()
            if zone > place.zone or (zone is place.zone and order(result) > order(place.last))
        ]

    def results(self) -> list[tuple[_Zone, Ranked]]:
        """All of them in their order."""
        ranked = [(_Zone.RANKED, each) for each in self.window]
        return ranked + [(_Zone.ARRANGED, each) for each in self.rest]


def relevance_page(
    session: Session, asked: TextSearch, place: RankedPlace | None
) -> tuple[list[UUID], RankedPlace | None]:
    """The ids of one page, and the place after it where there is more."""
    arranged = _arrange(session, asked, place)
    newest = arranged.results()
    results = arranged.after(place) if place else newest[asked.search.offset :]
    wanted = asked.search.limit + 1
    if arranged.oldest is not None and len(results) < wanted:
        after = place.last if place and place.zone is _Zone.OLDER else arranged.oldest
        skipped = 0 if place else max(0, asked.search.offset - len(newest))
        older = _older(session, asked, after, offset=skipped, limit=wanted - len(results))
        results += [(_Zone.OLDER, each) for each in older]
    page = results[: asked.search.limit]
    ids = [result.id for _, result in page]
    if len(results) < wanted:
        return ids, None
    zone, last = page[-1]
    window = place.window if place else arranged.ranked_to
    return ids, RankedPlace(asked.spelling is not None, last, window, arranged.oldest, zone)


def _arrange(session: Session, asked: TextSearch, place: RankedPlace | None) -> _Arranged:
    """Those that are arranged; after a first page the same ones, and what came since."""
    if place is not None and place.zone is _Zone.OLDER:
        return _Arranged((), (), place.oldest)
    oldest = place.oldest if place else None
    most = asked.arranged * (_GROWN if place else 1)
    clauses = [*asked.clauses.values()] if place else [asked.newest.clause]
    results = _newest(session, asked, clauses, down_to=oldest, most=most)
    if place is None and len(results) >= most:
        oldest = max(results, key=lambda result: (-result.published_at.timestamp(), result.id))
    window = results[:RANKED]
    if place is not None:
        window = [each for each in results if _was_ranked(each, place)][: RANKED * _GROWN]
    ranked = index.ranked(session, asked.query, window) if window else []
    return _Arranged(ranked, results[len(window) :], oldest)


def _was_ranked(result: Ranked, place: RankedPlace) -> bool:
    """Whether it is ranked like those before the place: then it stands where it would have stood."""
    return place.window is None or in_order_of_tier(result) <= in_order_of_tier(place.window)


def _newest(
    session: Session, asked: TextSearch, clauses: Sequence[Clause], *, down_to: Ranked | None, most: int
) -> list[Ranked]:
    """By tier and age. The few that have all the words are among them, however old they are."""
    newest = index.list_newest(
        session, asked.query, clauses=clauses, down_to=down_to, most=most, few=asked.few
    )
    if asked.spelling is None:
        return newest
    exact = [*clauses_of(asked.search).values()]
    older = index.list_newest(session, asked.query, clauses=exact, down_to=None, most=most, few=True)
    return sorted({each.id: each for each in (*newest, *older)}.values(), key=in_order_of_tier)


def _older(session: Session, asked: TextSearch, after: Ranked, *, offset: int, limit: int) -> list[Ranked]:
    clauses = dict(asked.clauses)
    if asked.spelling is not None:
        clauses["q"] = index.only_resembles(asked.query, asked.spelling)
    rows = index.list_page(
        session,
        NEWEST,
        clauses=[*clauses.values()],
        after=(after.published_at, after.id),
        offset=offset,
        limit=limit,
        few=asked.few,
    )
    return [Ranked(-1, 0.0, published_at, each) for published_at, each in rows]
