"""A small service that uses every part of the kit, on real servers."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, func, select, update
from starlette.testclient import TestClient

from cas_kit import rest
from cas_kit.db import NAMING_CONVENTION, Database
from cas_kit.idempotency import idempotency_table
from cas_kit.outbox import Message, Outbox, Relay, outbox_table
from cas_kit.settings import ServiceSettings
from cas_kit.testing.issuer import AUDIENCE, ISSUER
from cas_kit.tokens import TokenVerifier

TOPIC = "note.written"

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


class Recorder:
    """A handler that remembers what it was given and fails while it is told to."""

    def __init__(self):
        self.seen: list[Message] = []
        self.failure: Exception | None = None
        self._lock = threading.Lock()

    def __call__(self, message):
        with self._lock:
            self.seen.append(message)
        if self.failure is not None:
            raise self.failure

    @property
    def ids(self):
        return [message.id for message in self.seen]


@pytest.fixture
def outbox(tables):
    return Outbox(tables["outbox_messages"])


@pytest.fixture
def handler():
    return Recorder()


@pytest.fixture
def make_relay(database, outbox):
    """A relay that gives messages to this handler."""

    def make(handler, *, database=database, topic=TOPIC):
        return Relay(database, outbox.table, {topic: handler})

    return make


@pytest.fixture
def relay(make_relay, handler):
    return make_relay(handler)


@pytest.fixture
def add(database, outbox):
    def add_one(**values):
        with database.transaction() as session:
            return outbox.add(session, topic=TOPIC, payload={"n": 1}, **values)

    return add_one


@pytest.fixture
def row(database, outbox):
    def read(message_id):
        with database.autocommit() as connection:
            statement = select(outbox.table).where(outbox.table.c.id == message_id)
            return connection.execute(statement).one_or_none()

    return read


@pytest.fixture
def make_due(database, outbox):
    """Turn the clock forward for all messages: leases and back-offs are over."""

    def change():
        with database.autocommit() as connection:
            connection.execute(update(outbox.table).values(next_attempt_at=func.now()))

    return change


@pytest.fixture
def one_connection(settings):
    """A database that is away for everybody else while its only connection is taken."""
    database = Database(
        settings.model_copy(update={"database_pool_size": 1}), application_name="kit-tests-small"
    )
    yield database
    database.dispose()


@pytest.fixture
def run_in_background():
    """Run relays in threads, and stop them at the end."""
    stop = threading.Event()
    started = []

    def start(relay):
        thread = threading.Thread(target=relay.run, args=(stop,))
        thread.start()
        started.append((relay, thread))

    yield start
    stop.set()
    for relay, thread in started:
        relay.wake()
        thread.join(10)
        assert not thread.is_alive()
