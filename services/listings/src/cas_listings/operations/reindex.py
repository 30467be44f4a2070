"""Building the search index anew while it is searched and written (docs/adr/0028)."""

import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from sqlalchemy.orm import Session

from cas_kit.db import Database
from cas_kit.errors import DomainError, Kind, Unavailable
from cas_listings.domain.search.document import SearchDocument, index_format
from cas_listings.operations.search_index import documents_of, index_outdated
from cas_listings.repository import search_rebuild as rebuild

BATCH = 1_000
# So many batches are being written while the next one is read and worked out.
WRITERS = 2
# What changes during the last comparison is missing for as long as the next one takes: little enough to be soon done.
LITTLE = 50
# Whoever asks for the table behind us waits as long as we do for it; a search has half a second.
LOCK_TIMEOUT = "200ms"
LOCK_ATTEMPTS = 60

Told = Callable[[int, int], None]
"""Hears how many listings are done, of how many."""


class ReindexUnderWay(DomainError):
    kind = Kind.CONFLICT
    code = "reindex-under-way"
    sentence = "Somebody else is building the index anew. Wait until they are done."


def reindex(database: Database, *, tell: Told) -> int:
    """Fill a new index beside the live one and put it in its place; returns how many listings are in it.

    Searches and owners notice nothing. Safe to repeat, and to end at any moment: the live index stays until the new one
    is whole.

    :raises ReindexUnderWay: somebody else does.
    :raises Unavailable: a lock could not be had in 60 tries.
    """
    with _reserved(database):
        for step in (rebuild.drop_others, rebuild.create_next):
            _insist(database, step)
        written = _fill(database, tell=tell)
        for step in (rebuild.create_indexes, rebuild.reference_listings, rebuild.delete_orphans):
            _insist(database, step)
        with database.autocommit() as connection:
            rebuild.vacuum_next(connection)
        while _catch_up(database) > LITTLE:
            continue
        for step in (rebuild.rename, rebuild.drop_others):
            _insist(database, step)
        index_outdated(database)
    return written


def remove_leftovers(database: Database) -> None:
    """Remove what a reindex left that was killed: nobody erases people there. Safe to repeat, also while one goes on.

    :raises Unavailable: a lock could not be had in 60 tries.
    """
    with database.transaction() as session:
        found = rebuild.has_others(session)
    if found:
        with suppress(ReindexUnderWay), _reserved(database):
            _insist(database, rebuild.drop_others)


@contextmanager
def _reserved(database: Database) -> Iterator[None]:
    with database.autocommit() as connection:
        if not rebuild.reserve(connection):
            raise ReindexUnderWay
        try:
            yield
        finally:
            rebuild.release(connection)


@contextmanager
def _patient(database: Database) -> Iterator[Session]:
    """A transaction whose statements end when they end: a busy machine is no reason to give up."""
    with database.transaction() as session:
        rebuild.patient(session, lock_timeout=LOCK_TIMEOUT)
        yield session


def _fill(database: Database, *, tell: Told) -> int:
    with _patient(database) as session:
        total = rebuild.count_published(session)
    done = written = 0
    with ThreadPoolExecutor(WRITERS) as writers:
        for read, writing in _written_ahead(database, writers):
            written += writing.result()
            done += read
            tell(done, max(total, done))
    return written


def _written_ahead(database: Database, writers: Executor) -> Iterator[tuple[int, Future[int]]]:
    """The number of listings of each batch, and its writing, while later ones are under way."""
    under_way: deque[tuple[int, Future[int]]] = deque()
    for read, documents in _documents(database):
        under_way.append((read, writers.submit(_write, database, documents)))
        if len(under_way) > WRITERS:
            yield under_way.popleft()
    yield from under_way


def _documents(database: Database) -> Iterator[tuple[int, list[SearchDocument]]]:
    """Batches of documents, each with the number of listings that were read for it."""
    after = None
    while True:
        with _patient(database) as session:
            listings = rebuild.list_published(session, after=after, limit=BATCH)
        if not listings:
            return
        after = listings[-1].id
        yield len(listings), documents_of(listings)


def _write(database: Database, documents: Sequence[SearchDocument]) -> int:
    with _patient(database) as session:
        return rebuild.fill_next(session, documents)


def _catch_up(database: Database) -> int:
    """Write what changed since; returns how many were written. What somebody holds they write themselves."""
    with _patient(database) as session:
        changed = rebuild.list_outdated_next(session, index_format=index_format(), limit=BATCH)
        rebuild.delete_hidden_next(session)
        return rebuild.write_next(session, documents_of(changed)) if changed else 0


def _insist(database: Database, step: Callable[[Session], None]) -> None:
    """Do a step that needs locks, again and again until it gets them."""
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            with _patient(database) as session:
                step(session)
        except Unavailable:
            if attempt == LOCK_ATTEMPTS:
                raise
            time.sleep(random.uniform(0.05, 0.5))  # noqa: S311  lets others pass; nothing secret
        else:
            return
