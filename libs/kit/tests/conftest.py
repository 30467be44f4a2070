"""A small service that uses every part of the kit, on real servers."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text

from cas_kit.db import NAMING_CONVENTION, Database
from cas_kit.idempotency import idempotency_table
from cas_kit.outbox import outbox_table
from cas_kit.settings import ServiceSettings

metadata = MetaData(naming_convention=NAMING_CONVENTION)
notes = Table(
    "notes", metadata, Column("id", Integer, primary_key=True), Column("text", Text, nullable=False)
)
outbox_messages = outbox_table(metadata)
idempotency_keys = idempotency_table(metadata)


@pytest.fixture(scope="session")
def settings(make_settings):
    return make_settings(ServiceSettings, service="kit", database_pool_size=8)


@pytest.fixture(scope="session")
def kit_database(settings) -> Iterator[Database]:
    database = Database(settings, application_name="kit-tests")
    metadata.create_all(database.engine)
    yield database
    database.dispose()


@pytest.fixture
def database(kit_database) -> Iterator[Database]:
    yield kit_database
    with kit_database.engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())


@pytest.fixture
def tables():
    return metadata.tables
