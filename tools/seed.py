"""Fill the running system with a believable marketplace: `make seed N=1000 SEED=1`.

Safe to repeat: what is there already stays, and the same seed makes the same listings.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import TypeVar

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier
from sqlalchemy.orm import DeclarativeBase
from tools.marketplace.offers import Offer, offers
from tools.marketplace.rows import listing_rows, profile_row, values
from tqdm import tqdm

from cas_local.commands import running_service
from cas_local.errors import CannotRun
from cas_local.settings import Settings

BATCH = 2_000
Item = TypeVar("Item")


def main() -> None:
    """Write profiles and published listings, then let the search index be built anew."""
    chosen = _options()
    settings = Settings.from_environment()
    try:
        account = running_service(settings, "account")
        listings = running_service(settings, "listings")
    except CannotRun as error:
        sys.exit(f"{error} Start it with `make up` first.")
    with (
        connect(account["environment"], "ACCOUNT") as profiles,
        connect(listings["environment"], "LISTINGS") as offered,
    ):
        written = offers(chosen.count, seed=chosen.seed)
        with tqdm(total=chosen.count, unit=" listings") as progress:
            for batch in _batches(written, BATCH):
                insert_profiles(profiles, batch)
                insert_listings(offered, batch)
                progress.update(len(batch))
    reindex = [*listings["command"], "reindex"]
    sys.exit(subprocess.run(reindex, env=listings["environment"], check=False).returncode)


def insert_profiles(connection: Connection, batch: Sequence[Offer]) -> None:
    """The owners of these listings."""
    owners = [next(owned) for _, owned in groupby(batch, key=lambda offer: offer.owner.id)]
    insert_new(connection, [profile_row(offer.owner, offer) for offer in owners])


def insert_listings(connection: Connection, batch: Sequence[Offer]) -> None:
    """These listings, published, and the addresses that lead to them."""
    rows = [listing_rows(offer) for offer in batch]
    with connection.transaction():
        insert_new(connection, [row.slug for row in rows])
        insert_new(connection, [row.listing for row in rows])


def insert_new(connection: Connection, rows: Sequence[DeclarativeBase]) -> None:
    """Write the rows of one table that are not there yet, through COPY."""
    table = rows[0].__table__
    (key,) = (column.name for column in table.primary_key)
    records = [values(row) for row in rows]
    name, columns = Identifier(table.name), SQL(", ").join(map(Identifier, records[0]))
    with connection.transaction(), connection.cursor() as cursor:
        there = SQL("SELECT {key} FROM {name} WHERE {key} = ANY(%s)").format(key=Identifier(key), name=name)
        known = {found for (found,) in cursor.execute(there, [[record[key] for record in records]])}
        with cursor.copy(SQL("COPY {} ({}) FROM STDIN").format(name, columns)) as copy:
            for record in records:
                if record[key] not in known:
                    copy.write_row([*record.values()])


def connect(environment: Mapping[str, str], name: str) -> Connection:
    """The database of the service of this name, in capitals."""
    url = environment[f"CAS_{name}_DATABASE_URL"].replace("postgresql+psycopg:", "postgresql:")
    return psycopg.connect(url, autocommit=True)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="how many listings")
    parser.add_argument("--seed", type=int, default=1, help="another number makes other listings")
    return parser.parse_args()


if __name__ == "__main__":
    main()
