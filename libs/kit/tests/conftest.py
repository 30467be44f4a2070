"""A small service that uses every part of the kit, on real servers."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text
from starlette.testclient import TestClient

from cas_kit import rest
from cas_kit.db import NAMING_CONVENTION, Database
from cas_kit.idempotency import idempotency_table
from cas_kit.outbox import outbox_table
from cas_kit.settings import ServiceSettings
from cas_kit.testing.issuer import AUDIENCE, ISSUER
from cas_kit.tokens import TokenVerifier

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


@pytest.fixture
def make_app(database, issuer):
    """An application of the house with these routers on it."""

    def make(*routers, **options):
        verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=issuer)
        return rest.create_app(
            title="Notes",
            version="1",
            routers=routers,
            dependencies=rest.Dependencies(database=options.pop("database", database), verifier=verifier),
            readiness=options.pop("readiness", rest.Readiness()),
            **options,
        )

    return make


@pytest.fixture
def make_client(make_app):
    """A client of such an application; what crashes there is answered, not raised here."""

    def make(*routers, **options):
        return TestClient(make_app(*routers, **options), raise_server_exceptions=False)

    return make
