"""Counting what a search finds, value by value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    false,
    func,
    literal,
    null,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from cas_listings.domain.search.facets import Count
from cas_listings.models import listing_search as found
from cas_listings.repository.search import Clause
from cas_listings.repository.search_part import Parts

# Beyond so many results counts are those of a part; it bounds what one search can cost.
COUNTED = 200_000
_COLUMNS = {
    "subjects": found.c.subject_ids,
    "levels": found.c.level_ids,
    "languages": found.c.language_ids,
    "location_type": found.c.location_type,
    "city": found.c.city_key,
    "free_trial": found.c.free_trial,
    "price": found.c.price_bands,
}
_LISTS = frozenset({"subjects", "levels", "languages"})


@dataclass(frozen=True, slots=True)
class FacetCounts:
    """The counts of facets by name; those named `estimated` are counts of a part, weighed by its share."""

    counts: Mapping[str, list[Count]]
    estimated: frozenset[str]


def count_values(
    session: Session,
    facets: Sequence[str],
    *,
    clauses: Mapping[str, Clause],
    parts: Parts,
    most_cities: int,
    city_key: str = "",
) -> FacetCounts:
    """The counts of these facets, each without its own filter; estimates where only a part is counted.

    One pass over what all filters leave, and one more for each facet whose own filter is in use.

    :param most_cities: so many cities, the most frequent ones, and what `city_key` finds under its name.
    """
    counts: dict[str, list[Count]] = {facet: [] for facet in facets}
    estimated: set[str] = set()
    free = [facet for facet in facets if facet not in clauses]
    passes = [free] if free else []
    for together in [*passes, *([facet] for facet in facets if facet in clauses)]:
        kept = {name: clause for name, clause in clauses.items() if name not in together}
        part = parts.estimated(kept)
        counted, weight = ([part.clause], part.weight) if part else ([*kept.values()], 1.0)
        estimated.update(together if part else ())
        statement = _counting(together, counted, most_cities=most_cities, city_key=city_key)
        for facet, value, label, count in session.execute(statement):
            counts[facet].append(Count(value, label, round(count * weight)))
    return FacetCounts(counts, frozenset(estimated))


def _counting(
    facets: Sequence[str], clauses: Sequence[Clause], *, most_cities: int, city_key: str
) -> Select[Any] | Any:
    columns = [_COLUMNS[facet] for facet in facets]
    rows = select(*columns, found.c.city).where(*clauses).limit(COUNTED).cte("found")
    keys = [rows.c[column.name] for column in columns]
    groups = (
        select(
            *keys,
            func.grouping(*keys).label("grouped_by"),
            func.min(rows.c.city).label("label"),
            func.count().label("count"),
        )
        .group_by(func.grouping_sets(*(tuple_(key) for key in keys)))
        .cte("counted")
    )
    parts = []
    for number, facet in enumerate(facets):
        key = groups.c[_COLUMNS[facet].name]
        # GROUPING has a bit for each key, the first one highest, that is set where rows are not grouped by it.
        is_this = groups.c.grouped_by == (2 ** len(keys) - 1) ^ (1 << (len(keys) - 1 - number))
        parts.append(_values_of(facet, groups, key, is_this, most_cities=most_cities, city_key=city_key))
    return union_all(*(select(part.subquery()) for part in parts))


def _values_of(
    facet: str,
    groups: CTE,
    key: ColumnElement[Any],
    is_this: Clause,
    *,
    most_cities: int,
    city_key: str,
) -> Select[Any] | CompoundSelect[Any]:
    if facet in _LISTS:
        each = func.unnest(func.string_to_array(key, ",")).table_valued("value").render_derived(name="each")
        total = func.sum(groups.c.count).cast(BigInteger).label("count")
        return (
            select(literal(facet).label("facet"), each.c.value, null().label("label"), total)
            .select_from(groups.join(each, true()))
            .where(is_this)
            .group_by(each.c.value)
        )
    label = groups.c.label if facet == "city" else null()
    values = select(
        literal(facet).label("facet"), key.cast(Text).label("value"), label.label("label"), groups.c.count
    ).where(and_(is_this, key.is_not(None)))
    if facet != "city":
        return values
    others = values.where(key != city_key).order_by(groups.c.count.desc(), key).limit(most_cities)
    return union_all(select(others.subquery()), _searched_city(groups, key, is_this, city_key=city_key))


def _searched_city(groups: CTE, key: ColumnElement[Any], is_this: Clause, *, city_key: str) -> Select[Any]:
    """The count of all cities that contain what is searched for, as its filter finds them."""
    contained = and_(is_this, key.contains(city_key, autoescape=True)) if city_key else false()
    columns: list[ColumnElement[Any]] = [
        literal("city"),
        literal(city_key),
        func.min(groups.c.label).filter(key == city_key),
        func.sum(groups.c.count).cast(BigInteger),
    ]
    return select(*columns).where(contained).having(func.count() > 0)
