"""The database, and for every service a login role which owns one schema and sees no other."""

from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg.sql import SQL, Identifier, Literal

DATABASE = "cas"
# Limits of every service's role. Migrations set longer ones for their own session.
ROLE_SETTINGS = {
    "statement_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}
CONNECTIONS_PER_SERVICE = 25
# What a schema needs beside its tables; a role that owns no more than its schema cannot install it.
EXTENSIONS = {"listings": ("pg_trgm",)}
# Any number will do that nobody else uses: two provisions at once would otherwise collide in the catalogue.
LOCK = 7_210_344


def libpq_url(url: str) -> str:
    """Write a SQLAlchemy address in the form psycopg and the PostgreSQL tools take."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def provision(server_url: str, passwords: Mapping[str, str], *, database: str = DATABASE) -> dict[str, str]:
    """Make the database, roles and schemas where missing, and set what the roles may do. Safe to repeat.

    :param server_url: a superuser's address of any existing database
    :param passwords: of each service's role, by the name of the service
    :return: the SQLAlchemy address of each service's database, by the name of the service
    """
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        _create_database(connection, database)
        for service, password in passwords.items():
            _create_role(connection, _role(service), password=password)
            _set_role_limits(connection, service, database=database)
        with psycopg.connect(libpq_url(_in_database(server_url, database)), autocommit=True) as inside:
            inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            for service in passwords:
                _create_schema(inside, service)
    return {
        service: _in_database(server_url, database, user=_role(service), password=password)
        for service, password in passwords.items()
    }


def _role(service: str) -> str:
    return f"cas_{service}"


def _create_database(connection: psycopg.Connection, database: str) -> None:
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(database)))
    for closed in (database, "postgres", "template1"):
        connection.execute(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(Identifier(closed)))


def _create_role(connection: psycopg.Connection, role: str, *, password: str) -> None:
    """Create the role or set its password; only the password's SCRAM hash travels."""
    hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    statement = SQL("ALTER ROLE {} WITH {} PASSWORD {}" if exists else "CREATE ROLE {} WITH {} PASSWORD {}")
    rights = SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT {}").format(
        Literal(CONNECTIONS_PER_SERVICE)
    )
    connection.execute(statement.format(Identifier(role), rights, Literal(hashed)))


def _set_role_limits(connection: psycopg.Connection, service: str, *, database: str) -> None:
    role = Identifier(_role(service))
    connection.execute(SQL("GRANT CONNECT ON DATABASE {} TO {}").format(Identifier(database), role))
    for name, value in {**ROLE_SETTINGS, "search_path": service}.items():
        connection.execute(SQL("ALTER ROLE {} SET {} = {}").format(role, Identifier(name), Literal(value)))


def _create_schema(connection: psycopg.Connection, service: str) -> None:
    statement = SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}")
    connection.execute(statement.format(Identifier(service), Identifier(_role(service))))
    for extension in EXTENSIONS.get(service, ()):
        installed = SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA {}")
        connection.execute(installed.format(Identifier(extension), Identifier(service)))


def _in_database(url: str, database: str, *, user: str | None = None, password: str | None = None) -> str:
    """Point an address at another database of its server, and at another login where given."""
    parts = urlsplit(url)
    location = parts.netloc
    if user is not None and password is not None:
        location = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit((parts.scheme, location, f"/{database}", parts.query, ""))
