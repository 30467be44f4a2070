"""The schema follows the models, both ways."""

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import ProgrammingError

from cas_kit import migrations
from cas_kit.testing.photos import drawn, photo
from cas_kit.testing.plugin import schema_survives_down_and_up
from cas_listings.models import AuditEntry, ListingImage, ListingSlug

from .conftest import PUBLISHABLE

PATH = "/api/listings"
PARTITIONED_BY = {  # docs/adr/0032
    "listing_search": "HASH (id)",
    "listing_slugs": "HASH (slug)",
    "listing_marks": "RANGE (day)",
    "service_listings": "HASH (id)",
    "listing_images": "HASH (listing_id)",
}
UNIQUE_KEYS = """
    SELECT array_agg(attname::text) FROM pg_index
    JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
    WHERE indrelid = CAST(:table AS regclass) AND (indisunique OR indisexclusion) GROUP BY indexrelid
"""


class TestMigrations:
    def test_go_down_and_up_without_drift(self, database, settings):
        schema_survives_down_and_up(settings.database_url.get_secret_value(), package="cas_listings")


class TestKeys:
    def test_are_carried_over_both_ways(self, database, settings, ada):
        url = settings.database_url.get_secret_value()
        draft, public = ada.post(PATH, json={"title": "Draft"}).json(), published(ada)
        ada.post(f"{PATH}/{public['id']}/images", files={"files": photo(image=drawn(30, 20))})
        assert kept(database) == {draft["slug"]: draft["id"], public["slug"]: public["id"]}
        migrations.downgrade(url, package="cas_listings", revision="0005")
        assert kept(database) == {public["slug"]: public["id"]}
        assert ["slug"] in unique_keys(database, "service_listings")
        assert ["id"] in unique_keys(database, "listing_images")
        migrations.upgrade(url, package="cas_listings")
        assert kept(database) == {draft["slug"]: draft["id"], public["slug"]: public["id"]}
        with database.autocommit() as connection:
            assert len(connection.scalars(select(ListingImage.id)).all()) == 1


class TestPartitions:
    """Tables that grow can be divided as they are: the column they would be divided by is in every unique key."""

    @pytest.mark.parametrize(("table", "by"), PARTITIONED_BY.items(), ids=PARTITIONED_BY)
    def test_share_a_column_with_every_unique_key(self, database, table, by):
        keys = unique_keys(database, table)
        assert keys
        assert all(by.partition(" ")[2].strip("()") in key for key in keys)

    @pytest.mark.parametrize(("table", "by"), PARTITIONED_BY.items(), ids=PARTITIONED_BY)
    def test_can_be_made(self, database, table, by):
        with database.transaction() as session:
            session.execute(text(f"CREATE TABLE made (LIKE {table} INCLUDING ALL) PARTITION BY {by}"))
            session.rollback()


def published(person):
    return person.post(PATH, json=PUBLISHABLE | {"status": "published"}).json()


def kept(database):
    with database.autocommit() as connection:
        rows = connection.execute(select(ListingSlug.slug, ListingSlug.listing_id))
        return {slug: str(listing_id) for slug, listing_id in rows}


def unique_keys(database, table):
    with database.autocommit() as connection:
        return list(connection.scalars(text(UNIQUE_KEYS), {"table": table}))


class TestAuditLog:
    @pytest.mark.parametrize(
        "statement", [delete(AuditEntry), update(AuditEntry).values(action="x")], ids=["delete", "update"]
    )
    def test_refuses_to_be_changed(self, database, ada, statement):
        ada.post("/api/listings", json={})
        with pytest.raises(Exception, match="only grows") as raised, database.transaction() as session:
            session.execute(statement)
        assert isinstance(raised.value, ProgrammingError)
