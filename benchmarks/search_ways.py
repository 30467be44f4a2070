"""Three ways to answer a question, and what each costs before it can: time to build, and space on disk."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import event, text
from tqdm import tqdm

from benchmarks.corpus import Corpus
from benchmarks.naive_search import FILL, INDEX, SCHEMA
from benchmarks.search_queries import Question
from benchmarks.tantivy_search import Tantivy
from cas_kit.db import Database
from cas_listings.domain.listing import Changes
from cas_listings.domain.search.reading import read_search
from cas_listings.domain.search.suggestions import read_suggest_request
from cas_listings.domain.states import Action
from cas_listings.operations.listings import Terms, change_listing, move_listing
from cas_listings.operations.reindex import reindex
from cas_listings.operations.search import Found, SearchLimits, find_listings
from cas_listings.operations.suggestions import suggest
from cas_listings.repository.search import begin
from cas_listings.settings import Settings

# Slow answers are to be seen, not cut off.
TIMEOUT = timedelta(seconds=60)
_NAIVE_SIZE = (
    "SELECT pg_indexes_size('naive_listings') - pg_relation_size('naive_listings_pkey') "
    "+ (SELECT sum(pg_column_size(search)) FROM naive_listings)"
)


@dataclass(frozen=True, slots=True)
class Built:
    """What an index cost."""

    seconds: float
    size: int


class Ours:
    """The operations behind GET /api/listings/search, without HTTP: reading parameters, all statements, the cards."""

    def __init__(self, url: str) -> None:
        settings = _settings(url, connections=1)
        self._database = Database(settings, application_name="benchmark")
        self._limits = SearchLimits(timeout=TIMEOUT, exact_total=settings.search_exact_total)
        self._terms = Terms(now=datetime.now(UTC), grace=timedelta(days=30))

    def ask(self, question: Question) -> int:
        """One page; returns the total."""
        return self._find(question).total

    def after(self, question: Question) -> Question:
        """The page that follows, by cursor."""
        following = {name: value for name, value in question.items() if name != "offset"}
        cursor = self._find(question).next_cursor
        return following | ({"cursor": cursor} if cursor else {})

    def suggest(self, question: Question) -> int:
        """What may be meant."""
        request = read_suggest_request(question)
        with self._database.transaction() as session:
            return len(suggest(session, request=request, timeout=TIMEOUT))

    def edit(self, listing: UUID, owner: UUID, title: str) -> None:
        """Change the title, by its owner."""
        with self._database.transaction() as session:
            change_listing(
                session,
                listing_id=listing,
                owner=owner,
                changes=Changes({"title": title}),
                check_version=lambda _: None,
                terms=self._terms,
            )

    def move(self, listing: UUID, owner: UUID, action: Action) -> None:
        """Publish or unpublish."""
        with self._database.transaction() as session:
            move_listing(
                session,
                listing_id=listing,
                owner=owner,
                action=action,
                check_version=lambda _: None,
                terms=self._terms,
            )

    def backend(self) -> int:
        """The process that answers."""
        with self._database.autocommit() as connection:
            return int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)

    def explain_slowest(self, questions: Sequence[Question], *, suggesting: bool) -> str:
        """The plan of the statement that took longest in answering these."""
        with _watching(self._database) as statements:
            for question in questions:
                (self.suggest if suggesting else self.ask)(question)
        _, statement, parameters = max(statements, key=lambda each: each[0])
        with self._database.transaction() as session:
            begin(session, timeout=TIMEOUT)
            explained = f"EXPLAIN (ANALYZE, BUFFERS) {statement}"
            plan = session.connection().exec_driver_sql(explained, parameters).scalars().all()
        return "\n".join([statement, "", *plan])

    def close(self) -> None:
        """End the connection."""
        self._database.dispose()

    def _find(self, question: Question) -> Found:
        search = read_search(question)
        with self._database.transaction() as session:
            return find_listings(session, search=search, limits=self._limits)


@contextmanager
def _watching(database: Database) -> Iterator[list[tuple[float, str, Any]]]:
    """Every statement meanwhile: how long it took, its text and its parameters."""
    seen: list[tuple[float, str, Any]] = []
    started = [0.0]

    def before(*_: Any) -> None:
        started[0] = time.perf_counter()

    def after(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        seen.append((time.perf_counter() - started[0], statement, parameters))

    listeners = (("before_cursor_execute", before), ("after_cursor_execute", after))
    for name, listener in listeners:
        event.listen(database.engine, name, listener)
    try:
        yield seen
    finally:
        for name, listener in listeners:
            event.remove(database.engine, name, listener)


# ---- building ----


def build_ours(corpus: Corpus) -> Built:
    """What `cas-listings reindex` does."""
    database = Database(_settings(corpus.url, connections=10), application_name="benchmark")
    started = time.perf_counter()
    with tqdm(desc="reindex", unit=" listings") as progress:

        def tell(done: int, total: int) -> None:
            progress.total = total
            progress.update(done - progress.n)

        reindex(database, tell=tell)
    seconds = time.perf_counter() - started
    database.dispose()
    with corpus.connect() as connection:
        return Built(seconds, _number(connection, "SELECT pg_total_relation_size('listing_search')"))


def build_naive(corpus: Corpus) -> Built:
    """The generated column and the indexes, over a table that is there."""
    with corpus.connect() as connection:
        connection.execute(SCHEMA)
        connection.execute(FILL)
        started = time.perf_counter()
        for statement in tqdm(INDEX, desc="naive", unit=" indexes"):
            connection.execute(statement)
        return Built(time.perf_counter() - started, _number(connection, _NAIVE_SIZE))


def build_tantivy(corpus: Corpus) -> tuple[Tantivy, Built]:
    """Reading the listings included."""
    folder = corpus.folder / "tantivy"
    engine = Tantivy(folder)
    started = time.perf_counter()
    with corpus.connect() as connection:
        engine.fill(connection)
    return engine, Built(time.perf_counter() - started, _size_of(folder))


def on_one_core(*processes: int) -> None:
    """Let these and the calling thread take turns on one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        core = max(os.sched_getaffinity(0))
        for process in (0, *processes):
            os.sched_setaffinity(process, {core})


def _settings(url: str, *, connections: int) -> Settings:
    return Settings(
        environment="test",
        database_url=url,
        database_pool_size=connections,
        redis_url="redis://127.0.0.1:1",
        account_grpc="127.0.0.1:1",
    )


def _number(connection: psycopg.Connection, statement: str) -> int:
    row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
