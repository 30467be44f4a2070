"""No service can read another's tables, whatever its code tries (docs/adr/0005)."""

import psycopg
import pytest

SERVICES = ("auth", "account", "onboarding", "listings")


def tables(stack, schema):
    with stack.postgres.connect("cas") as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        return [name for (name,) in rows]


@pytest.mark.parametrize("service", SERVICES)
def test_a_role_reads_its_own_tables_only(stack, service):
    foreign = [(other, table) for other in SERVICES if other != service for table in tables(stack, other)]
    assert len(foreign) > 4
    with connect_as(stack, service) as connection:
        for table in tables(stack, service):
            connection.execute(f'SELECT count(*) FROM "{table}"')
        for schema, table in foreign:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f'SELECT count(*) FROM "{schema}"."{table}"')


@pytest.mark.parametrize("service", SERVICES)
def test_a_role_creates_nothing_outside_its_schema(stack, service):
    with connect_as(stack, service) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE public.shared (id integer)")


def connect_as(stack, service):
    return psycopg.connect(
        host="127.0.0.1",
        port=stack.ports.postgres,
        dbname="cas",
        user=f"cas_{service}",
        password=stack.credentials.database_passwords[service],
        autocommit=True,
    )
