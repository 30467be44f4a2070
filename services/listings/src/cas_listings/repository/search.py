"""Finding listings: conditions, counts and pages over the search index (docs/adr/0027).

Statements are put together from the parts a search uses; everything a caller typed is a parameter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Float,
    FromClause,
    Uuid,
    and_,
    any_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.types import Text

from cas_listings.domain.search.cursor import Instant
from cas_listings.domain.search.request import Search, Sort, SortField, value_token
from cas_listings.domain.search.text import Term, TextQuery
from cas_listings.domain.states import Status
from cas_listings.models import ServiceListing
from cas_listings.models import listing_search as found
from cas_listings.repository.spelling import Spelling

Clause = ColumnElement[Any]

_SIMILAR = "0.4"  # of a misspelt word's trigrams, those that have to be in the text it is taken for
_WEIGHTS = "{0.05, 0.2, 0.5, 1.0}"  # of owner, description, labels, title
_BY_LENGTH = 1  # ts_rank divides by 1 + the logarithm of the document's length

# What is counted changes too often to be kept in the index of what is searched.
_COUNTERS = frozenset({SortField.VIEW_COUNT, SortField.BOOKING_COUNT})
_ARRANGED_BY = (found.c.published_at, found.c.id, found.c.head, found.c.vector)

_LIMITS = text(
    "SELECT set_config('statement_timeout', :timeout, true), "
    "set_config('pg_trgm.word_similarity_threshold', :similar, true), "
    # What is rare for one search is common for another, and compiling takes longer than searching.
    "set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true), "
    # Pages that are searched are in memory, bitmaps stay exact, and one search takes one core.
    "set_config('random_page_cost', '1.1', true), set_config('work_mem', '32MB', true), "
    "set_config('max_parallel_workers_per_gather', '0', true)"
)

_CANCELED = "57014"  # SQLSTATE query_canceled
_TIMEOUT = text("SELECT current_setting('statement_timeout')")
_SET_TIMEOUT = text("SELECT set_config('statement_timeout', :timeout, true)")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A result of a text and its place: tier first, rank next; 0 as long as it is not ranked."""

    tier: int
    rank: float
    published_at: Instant
    id: UUID


def begin(session: Session, *, timeout: timedelta) -> None:
    """Let all statements of this transaction see the same listings, and end those that take too long."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
    session.execute(_LIMITS, {"timeout": _milliseconds(timeout), "similar": _SIMILAR})


def within(session: Session, limit: timedelta, look: Callable[[], Answer]) -> Answer | None:
    """What a look at the listings shows; None when it takes longer, and the transaction goes on."""
    timeout = session.scalar(_TIMEOUT)
    session.execute(_SET_TIMEOUT, {"timeout": _milliseconds(limit)})
    try:
        with session.begin_nested():
            return look()
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _CANCELED:
            raise
        return None
    finally:
        session.execute(_SET_TIMEOUT, {"timeout": timeout})


def count_up_to(session: Session, most: int, *, clauses: Sequence[Clause]) -> int:
    """How many rows there are, counted no further than `most`."""
    capped = select(literal(1)).select_from(found).where(*clauses).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(capped)) or 0


def _milliseconds(interval: timedelta) -> str:
    return str(int(interval.total_seconds() * 1000))


def list_cards(session: Session, ids: Sequence[UUID]) -> list[ServiceListing]:
    """The published listings of these ids, in their order."""
    statement = (
        select(ServiceListing)
        .where(ServiceListing.id.in_(ids), ServiceListing.status == Status.PUBLISHED)
        .options(selectinload(ServiceListing.images))
    )
    listings = {listing.id: listing for listing in session.scalars(statement)} if ids else {}
    return [listings[each] for each in ids if each in listings]


# ---- conditions ----


def clauses_of(search: Search, *, spelling: Spelling | None = None) -> dict[str, Clause]:
    """The condition of each filter in use, by the filter's name.

    :param spelling: misspelt words count as what they resemble; None: all are as they are written.
    """
    clauses: dict[str, Clause] = {}
    if search.text is not None:
        clauses["q"] = _contains(search.text) if spelling is None else _resembles(search.text, spelling)
    for option_filter, choices in search.options:
        clauses[option_filter.value] = has_any([choice.token for choice in choices])
    if search.location_types:
        types = [value_token("location_type", each) for each in search.found_location_types]
        clauses["location_type"] = has_any(types)
    if search.city is not None:
        clauses["city"] = _lies_in(search.city_key)
    if search.lowest is not None or search.highest is not None:
        clauses["price"] = _overlaps(search.lowest, search.highest)
    if search.free_trial:
        clauses["free_trial"] = has_any([value_token("free_trial", "true")])
    if search.role is not None:
        clauses["role"] = found.c.created_as_role == search.role.value
    return clauses


def has_id(ids: Sequence[UUID]) -> Clause:
    """Whether a listing is one of these: one parameter, however many there are."""
    return found.c.id == any_(cast(literal(ids, ARRAY(Uuid)), ARRAY(Uuid)))


def has_any(tokens: Sequence[str]) -> Clause:
    """Whether a listing has any of these tokens."""
    return found.c.tokens.op("&&", is_comparison=True)(cast(array(tokens, type_=Text), ARRAY(Text)))


def _lies_in(city_key: str) -> Clause:
    return found.c.city_key.contains(city_key, autoescape=True) if city_key else false()


def _overlaps(lowest: int | None, highest: int | None) -> Clause:
    """A listing without a price overlaps nothing."""
    bounds = [
        *([found.c.highest >= lowest] if lowest is not None else []),
        *([found.c.lowest <= highest] if highest is not None else []),
    ]
    return and_(*bounds)


def _contains(query: TextQuery) -> Clause:
    return _matches(found.c.vector, query.expression())


def only_resembles(query: TextQuery, spelling: Spelling) -> Clause:
    """Whether a listing has the words of a text only when misspelt ones count as what they resemble."""
    return and_(_resembles(query, spelling), not_(_contains(query)))


def _resembles(query: TextQuery, spelling: Spelling) -> Clause:
    groups = [and_(*(_resembles_term(term, spelling) for term in group)) for group in query.groups]
    return or_(*groups)


def _resembles_term(term: Term, spelling: Spelling) -> Clause:
    """A word of the taxonomy is spelt right; any other one may be taken for what it resembles."""
    written = _query("listing_words", term.expression())
    exact = _has(found.c.vector, written)
    if term.excluded:
        return not_(exact)
    if not term.may_be_misspelt or term.text not in spelling:
        return exact
    if meant := spelling[term.text]:
        either = written.op("||")(_query("simple", " | ".join(meant)))
        return _has(found.c.vector, either)
    return or_(exact, found.c.fuzzy.op("%>", is_comparison=True)(term.text))


def _matches(vector: Clause, expression: str) -> Clause:
    return _has(vector, _query("listing_words", expression))


def _has(vector: Clause, query: ColumnElement[Any]) -> Clause:
    return vector.op("@@", is_comparison=True)(query)


def _query(configuration: str, expression: str) -> ColumnElement[Any]:
    # Said in the statement and not a parameter: so the query is read once, not for every listing it is held against.
    return func.to_tsquery(literal_column(f"'{configuration}'::regconfig"), expression)


# ---- pages in the order of a column ----


def list_page(
    session: Session,
    sort: Sort,
    *,
    clauses: Sequence[Clause],
    after: tuple[Any, UUID] | None,
    offset: int,
    limit: int,
    few: bool,
) -> list[tuple[Any, UUID]]:
    """Value and id of the results from a place on.

    :param after: value and id of the last result before.
    :param few: there are so few that finding them all and sorting them is quickest.
    """
    table = ServiceListing.__table__ if sort.field in _COUNTERS else found
    column, id_ = table.c[sort.field.value], table.c.id
    statement = select(column.label("value"), id_).where(*clauses)
    if table is not found:
        statement = statement.join(found, found.c.id == id_).where(ServiceListing.status == Status.PUBLISHED)
    if after is not None:
        statement = statement.where(_comes_after(column, id_, sort, after))
    if few:
        all_of_them = statement.cte("results").prefix_with("MATERIALIZED")
        statement = select(all_of_them.c.value, all_of_them.c.id)
    value, result = statement.selected_columns
    ordered = value.desc() if sort.descending else value.asc()
    # The default of an ascending index; said only where it is not the default, so that the index is used.
    ordered = ordered.nulls_last() if sort.descending and column.nullable else ordered
    rows = session.execute(statement.order_by(ordered, result).offset(offset).limit(limit)).all()
    return [(row.value, row.id) for row in rows]


def _comes_after(
    column: ColumnElement[Any], id_: ColumnElement[UUID], sort: Sort, after: tuple[Any, UUID]
) -> Clause:
    value, last_id = after
    if value is None:
        return and_(column.is_(None), id_ > last_id)
    beyond = column < value if sort.descending else column > value
    same = and_(column == value, id_ > last_id)
    if sort.field is not SortField.HOURLY_RATE:
        # Implied, and a range that an index can be entered by.
        reached = column <= value if sort.descending else column >= value
        return and_(reached, or_(beyond, same))
    return or_(beyond, same, column.is_(None))


# ---- pages in the order of relevance ----


def list_newest(
    session: Session,
    query: TextQuery,
    *,
    clauses: Sequence[Clause],
    down_to: Ranked | None,
    most: int,
    few: bool,
) -> list[Ranked]:
    """The newest results of a text, by tier and age; their ranks are not known yet.

    :param down_to: the oldest one to list.
    :param few: as of `list_page`.
    """
    wanted = [*clauses, *([not_(_is_older(down_to))] if down_to else [])]
    results: FromClause = found
    if few:
        results = select(*_ARRANGED_BY).where(*wanted).cte("results").prefix_with("MATERIALIZED")
        wanted = []
    newest = (
        select(*(results.c[column.name] for column in _ARRANGED_BY))
        .where(*wanted)
        .order_by(results.c.published_at.desc(), results.c.id)
        .limit(most)
        .subquery()
    )
    tier = _tier(query, newest.c.head, newest.c.vector).label("tier")
    rows = session.execute(select(tier, newest.c.published_at, newest.c.id)).all()
    return sorted((Ranked(row.tier, 0.0, row.published_at, row.id) for row in rows), key=in_order_of_tier)


def ranked(session: Session, query: TextQuery, results: Sequence[Ranked]) -> list[Ranked]:
    """These results in the order of their tiers and ranks."""
    by_words = func.ts_rank(text(f"'{_WEIGHTS}'::real[]"), found.c.vector, _ranking(query), _BY_LENGTH)
    rank = case((_contains(query), by_words), else_=_similarity(query))
    chosen = select(found.c.id, rank.label("rank")).where(has_id([each.id for each in results]))
    ranks = {row.id: row.rank for row in session.execute(chosen)}
    return sorted((replace(each, rank=ranks[each.id]) for each in results), key=in_order_of_rank)


def in_order_of_rank(result: Ranked) -> tuple[int, float, float, UUID]:
    """The key that sorts ranked results."""
    return (-result.tier, -result.rank, -result.published_at.timestamp(), result.id)


def in_order_of_tier(result: Ranked) -> tuple[int, float, UUID]:
    """The key that sorts results before they are ranked."""
    return (-result.tier, -result.published_at.timestamp(), result.id)


def _tier(query: TextQuery, head: ColumnElement[Any], vector: ColumnElement[Any]) -> ColumnElement[int]:
    """All in the title, all in title and labels, all somewhere; -1 where only the spelling is near."""
    return case(
        (_matches(head, query.expression(weights="A")), 2),
        (_matches(head, query.expression()), 1),
        (_matches(vector, query.expression()), 0),
        else_=-1,
    )


def _is_older(place: Ranked) -> Clause:
    return or_(
        found.c.published_at < place.published_at,
        and_(found.c.published_at == place.published_at, found.c.id > place.id),
    )


def _ranking(query: TextQuery) -> ColumnElement[Any]:
    """The words in any form, and once more as they are."""
    expression = query.expression()
    return _query("listing_words", expression).op("||")(_query("simple", expression))


def _similarity(query: TextQuery) -> ColumnElement[Any]:
    """How much the nearest words are like those of a text; what is in the title counts twice."""
    words = " ".join(term.text for group in query.wished() for term in group)
    alike = func.word_similarity(words, found.c.fuzzy) + func.word_similarity(words, found.c.title_key)
    return cast(alike, Float)
