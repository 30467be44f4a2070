"""Searches that read a copy of the database, while everything is written to the original."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from services.listings.tests.conftest import PUBLISHABLE
from sqlalchemy import text

from cas_kit.db import Database
from cas_kit.testing import until
from cas_local.postgres import PostgresServer

SEARCH, SUGGEST, SENTENCE = "/api/listings/search", "/api/listings/suggest", "/api/ai/parse-query"


@pytest.fixture
def standby(postgres_server, listings_database, tmp_path) -> Iterator[PostgresServer]:
    """A copy that follows the server of this test process."""
    with PostgresServer(tmp_path / "standby", durable=False, standby_of=postgres_server) as server:
        yield server


@pytest.fixture
def search_url(settings, standby, postgres_server) -> str:
    """The copy as long as it is there, then the original."""
    written = urlsplit(settings.database_url.get_secret_value())
    hosts = "&".join(f"host={written.hostname}:{each.port}" for each in (standby, postgres_server))
    login = written.netloc.rpartition("@")[0]
    return f"{written.scheme}://{login}@{written.path}?{hosts}&target_session_attrs=prefer-standby"


@pytest.fixture
def searches(app, settings, search_url) -> Iterator[Database]:
    """The application's searches read here."""
    searches = Database(settings, application_name="searches", url=SecretStr(search_url))
    app.state.dependencies = replace(app.state.dependencies, searches=searches)
    yield searches
    searches.dispose()


def publish(ada, title: str) -> None:
    answer = ada.post("/api/listings", json={**PUBLISHABLE, "title": title, "status": "published"})
    assert answer.status_code == 201, answer.text


def titles(client) -> list[str]:
    answer = client.get(SEARCH)
    return [listing["title"] for listing in answer.json().get("listings", ())]


def test_searches_read_the_copy_as_far_as_it_has_followed(ada, client, searches, standby):
    publish(ada, "Published before")
    until(lambda: titles(client) == ["Published before"])
    with standby.connect() as copy:
        copy.execute("SELECT pg_wal_replay_pause()")
        publish(ada, "Published meanwhile")
        assert titles(client) == ["Published before"]
        assert client.get(SUGGEST, params={"q": "meanw"}).json() == {"suggestions": []}
        assert client.post(SENTENCE, json={"query": "maths in Leeds"}).status_code == 200
        copy.execute("SELECT pg_wal_replay_resume()")
    until(lambda: titles(client) == ["Published meanwhile", "Published before"])


def test_searches_go_to_the_original_when_the_copy_is_away(ada, client, searches, standby):
    publish(ada, "Published before")
    until(lambda: titles(client) == ["Published before"])
    with searches.autocommit() as connection:
        assert connection.scalar(text("SELECT pg_is_in_recovery()"))
    standby.stop()
    until(lambda: titles(client) == ["Published before"])
    with searches.autocommit() as connection:
        assert not connection.scalar(text("SELECT pg_is_in_recovery()"))
