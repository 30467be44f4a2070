"""Pytest fixtures: real servers on free ports, a migrated schema for each worker, tokens."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import hypothesis
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.orm import Session

from cas_kit import migrations
from cas_kit.db import Database
from cas_kit.settings import Environment, ServiceSettings
from cas_kit.testing.forger import Forger
from cas_kit.testing.issuer import Issuer
from cas_local.postgres import PostgresServer, provision
from cas_local.redis import RedisServer

Settings = TypeVar("Settings", bound=ServiceSettings)
SERVICES = ("auth", "account", "onboarding", "listings", "kit")
PASSWORD = "only-for-tests"  # noqa: S105  of a server that lives as long as the test run, on loopback


def pytest_configure() -> None:
    """Log plainly: the tracebacks of structlog's own configuration show all variables and take seconds."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )


hypothesis.settings.register_profile("thorough", deadline=None)  # `make test-fuzz`


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process, not durable."""
    with PostgresServer(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def database_urls(postgres_server: PostgresServer) -> Mapping[str, str]:
    """The address of each service's schema, with its own role."""
    return provision(postgres_server.url(), dict.fromkeys(SERVICES, PASSWORD))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis server of this test process."""
    with RedisServer(tmp_path_factory.mktemp("redis"), persistent=False) as server:
        yield server


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """Signs access tokens for tests."""
    return Issuer()


@pytest.fixture
def forger(issuer: Issuer) -> Forger:
    """Makes tokens that look like the issuer's: `FORGERIES[name](forger)`."""
    assert isinstance(issuer.private_key, EllipticCurvePrivateKey)  # noqa: S101
    return Forger(issuer.private_key, issuer.jwk, issuer.claims())


@pytest.fixture(scope="session")
def make_settings(
    database_urls: Mapping[str, str], redis_server: RedisServer
) -> Callable[..., ServiceSettings]:
    """Settings of a service on the test servers: `make_settings(Settings, service="account", ...)`."""

    def make(kind: type[Settings], *, service: str, **values: Any) -> Settings:
        return kind(
            **{
                "environment": Environment.TEST,
                "rest_port": 0,
                "grpc_port": 0,
                "database_url": database_urls[service],
                "redis_url": redis_server.url(),
                **values,
            }
        )

    return make


@pytest.fixture(scope="session")
def migrated_database() -> Iterator[Callable[..., Database]]:
    """Make a service's tables: `migrated_database(settings, package="cas_account")`."""
    opened: list[Database] = []

    def migrate(settings: ServiceSettings, *, package: str) -> Database:
        migrations.upgrade(settings.database_url.get_secret_value(), package=package)
        opened.append(Database(settings, application_name=f"{package}-tests"))
        return opened[-1]

    yield migrate
    for database in opened:
        database.dispose()


def rolled_back_session(database: Database) -> Iterator[Session]:
    """A session for operation tests: what it commits is undone at the end."""
    with database.engine.connect() as connection, connection.begin() as transaction:
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            yield session
        transaction.rollback()


def empty_tables(database: Database) -> None:
    """Remove every row of the service's schema, for tests whose work is really committed."""
    with database.engine.begin() as connection:
        names = _tables(connection)
        if names:
            connection.execute(text(f"TRUNCATE {', '.join(names)} CASCADE"))


def schema_survives_down_and_up(url: str, *, package: str) -> None:
    """Prove the migrations: no drift from the models, every downgrade works, and a second upgrade too."""
    migrations.upgrade(url, package=package)
    migrations.check(url, package=package)
    migrations.downgrade(url, package=package, revision="base")
    engine = create_engine(url)
    with engine.connect() as connection:
        left = _tables(connection)
    engine.dispose()
    assert not left, f"downgrade to base leaves {left}"  # noqa: S101
    migrations.upgrade(url, package=package)


def _tables(connection: Connection) -> list[str]:
    rows = connection.execute(
        text(
            "SELECT quote_ident(tablename) FROM pg_tables "
            "WHERE schemaname = current_schema() AND tablename <> 'alembic_version'"
        )
    )
    return list(rows.scalars())
