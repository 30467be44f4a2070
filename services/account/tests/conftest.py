"""The account service on real servers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from cas_account.domain.profile import Identity
from cas_account.operations.profiles import new_agent_id, welcome
from cas_account.settings import Settings
from cas_kit.db import Database
from cas_kit.testing.plugin import empty_tables

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def settings(make_settings) -> Settings:
    return make_settings(Settings, service="account", database_pool_size=16)


@pytest.fixture(scope="session")
def account_database(settings, migrated_database) -> Database:
    return migrated_database(settings, package="cas_account")


@pytest.fixture
def database(account_database) -> Iterator[Database]:
    yield account_database
    empty_tables(account_database)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def user_id(database) -> UUID:
    """A user who has a profile."""
    new_user = uuid4()
    with database.transaction() as session:
        welcome(
            session,
            identity=Identity(user_id=new_user, email="ada@example.com", display_name="Ada Lovelace"),
            agent_id=new_agent_id(),
            now=NOW,
        )
    return new_user
