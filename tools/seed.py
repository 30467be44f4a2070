"""Fill the running system with a believable marketplace: `make seed N=1000 SEED=1`.

Safe to repeat: what is there already stays, and the same seed makes the same listings.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, Cursor
from psycopg.sql import SQL, Identifier
from sqlalchemy.orm import DeclarativeBase
from tools.marketplace.album import open_album
from tools.marketplace.drawings import POOL, Drawing
from tools.marketplace.offers import Offer, offers
from tools.marketplace.rows import image_rows, listing_rows, profile_row, values
from tqdm import tqdm

from cas_listings.models import ListingImage
from cas_local.commands import running_service
from cas_local.errors import CannotRun
from cas_local.settings import Settings

BATCH = 2_000
Item = TypeVar("Item")


def main() -> None:
    """Write pictures, profiles and published listings, then let the search index be built anew."""
    chosen = _options()
    settings = Settings.from_environment()
    try:
        account = running_service(settings, "account")
        listings = running_service(settings, "listings")
    except CannotRun as error:
        sys.exit(f"{error} Start it with `make up` first.")
    album = publish_pictures(listings["environment"], POOL, seed=chosen.seed)
    with (
        connect(account["environment"], "ACCOUNT") as profiles,
        connect(listings["environment"], "LISTINGS") as offered,
    ):
        written = offers(chosen.count, seed=chosen.seed)
        with tqdm(total=chosen.count, unit=" listings") as progress:
            for batch in _batches(written, BATCH):
                insert_profiles(profiles, batch)
                insert_listings(offered, batch, album)
                progress.update(len(batch))
    reindex = [*listings["command"], "reindex"]
    sys.exit(subprocess.run(reindex, env=listings["environment"], check=False).returncode)


def publish_pictures(
    environment: Mapping[str, str], drawings: Sequence[Drawing], *, seed: int
) -> Mapping[Drawing, ListingImage]:
    """Put the files that listings share where the listings service of this environment serves them from."""
    with open_album(environment, seed=seed) as album:
        published = album.publish(drawings)
        return dict(tqdm(published, total=len(drawings), unit=" pictures"))


def insert_profiles(connection: Connection, batch: Sequence[Offer]) -> None:
    """The owners of these listings."""
    owners = [next(owned) for _, owned in groupby(batch, key=lambda offer: offer.owner.id)]
    insert_new(connection, [profile_row(offer.owner, offer) for offer in owners])


def insert_listings(
    connection: Connection, batch: Sequence[Offer], album: Mapping[Drawing, ListingImage]
) -> None:
    """These listings, published, the addresses that lead to them, and what they show."""
    rows = [listing_rows(offer) for offer in batch]
    with connection.transaction():
        insert_new(connection, [row.slug for row in rows])
        insert_new(connection, [row.listing for row in rows])
        insert_new(connection, [image for offer in batch for image in image_rows(offer, album)])


def insert_new(connection: Connection, rows: Sequence[DeclarativeBase]) -> None:
    """Write the rows of one table that are not there yet, through COPY."""
    if not rows:
        return
    table = rows[0].__table__
    key = [column.name for column in table.primary_key]
    records = [values(row) for row in rows]
    name, columns = Identifier(table.name), SQL(", ").join(map(Identifier, records[0]))
    with connection.transaction(), connection.cursor() as cursor:
        known = _known(cursor, table.name, key, records)
        with cursor.copy(SQL("COPY {} ({}) FROM STDIN").format(name, columns)) as copy:
            for record in records:
                if tuple(record[each] for each in key) not in known:
                    copy.write_row([*record.values()])


def _known(
    cursor: Cursor, table: str, key: Sequence[str], records: Sequence[Mapping[str, Any]]
) -> set[tuple[Any, ...]]:
    """The keys that are there and begin as these do."""
    there = SQL("SELECT {key} FROM {table} WHERE {begins} = ANY(%s)").format(
        key=SQL(", ").join(map(Identifier, key)), table=Identifier(table), begins=Identifier(key[0])
    )
    return {*cursor.execute(there, [[record[key[0]] for record in records]])}


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
