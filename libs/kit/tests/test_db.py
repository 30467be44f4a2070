"""Transactions commit before the answer, and a lost database is a 503."""

import os
import socket

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from cas_kit.db import Database
from cas_kit.errors import DomainError, Kind, Unavailable
from cas_kit.testing import until


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
        def write_and_fail():
            with database.transaction() as session:
                session.execute(insert(tables["notes"]).values(text="undone"))
                raise error

        with pytest.raises(type(error)):
            write_and_fail()
        assert texts(database, tables["notes"]) == []

    def test_is_kept_by_an_error_that_records(self, database, tables):
        def write_and_refuse():
            with database.transaction() as session:
                session.execute(insert(tables["notes"]).values(text="recorded"))
                raise RefusedButRecorded

        with pytest.raises(RefusedButRecorded):
            write_and_refuse()
        assert texts(database, tables["notes"]) == ["recorded"]


class TestUnavailable:
    def test_when_all_connections_stay_busy(self, settings):
        small = Database(settings.model_copy(update={"database_pool_size": 1}), application_name="kit-tests")
        with small.autocommit(), pytest.raises(Unavailable), small.autocommit():
            pass
        small.dispose()

    def test_soon_after_the_host_vanished(self, database):
        """Packets that nobody acknowledges: only the kernel can tell, and only when it was asked to."""
        with (
            database.autocommit() as connection,
            socket.socket(fileno=os.dup(connection.connection.fileno())) as ours,
        ):
            limits = {
                name: ours.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
                for name in ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
            }
        assert limits == {
            "TCP_USER_TIMEOUT": 3000,
            "TCP_KEEPIDLE": 5,
            "TCP_KEEPINTVL": 2,
            "TCP_KEEPCNT": 2,
        }

    def test_when_a_statement_takes_too_long(self, database):
        def wait_in_vain():
            with database.transaction() as session:
                session.execute(text("SET LOCAL statement_timeout = '10ms'"))
                session.execute(text("SELECT pg_sleep(5)"))

        with pytest.raises(Unavailable):
            wait_in_vain()

    def test_when_the_server_ended_a_transaction_that_idled(self, database, postgres_server):
        def idle():
            with database.transaction() as session:
                session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10ms'"))
                pid = session.scalar(text("SELECT pg_backend_pid()"))
                with postgres_server.connect() as connection:
                    alive = "SELECT FROM pg_stat_activity WHERE pid = %s"
                    until(lambda: connection.execute(alive, [pid]).fetchone() is None)
                session.execute(text("SELECT 1"))

        with pytest.raises(Unavailable):
            idle()


class TestErrors:
    def test_do_not_name_the_values_of_a_statement(self, database, tables):
        """They are logged with their traceback, and the values are personal data."""

        def write_twice():
            with database.transaction() as session:
                for _ in range(2):
                    session.execute(insert(tables["notes"]).values(id=1, text="ada@example.com"))

        with pytest.raises(IntegrityError) as error:
            write_twice()
        assert "ada@example.com" not in str(error.value)

    def test_after_a_restart_of_the_server_end_with_the_first_request(self, settings, postgres_server):
        database = Database(settings, application_name="kit-tests-restart")
        database.ping()
        ours = "FROM pg_stat_activity WHERE application_name = 'kit-tests-restart'"
        with postgres_server.connect() as connection:
            connection.execute(f"SELECT pg_terminate_backend(pid) {ours}")
            until(lambda: connection.execute(f"SELECT pid {ours}").fetchone() is None)
        with pytest.raises(Unavailable):
            database.ping()
        database.ping()
        database.dispose()
