"""The same listings in tantivy, a search engine in the same process: what a server beside the database could reach."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import tantivy
from tantivy import Occur, Query

from benchmarks.search_queries import PAGE, Question
from cas_listings.domain.folding import folded_line

MEMORY = 512_000_000
BATCH = 5_000
_TEXTS = ("title", "labels", "body")
_BOOSTS = {"title": 4.0, "labels": 2.0}
_LISTS = ("subjects", "levels", "languages")
_READ = """
    SELECT id::text, title, description, subjects, levels, languages, tags, location_type, location_city,
           hourly_rate, free_trial, extract(epoch FROM published_at)::bigint AS published_at
    FROM service_listings WHERE status = 'published'
"""
_BANDS = [{"from": low, "to": low + 1_000} for low in range(0, 10_000, 1_000)]
_FACETS: dict[str, Any] = {
    **{name: {"terms": {"field": name, "size": 50}} for name in (*_LISTS, "location_type", "city", "free_trial")},
    "hourly_rate": {"range": {"field": "hourly_rate", "ranges": _BANDS}},
}  # fmt: skip


class Tantivy:
    """Answers with ids; reading the listings of a page is left to the database."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._index = tantivy.Index(_schema(), path=str(folder))
        self._schema = self._index.schema

    def fill(self, connection: psycopg.Connection) -> None:
        """Index all published listings."""
        writer = self._index.writer(MEMORY)
        with connection.transaction(), connection.cursor("listings") as cursor:
            cursor.itersize = BATCH
            for row in cursor.execute(_READ):
                writer.add_document(_document(row))
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()

    def ask(self, question: Question) -> int:
        """One page with its total and facets; returns the total."""
        query, searcher = self._query(question), self._index.searcher()
        sort = {"price_asc": "hourly_rate", "newest": "published_at"}.get(question.get("sort", ""))
        if sort is None and "q" not in question:
            sort = "published_at"
        order = tantivy.Order.Asc if sort == "hourly_rate" else tantivy.Order.Desc
        found = searcher.search(
            query, PAGE, order_by_field=sort, order=order, offset=question.get("offset", 0)
        )
        ids = [searcher.doc(address)["id"] for _, address in found.hits]
        if question.get("facets", True):
            searcher.aggregate(query, _FACETS)
        return len(ids)

    def ask_near(self, question: Question) -> int:
        """Words that one letter is wrong in."""
        found = self._index.parse_query(
            question["q"], ["title", "labels"], fuzzy_fields=dict.fromkeys(("title", "labels"), (False, 1, True)),
            conjunction_by_default=True,
        )  # fmt: skip
        searcher = self._index.searcher()
        return len([searcher.doc(address)["id"] for _, address in searcher.search(found, PAGE).hits])

    def suggest(self, question: Question) -> int:
        """Titles and cities that begin with what was typed."""
        searcher, typed = self._index.searcher(), folded_line(question["q"])
        return sum(len(searcher.terms_with_prefix(field, typed, limit=10)) for field in ("title_key", "city"))

    def _query(self, question: Question) -> Query:
        parts = list(self._conditions(question))
        return Query.boolean_query([(Occur.Must, part) for part in parts]) if parts else Query.all_query()

    def _conditions(self, question: Question) -> Iterator[Query]:
        if "q" in question:
            yield self._index.parse_query(
                question["q"], [*_TEXTS], field_boosts=_BOOSTS, conjunction_by_default=True
            )
        for name in ("subjects", "levels"):
            if name in question:
                yield Query.term_query(self._schema, name, question[name])
        if "city" in question:
            yield Query.term_query(self._schema, "city", folded_line(question["city"]))
        if "max_price" in question:
            yield Query.range_query(
                self._schema, "hourly_rate", tantivy.FieldType.Integer, 0, question["max_price"] * 100
            )
        if "free_trial" in question:
            yield Query.term_query(self._schema, "free_trial", 1)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    for name in _TEXTS:
        builder.add_text_field(name, tokenizer_name="en_stem")
    for name in (*_LISTS, "location_type", "city", "title_key"):
        builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    for name in ("hourly_rate", "published_at", "free_trial"):
        builder.add_integer_field(name, indexed=True, fast=True)
    return builder.build()


def _document(row: tuple[Any, ...]) -> tantivy.Document:
    listing_id, title, description, subjects, levels, languages, tags, place, city, rate, trial, published = (
        row
    )
    return tantivy.Document(
        id=[listing_id],
        title=[title],
        labels=[" ".join([*subjects, *levels, *tags])],
        body=[f"{description} {city or ''}"],
        subjects=subjects,
        levels=levels,
        languages=languages,
        location_type=[place],
        city=[folded_line(city)] if city else [],
        title_key=[folded_line(title)],
        hourly_rate=[rate] if rate is not None else [],
        published_at=[published],
        free_trial=[int(trial)],
    )
