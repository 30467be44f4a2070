"""A marketplace of any size in a database of its own, the same for the same seed."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from tools.marketplace.offers import offers
from tools.marketplace.rows import listing_rows
from tools.seed import insert_new
from tqdm import tqdm

from cas_kit import migrations
from cas_local.postgres import PostgresServer, libpq_url, provision

PASSWORD = "benchmark"
BATCH = 2_000
# Written one by one; beyond, the same texts again with other ids, times and prices.
WRITTEN = 100_000
# As a server for a million listings would be set up; a statement has one core, so that ways can be compared.
SETTINGS = {
    "shared_buffers": "2GB",
    "effective_cache_size": "6GB",
    "max_wal_size": "8GB",
    "max_parallel_workers_per_gather": "0",
    "autovacuum": "off",  # what it would do is done where it belongs, and not while something is measured
}
_DIFFERS = {
    "id": "md5(id::text || {number})::uuid",
    "slug": "slug || '--' || {number}",
    "published_at": "published_at - (abs(hashtext(id::text || {number})) % 86400) * interval '20 seconds'",
    "hourly_rate": "hourly_rate + 100 * (abs(hashtext(id::text || {number})) % 6)",
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """The address of the listings service's database, and where the server's files are."""

    url: str
    folder: Path

    def connect(self) -> psycopg.Connection:
        """A connection of the service's role whose statements may take their time."""
        connection = psycopg.connect(libpq_url(self.url), autocommit=True)
        connection.execute("SET statement_timeout = 0")
        return connection


@contextmanager
def corpus(folder: Path, *, rows: int, seed: int) -> Iterator[Corpus]:
    """So many published listings, none of them in an index yet."""
    with PostgresServer(folder, settings=SETTINGS) as server:
        url = provision(server.url(), {"listings": PASSWORD})["listings"]
        migrations.upgrade(url, package="cas_listings")
        made = Corpus(url, folder)
        with tqdm(total=rows, unit=" listings", desc="load") as progress:
            for loaded in _load(made, rows=rows, seed=seed):
                progress.update(loaded)
        yield made


def _load(made: Corpus, *, rows: int, seed: int) -> Iterator[int]:
    written = min(rows, WRITTEN)
    with ProcessPoolExecutor(os.cpu_count()) as writers:
        write = partial(_write, made, until=written, seed=seed)
        yield from writers.map(write, range(0, written, BATCH))
    with made.connect() as connection:
        for number in range(1, -(-rows // WRITTEN)):
            yield _repeat(connection, number, at_most=rows - number * WRITTEN)
        connection.execute("VACUUM (ANALYZE) service_listings")


def _write(made: Corpus, first: int, *, until: int, seed: int) -> int:
    batch = offers(min(BATCH, until - first), seed=seed, first=first)
    listings = [listing_rows(offer).listing for offer in batch]
    with made.connect() as connection:
        insert_new(connection, listings)
    return len(listings)


def _repeat(connection: psycopg.Connection, number: int, *, at_most: int) -> int:
    columns = [
        name
        for (name,) in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'service_listings'::regclass "
            "AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"
        )
    ]
    values = [_DIFFERS.get(name, '"' + name + '"').format(number=f"'{number}'") for name in columns]
    statement = SQL(
        "INSERT INTO service_listings ({columns}) SELECT {values} FROM service_listings "
        "WHERE slug NOT LIKE '%--%' ORDER BY id LIMIT {limit}"
    )
    return connection.execute(
        statement.format(
            columns=SQL(", ").join(map(Identifier, columns)), values=SQL(", ".join(values)), limit=at_most
        )
    ).rowcount
