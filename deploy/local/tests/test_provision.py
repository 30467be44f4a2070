"""Every service sees its own schema and nothing else."""

import psycopg
import pytest

from cas_local.postgres import PostgresServer, libpq_url
from cas_local.provision import CONNECTIONS_PER_SERVICE, provision

PASSWORDS = {"auth": 'it\'s a "secret" / @', "account": "another"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with PostgresServer(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture(scope="module")
def urls(server):
    provision(server.url(), PASSWORDS)
    return provision(server.url(), PASSWORDS)


def connect(url):
    return psycopg.connect(libpq_url(url), autocommit=True)


@pytest.mark.parametrize(("own", "other"), [("auth", "account"), ("account", "auth")])
def test_a_role_uses_its_schema_and_no_other(urls, own, other):
    with connect(urls[own]) as mine, connect(urls[other]) as theirs:
        theirs.execute("CREATE TABLE IF NOT EXISTS secrets (id int)")
        assert mine.execute("SELECT current_schema()").fetchone() == (own,)
        for statement in (
            f"SELECT * FROM {other}.secrets",
            f"INSERT INTO {other}.secrets VALUES (1)",
            f"CREATE TABLE {other}.mine (id int)",
            "CREATE TABLE public.mine (id int)",
            "CREATE SCHEMA mine",
            "CREATE TEMPORARY TABLE mine (id int)",
            f"SET ROLE cas_{other}",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                mine.execute(statement)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_a_role_enters_no_other_database(urls, database):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(urls["auth"].removesuffix("cas") + database)


def test_a_role_has_its_limits(server, urls):
    with connect(urls["auth"]) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("2s",)
        assert connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("10s",)
    with server.connect() as connection:
        roles = "SELECT rolconnlimit, rolsuper FROM pg_roles WHERE rolname = 'cas_auth'"
        assert connection.execute(roles).fetchone() == (CONNECTIONS_PER_SERVICE, False)


def test_repeating_sets_a_new_password_and_keeps_the_data(server):
    before = provision(server.url(), {"notes": "old"}, database="other")
    with connect(before["notes"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    after = provision(server.url(), {"notes": "new"}, database="other")
    with connect(after["notes"]) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(before["notes"])
