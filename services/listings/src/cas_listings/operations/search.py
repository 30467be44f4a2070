"""Finding published listings (docs/spec/domain.md 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from cas_listings.domain.search.cursor import Instant, Number, read_cursor, write_cursor
from cas_listings.domain.search.facets import FACETS, MOST_CITIES, Count, Facets, facets_document
from cas_listings.domain.search.request import NEWEST, RELEVANCE, OptionFilter, Search, SortField
from cas_listings.domain.search.text import FEW
from cas_listings.models import ServiceListing
from cas_listings.operations.search_advice import Advice, advise
from cas_listings.operations.search_relevance import RankedPlace, TextSearch, relevance_page
from cas_listings.repository import search as index
from cas_listings.repository.facets import count_values
from cas_listings.repository.search import Clause, clauses_of
from cas_listings.repository.search_part import Part, Parts
from cas_listings.repository.spelling import Spelling, spelling_of
from cas_listings.settings import Settings

# Enough that the best are among them; every hundred takes some two milliseconds.
ARRANGED = 300
# Somebody waits for it beside the search itself.
GUESSING = timedelta(milliseconds=125)
_INSTANTS = frozenset({SortField.CREATED_AT, SortField.UPDATED_AT, SortField.PUBLISHED_AT})


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """What one search may cost.

    :param timeout: of each of its statements.
    :param exact_total: results are counted up to here.
    :param guessing: what misspelt words resemble is looked for so long, and each piece of advice.
    :param arranged: so many of a text's newest results are arranged by how well they match.
    """

    timeout: timedelta
    exact_total: int
    guessing: timedelta = GUESSING
    arranged: int = ARRANGED

    @classmethod
    def of(cls, settings: Settings) -> "SearchLimits":
        """Those that the settings name."""
        return cls(settings.search_timeout, settings.search_exact_total)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of results. `total` is a lower bound when it is not exact."""

    listings: Sequence[ServiceListing]
    total: int
    total_is_exact: bool
    next_cursor: str | None
    facets: Facets | None
    estimated_facets: Sequence[str]
    advice: Advice | None


_Value = TypeVar("_Value")


class _ColumnPlace(msgspec.Struct, Generic[_Value], frozen=True, array_like=True):
    """After a result in the order of a column."""

    fuzzy: bool
    value: _Value
    id: UUID


_Place: TypeAlias = _ColumnPlace[Any] | RankedPlace


@dataclass(frozen=True, slots=True)
class _Extent:
    """Which results there are, and how many.

    :param newest: the newest of them, where the page needs them.
    :param spelling: as of `clauses_of`.
    """

    clauses: Mapping[str, Clause]
    total: int
    newest: Part | None
    spelling: Spelling | None

    @classmethod
    def of(
        cls, search: Search, clauses: Mapping[str, Clause], parts: Parts, *, spelling: Spelling | None = None
    ) -> "_Extent":
        """What these clauses leave."""
        if search.sort not in (RELEVANCE, NEWEST):
            return cls(clauses, parts.count(clauses), None, spelling)
        newest = parts.newest(clauses)
        return cls(clauses, newest.results, newest, spelling)


def find_listings(session: Session, *, search: Search, limits: SearchLimits) -> Found:
    """One page of what a search finds; all of it is seen at one moment.

    :param session: with nothing asked yet.
    :raises ValidationFailed: the cursor is not one of this search's.
    :raises Unavailable: it takes too long.
    """
    place = _place(search)
    index.begin(session, timeout=limits.timeout)
    parts = Parts(session, size=limits.arranged, counted=limits.exact_total)
    extent = _extent(session, search, place, parts, limits)
    following: _Place | None
    few = extent.total <= limits.exact_total
    if search.sort == RELEVANCE and search.text is not None and extent.newest is not None:
        asked = TextSearch(
            search=search,
            query=search.text,
            clauses=extent.clauses,
            newest=extent.newest,
            spelling=extent.spelling,
            few=few,
            arranged=limits.arranged,
        )
        before = place if isinstance(place, RankedPlace) else None
        ids, following = relevance_page(session, asked, before)
    else:
        ids, following = _column_page(session, search, extent, place, few=few)
    facets, estimated = _facets(session, search, extent.clauses, parts)
    return Found(
        listings=index.list_cards(session, ids),
        total=min(extent.total, limits.exact_total),
        total_is_exact=few,
        next_cursor=None if following is None else write_cursor(search, msgspec.to_builtins(following)),
        facets=facets,
        estimated_facets=estimated,
        advice=None
        if extent.total
        else advise(session, search, parts=parts, most=limits.exact_total, limit=limits.guessing),
    )


def _place(search: Search) -> _Place | None:
    if search.cursor is None:
        return None
    by_column = _ColumnPlace[Instant] if search.sort.field in _INSTANTS else _ColumnPlace[Number | None]
    place: _Place = read_cursor(search, RankedPlace if search.sort == RELEVANCE else by_column)
    return place


def _extent(
    session: Session, search: Search, place: _Place | None, parts: Parts, limits: SearchLimits
) -> _Extent:
    """How many results there are, and whether those that are only spelt alike are among them.

    Whoever goes on with a cursor keeps what the first page decided.
    """
    clauses = clauses_of(search)
    exact = _Extent.of(search, clauses, parts)
    is_exact = exact.total >= FEW if place is None else not place.fuzzy
    if is_exact or search.text is None or not search.text.may_be_misspelt:
        return exact
    spelling = spelling_of(session, search.text)
    clauses = clauses_of(search, spelling=spelling)
    alike = index.within(
        session,
        limits.guessing,
        lambda: _Extent.of(search, clauses, parts, spelling=spelling),
    )
    if alike is None or (place is None and alike.total <= exact.total):
        return exact
    return alike


# ---- pages ----


def _column_page(
    session: Session, search: Search, extent: _Extent, place: _Place | None, *, few: bool
) -> tuple[list[UUID], _Place | None]:
    after = (place.value, place.id) if isinstance(place, _ColumnPlace) else None
    rows = _from_newest(search, extent) if place is None else None
    rows = rows or index.list_page(
        session,
        search.sort,
        clauses=[*extent.clauses.values()],
        after=after,
        offset=0 if place else search.offset,
        limit=search.limit + 1,
        few=few,
    )
    page = rows[: search.limit]
    if len(rows) <= search.limit:
        return [each for _, each in page], None
    value, last_id = page[-1]
    return [each for _, each in page], _ColumnPlace(extent.spelling is not None, value, last_id)


def _from_newest(search: Search, extent: _Extent) -> list[tuple[Any, UUID]]:
    """The rows of a page, and one more, of which the newest results are known; none when they are not."""
    end = search.offset + search.limit + 1
    if extent.newest is None or search.sort != NEWEST:
        return []
    known = extent.newest.newest
    return [*known[search.offset : end]] if end <= len(known) or len(known) == extent.total else []


# ---- facets ----


def _facets(
    session: Session, search: Search, clauses: Mapping[str, Clause], parts: Parts
) -> tuple[Facets | None, Sequence[str]]:
    """The facets, and which of them are estimates."""
    if not search.with_facets:
        return None, ()
    found = count_values(
        session,
        FACETS,
        clauses=clauses,
        parts=parts,
        most_cities=MOST_CITIES,
        city_key=search.city_key,
    )
    for option_filter in (OptionFilter.SUBJECTS, OptionFilter.LEVELS, OptionFilter.LANGUAGES):
        found.counts[option_filter] += _texts_of_people(search, option_filter, clauses, parts)
    return facets_document(found.counts, search), [facet for facet in FACETS if facet in found.estimated]


def _texts_of_people(
    search: Search, option_filter: OptionFilter, clauses: Mapping[str, Clause], parts: Parts
) -> list[Count]:
    """The counts of chosen texts that no list knows: the index does not count those by itself."""
    counts = []
    for choice in search.choices(option_filter):
        if not choice.is_entry:
            alone = clauses_of(Search(options=((option_filter, (choice,)),)))
            part = parts.estimated({**clauses, **alone})
            counts.append(
                Count(choice.value, choice.value, part.results if part else parts.count({**clauses, **alone}))
            )
    return counts
