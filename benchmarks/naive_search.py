"""The search a team would write first: one generated tsvector, arrays, ILIKE, exact counts, a query for each facet."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from benchmarks.search_queries import PAGE, Question

# array_to_string depends on settings for other types than text, so PostgreSQL wants a promise.
SCHEMA = """
    CREATE FUNCTION joined(text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT array_to_string($1, ' ') $$;
    CREATE TABLE naive_listings (
        id uuid PRIMARY KEY, status text NOT NULL, title text NOT NULL, description text NOT NULL,
        subjects text[] NOT NULL, levels text[] NOT NULL, languages text[] NOT NULL, tags text[] NOT NULL,
        location_type text NOT NULL, location_city text, hourly_rate bigint, free_trial boolean NOT NULL,
        owner_display_name text NOT NULL, published_at timestamptz NOT NULL
    );
"""
FILL = """
    INSERT INTO naive_listings
    SELECT id, status, title, description, subjects, levels, languages, tags, location_type, location_city,
           hourly_rate, free_trial, owner_display_name, published_at
    FROM service_listings
"""
INDEX = (
    """ALTER TABLE naive_listings ADD COLUMN search tsvector GENERATED ALWAYS AS (to_tsvector('english',
        title || ' ' || description || ' ' || joined(subjects) || ' ' || joined(levels) || ' ' || joined(tags)
        || ' ' || coalesce(location_city, '') || ' ' || owner_display_name)) STORED""",
    "CREATE INDEX ON naive_listings USING gin (search)",
    "CREATE INDEX ON naive_listings USING gin (subjects)",
    "CREATE INDEX ON naive_listings USING gin (levels)",
    "CREATE INDEX ON naive_listings USING gin (title gin_trgm_ops)",
    "CREATE INDEX ON naive_listings (hourly_rate)",
    "CREATE INDEX ON naive_listings (published_at)",
    "VACUUM (ANALYZE) naive_listings",
)
_SORTS = {"price_asc": "hourly_rate NULLS LAST", "newest": "published_at DESC"}
_CARD = (
    "id, title, description, subjects, levels, languages, tags, location_type, location_city, hourly_rate, "
    "free_trial, owner_display_name, published_at"
)
_FACETS = (
    *(f"SELECT unnest({name}) AS value, count(*) FROM naive_listings WHERE {{where}} GROUP BY 1"
      for name in ("subjects", "levels", "languages")),
    *(f"SELECT {name} AS value, count(*) FROM naive_listings WHERE {{where}} GROUP BY 1 ORDER BY 2 DESC LIMIT 50"
      for name in ("location_type", "location_city", "free_trial", "width_bucket(hourly_rate, 0, 10000, 10)")),
)  # fmt: skip


class Naive:
    """Answers the same questions; one connection."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor(row_factory=dict_row)

    def ask(self, question: Question) -> int:
        """One page with its total and facets; returns the total."""
        where, values = _conditions(question)
        total = self._all(f"SELECT count(*) FROM naive_listings WHERE {where}", values)[0]["count"]
        if not total and "q" in question:
            return self._near(question)
        self._all(
            f"SELECT {_CARD} FROM naive_listings WHERE {where} ORDER BY {_order(question)} "
            "LIMIT %(limit)s OFFSET %(offset)s",
            values,
        )
        if question.get("facets", True):
            for facet in _FACETS:
                self._all(facet.format(where=where), values)
        return int(total)

    def suggest(self, question: Question) -> int:
        """Titles and cities that begin with what was typed."""
        values = {"q": f"{question['q']}%"}
        titles = self._all(
            "SELECT DISTINCT title FROM naive_listings WHERE title ILIKE %(q)s LIMIT 10", values
        )
        cities = self._all(
            "SELECT location_city, count(*) FROM naive_listings WHERE location_city ILIKE %(q)s "
            "GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
            values,
        )
        return len(titles) + len(cities)

    def _near(self, question: Question) -> int:
        """Nothing was found: titles that are spelt alike."""
        found = self._all(
            f"SELECT {_CARD} FROM naive_listings WHERE %(q)s <%% title "
            "ORDER BY word_similarity(%(q)s, title) DESC LIMIT %(limit)s",
            {"q": question["q"], "limit": PAGE},
        )
        return len(found)

    def _all(self, statement: str, values: dict[str, Any]) -> Sequence[dict[str, Any]]:
        return self._cursor.execute(statement, values).fetchall()


def _conditions(question: Question) -> tuple[str, dict[str, Any]]:
    known = {
        "q": "search @@ websearch_to_tsquery('english', %(q)s)",
        "subjects": "subjects && ARRAY[%(subjects)s]",
        "levels": "levels && ARRAY[%(levels)s]",
        "city": "location_city ILIKE %(city)s",
        "max_price": "hourly_rate <= %(max_price)s * 100",
        "free_trial": "free_trial",
    }
    used = [condition for name, condition in known.items() if name in question]
    values = {**question, "offset": question.get("offset", 0), "city": f"%{question.get('city', '')}%"}
    return " AND ".join(["status = 'published'", *used]), values


def _order(question: Question) -> str:
    if sort := question.get("sort"):
        return _SORTS[sort]
    return (
        "ts_rank(search, websearch_to_tsquery('english', %(q)s)) DESC"
        if "q" in question
        else "published_at DESC"
    )
