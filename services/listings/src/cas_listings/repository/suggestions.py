"""Cities and titles of published listings, by how they are written."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, text
from sqlalchemy.orm import Session

from cas_listings.domain.search.suggestions import Nearness, Suggestion, SuggestionType
from cas_listings.models import ServiceListing
from cas_listings.models import listing_search as found
from cas_listings.repository.search import has_any

# Titles that hold what was typed are looked at up to here, in whatever order they are stored.
_CANDIDATES = 500


# PostgreSQL has no skip scan: from each city to the next one in the index, while they begin as wanted.
_EACH_CITY = """
    WITH RECURSIVE cities AS (
        (SELECT city_key, city FROM listing_search WHERE city_key >= :beginning ORDER BY city_key LIMIT 1)
        UNION ALL
        SELECT following.city_key, following.city
        FROM cities CROSS JOIN LATERAL (
            SELECT city_key, city FROM listing_search WHERE city_key > cities.city_key ORDER BY city_key LIMIT 1
        ) AS following
        WHERE starts_with(cities.city_key, :beginning)
    )
"""
_CITIES = text(f"{_EACH_CITY} SELECT city FROM cities LIMIT :most")  # noqa: S608  made of constants
# Of the ways to write a city, one that some of its listings use.
_CITY_COUNTS = """
    SELECT city_key, counted.listings, (
        SELECT min(city)
        FROM (SELECT city FROM listing_search AS l WHERE l.city_key = cities.city_key LIMIT 20) AS written
    ) AS label
    FROM cities CROSS JOIN LATERAL (
        SELECT count(*) AS listings
        FROM (SELECT 1 FROM listing_search AS l WHERE l.city_key = cities.city_key LIMIT :most) AS those
    ) AS counted
"""
_STANDS = {
    Nearness.PREFIX: "starts_with(city_key, :typed)",
    Nearness.INFIX: "strpos(city_key, :typed) > 1",
    Nearness.FUZZY: "city_key %> :typed AND strpos(city_key, :typed) = 0",
}
_NEAR_CITIES = {
    nearness: text(
        f"{_EACH_CITY} {_CITY_COUNTS} WHERE {stands} ORDER BY counted.listings DESC, city_key LIMIT :limit"
    )
    for nearness, stands in _STANDS.items()
}


def count_tokens(session: Session, tokens: Sequence[str], *, most: int) -> dict[str, int]:
    """How many published listings have each of these options, counted no further than `most`."""
    return {
        token: session.scalar(
            select(func.count()).select_from(
                select(found.c.id).where(has_any([token])).limit(most).subquery()
            )
        )
        or 0
        for token in tokens
    }


def list_cities(
    session: Session, typed: str, nearness: Nearness, *, most: int, limit: int
) -> list[Suggestion]:
    """The most frequent cities that stand in this nearness to what was typed, counted no further than `most`."""
    beginning = typed if nearness is Nearness.PREFIX else ""
    wanted = {"typed": typed, "beginning": beginning, "most": most, "limit": limit}
    return [
        Suggestion(SuggestionType.CITY, row.city_key, row.label, row.listings, nearness)
        for row in session.execute(_NEAR_CITIES[nearness], wanted)
    ]


def list_titles(session: Session, typed: str, nearness: Nearness, *, limit: int) -> list[Suggestion]:
    """Titles that stand in this nearness to what was typed, in alphabetical order."""
    stands = _stands(found.c.title_key, typed, nearness)
    if nearness is not Nearness.PREFIX:
        # The index is over more than titles, so that there is only one of its kind.
        stands = and_(_stands(found.c.fuzzy, typed, nearness), stands)
    candidates = select(found.c.id, found.c.title_key).where(stands)
    if nearness is Nearness.PREFIX:
        candidates = candidates.order_by(found.c.title_key, found.c.id).limit(limit)
    near = (candidates if nearness is Nearness.PREFIX else candidates.limit(_CANDIDATES)).subquery()
    statement = (
        select(ServiceListing.id, ServiceListing.title, ServiceListing.slug)
        .join(near, near.c.id == ServiceListing.id)
        .order_by(near.c.title_key, near.c.id)
        .limit(limit)
    )
    return [
        Suggestion(SuggestionType.TITLE, str(row.id), row.title, 1, nearness, row.slug)
        for row in session.execute(statement)
    ]


def list_cities_of_listings(session: Session, *, most: int) -> list[str]:
    """The names of the cities that published listings are in, each once; reads one row for each city."""
    return list(session.scalars(_CITIES, {"most": most, "beginning": ""}))


def _stands(column: ColumnElement[Any], typed: str, nearness: Nearness) -> ColumnElement[bool]:
    match nearness:
        case Nearness.PREFIX:
            return column.startswith(typed, autoescape=True)
        case Nearness.INFIX:
            within = column.contains(typed, autoescape=True)
            return within & ~column.startswith(typed, autoescape=True)
        case Nearness.FUZZY:
            alike = column.op("%>", is_comparison=True)(typed)
            return alike & ~column.contains(typed, autoescape=True)
