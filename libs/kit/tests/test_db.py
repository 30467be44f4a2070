"""Transactions commit before the answer, and a lost database is a 503."""

import pytest
from sqlalchemy import insert, select, text

from cas_kit.db import Database
from cas_kit.errors import DomainError, Kind, Unavailable


class Refused(DomainError):
    kind = Kind.CONFLICT
    code = "refused"
    sentence = "No."


class RefusedButRecorded(Refused):
    keeps_transaction = True


def texts(database, notes):
    with database.autocommit() as connection:
        return list(connection.execute(select(notes.c.text)).scalars())


class TestTransaction:
    def test_is_committed_when_the_block_ends(self, database, tables):
        with database.transaction() as session:
            session.execute(insert(tables["notes"]).values(text="kept"))
        assert texts(database, tables["notes"]) == ["kept"]

    @pytest.mark.parametrize("error", [Refused(), RuntimeError()])
    def test_is_undone_by_an_error(self, database, tables, error):
        with pytest.raises(type(error)), database.transaction() as session:
            session.execute(insert(tables["notes"]).values(text="undone"))
            raise error
        assert texts(database, tables["notes"]) == []

    def test_is_kept_by_an_error_that_records(self, database, tables):
        with pytest.raises(RefusedButRecorded), database.transaction() as session:
            session.execute(insert(tables["notes"]).values(text="recorded"))
            raise RefusedButRecorded
        assert texts(database, tables["notes"]) == ["recorded"]


class TestUnavailable:
    def test_when_all_connections_stay_busy(self, settings):
        small = Database(settings.model_copy(update={"database_pool_size": 1}), application_name="kit-tests")
        with small.autocommit(), pytest.raises(Unavailable), small.autocommit():
            pass
        small.dispose()

    def test_when_a_statement_takes_too_long(self, database):
        with pytest.raises(Unavailable), database.transaction() as session:
            session.execute(text("SET LOCAL statement_timeout = '10ms'"))
            session.execute(text("SELECT pg_sleep(5)"))
