"""Finding published listings (docs/spec/domain.md 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from cas_listings.domain.search.cursor import read_cursor, write_cursor
from cas_listings.domain.search.facets import FACETS, MOST_CITIES, Count, Facets, facets_document
from cas_listings.domain.search.request import RELEVANCE, OptionFilter, Search, SortField
from cas_listings.domain.search.text import TextQuery
from cas_listings.models import ServiceListing
from cas_listings.operations.search_advice import Advice, advise
from cas_listings.repository import search as index
from cas_listings.repository.facets import COUNTED, count_values
from cas_listings.repository.search import Clause, Ranked, clauses_of
from cas_listings.settings import Settings

# With fewer results than this, misspelt words are taken for what they resemble (docs/spec/domain.md 7.2).
FEW = 5
_INSTANTS = frozenset({SortField.CREATED_AT, SortField.UPDATED_AT, SortField.PUBLISHED_AT})


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """What one search may cost.

    :param timeout: of each of its statements.
    :param exact_total: results are counted up to here.
    """

    timeout: timedelta
    exact_total: int

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
    advice: Advice | None


class _ColumnPlace(msgspec.Struct, frozen=True, array_like=True):
    """After a result in the order of a column."""

    fuzzy: bool
    value: str | int | None
    id: UUID


class _RankedPlace(msgspec.Struct, frozen=True, array_like=True):
    """After a result of a text.

    :param window: the last result that was ranked, None when all were.
    :param in_window: whether the last result shown was one of those.
    """

    fuzzy: bool
    last: Ranked
    window: Ranked | None
    in_window: bool


_Place = _ColumnPlace | _RankedPlace


def find_listings(session: Session, *, search: Search, limits: SearchLimits) -> Found:
    """One page of what a search finds; all of it is seen at one moment.

    :param session: with nothing asked yet.
    :raises ValidationFailed: the cursor is not one of this search's.
    :raises Unavailable: it takes too long.
    """
    place = _place(search)
    index.begin(session, timeout=limits.timeout)
    total, fuzzy = _count(session, search, place, most=limits.exact_total + 1)
    clauses = clauses_of(search, fuzzy=fuzzy)
    if search.sort == RELEVANCE and search.text is not None:
        ids, following = _ranked_page(session, search, search.text, clauses, place, fuzzy=fuzzy)
    else:
        ids, following = _column_page(session, search, clauses, place, fuzzy=fuzzy)
    return Found(
        listings=index.list_cards(session, ids),
        total=min(total, limits.exact_total),
        total_is_exact=total <= limits.exact_total,
        next_cursor=None if following is None else write_cursor(search, msgspec.to_builtins(following)),
        facets=_facets(session, search, clauses) if search.with_facets else None,
        advice=None if total else advise(session, search, most=limits.exact_total),
    )


def _place(search: Search) -> _Place | None:
    if search.cursor is None:
        return None
    is_ranked = search.sort == RELEVANCE
    place: _Place = read_cursor(search, _RankedPlace if is_ranked else _ColumnPlace)
    return place


def _count(session: Session, search: Search, place: _Place | None, *, most: int) -> tuple[int, bool]:
    """How many results there are, and whether those that are only spelt alike are among them.

    Whoever goes on with a cursor keeps what the first page decided.
    """
    exact = 0
    if place is None or not place.fuzzy:
        exact = index.count_up_to(session, most, clauses=[*clauses_of(search).values()])
        if place is not None or exact >= FEW or search.text is None or not search.text.may_be_misspelt:
            return exact, False
    alike = index.count_up_to(session, most, clauses=[*clauses_of(search, fuzzy=True).values()])
    return alike, place is not None or alike > exact


# ---- pages ----


def _column_page(
    session: Session, search: Search, clauses: Mapping[str, Clause], place: _Place | None, *, fuzzy: bool
) -> tuple[list[UUID], _Place | None]:
    field = search.sort.field
    after = None
    if isinstance(place, _ColumnPlace):
        is_instant = field in _INSTANTS and isinstance(place.value, str)
        after = (datetime.fromisoformat(str(place.value)) if is_instant else place.value, place.id)
    rows = index.list_page(
        session,
        search.sort,
        clauses=[*clauses.values()],
        after=after,
        offset=0 if place else search.offset,
        limit=search.limit + 1,
    )
    page = rows[: search.limit]
    if len(rows) <= search.limit:
        return [each for _, each in page], None
    value, last_id = page[-1]
    value = value.isoformat() if isinstance(value, datetime) else value
    return [each for _, each in page], _ColumnPlace(fuzzy, value, last_id)


def _ranked_page(
    session: Session,
    search: Search,
    query: TextQuery,
    clauses: Mapping[str, Clause],
    place: _Place | None,
    *,
    fuzzy: bool,
) -> tuple[list[UUID], _Place | None]:
    """From the ranked window as far as it reaches, then what lies below it."""
    conditions = [*clauses.values()]
    before = place if isinstance(place, _RankedPlace) else None
    window = index.list_ranked(session, query, clauses=conditions, down_to=before.window if before else None)
    end = before.window if before else _end_of(window)
    wanted = search.limit + 1
    results = _from_window(window, before, offset=search.offset)[:wanted]
    ranked = len(results)
    if end is not None and ranked < wanted:
        results += index.list_unranked(
            session,
            query,
            clauses=conditions,
            below=before.last if before and not before.in_window else end,
            offset=0 if before else max(0, search.offset - len(window)),
            limit=wanted - ranked,
        )
    page = results[: search.limit]
    ids = [result.id for result in page]
    if len(results) <= search.limit:
        return ids, None
    return ids, _RankedPlace(fuzzy, page[-1], end, in_window=search.limit <= ranked)


def _end_of(window: Sequence[Ranked]) -> Ranked | None:
    """The last of a full window in the order in which it was filled; None when nothing can lie below."""
    return max(window, key=index.in_order_of_tier) if len(window) == index.RANKED else None


def _from_window(window: list[Ranked], before: _RankedPlace | None, *, offset: int) -> list[Ranked]:
    if before is None:
        return window[offset:]
    if not before.in_window:
        return []
    last = index.in_order_of_rank(before.last)
    return [result for result in window if index.in_order_of_rank(result) > last]


# ---- facets ----


def _facets(session: Session, search: Search, clauses: Mapping[str, Clause]) -> Facets:
    counts = count_values(
        session, FACETS, clauses=clauses, most_cities=MOST_CITIES + 1, city_key=search.city_key
    )
    for option_filter in (OptionFilter.SUBJECTS, OptionFilter.LEVELS, OptionFilter.LANGUAGES):
        counts[option_filter] += _texts_of_people(session, search, option_filter, clauses)
    return facets_document(counts, search)


def _texts_of_people(
    session: Session, search: Search, option_filter: OptionFilter, clauses: Mapping[str, Clause]
) -> list[Count]:
    """The counts of chosen texts that no list knows: the index does not count those by itself."""
    others = [clause for name, clause in clauses.items() if name != option_filter]
    counts = []
    for choice in search.choices(option_filter):
        if not choice.is_entry:
            alone = clauses_of(Search(options=((option_filter, (choice,)),)))
            most = index.count_up_to(session, COUNTED, clauses=[*others, *alone.values()])
            counts.append(Count(choice.value, choice.value, most))
    return counts
