"""The relay: tried at once by the sender, in the background for as long as it takes."""

import threading
import time
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from sqlalchemy import func, update
from structlog.testing import capture_logs

from cas_kit import outbox as outbox_module
from cas_kit import telemetry
from cas_kit.db import Database
from cas_kit.errors import DomainError, Kind, Unavailable
from cas_kit.outbox import Relay
from cas_kit.testing import until

TOPIC = "note.written"
SILENT = "somebody.silent"
LATER = timedelta(hours=1)
TIMEOUT = 0.3


class TestDeliver:
    def test_delivers_before_the_relay_may(self, relay, handler, row, add):
        message_id = add(relay_waits=LATER)
        assert relay.run_once() == 0
        assert relay.deliver(message_id) is True
        assert row(message_id) is None
        assert handler.ids == [message_id]

    def test_is_false_when_the_try_fails_and_the_relay_goes_on(self, relay, handler, add, make_due):
        message_id = add(relay_waits=LATER)
        handler.failure = Unavailable()
        assert relay.deliver(message_id) is False
        assert relay.deliver(message_id) is False, "only the first try is the sender's"
        assert len(handler.seen) == 1
        handler.failure = None
        make_due()
        assert relay.run_once() == 1

    def test_is_false_for_a_message_that_is_gone_or_never_was(self, relay, add):
        message_id = add()
        relay.run_once()
        assert relay.deliver(message_id) is False
        assert relay.deliver(uuid4()) is False

    def test_is_false_while_the_database_is_away(self, settings, handler, make_relay):
        away = settings.model_copy(update={"database_url": _nowhere(settings)})
        gone = Database(away, application_name="kit-tests")
        assert make_relay(handler, database=gone).deliver(uuid4()) is False
        gone.dispose()

    def test_and_the_background_relay_run_each_message_once(
        self, handler, relay, add, run_in_background, make_relay
    ):
        run_in_background(relay)
        own = make_relay(handler)
        ids = []
        for _ in range(40):
            ids.append(add())
            own.deliver(ids[-1])
        until(lambda: len(handler.seen) >= len(ids))
        assert sorted(handler.ids) == sorted(ids)


class TestRun:
    def test_survives_a_database_outage(self, one_connection, handler, add, run_in_background, make_relay):
        """No statement can run for a while; then the message that waited is delivered."""
        relay = make_relay(handler, database=one_connection)
        message_id = add()
        with capture_logs() as logs, one_connection.autocommit():
            run_in_background(relay)
            until(lambda: {"event": "outbox_database_unavailable", "log_level": "warning"} in logs)
            assert handler.seen == []
        until(lambda: handler.ids == [message_id])

    def test_survives_connections_that_the_server_ended(
        self, postgres_server, handler, relay, add, run_in_background
    ):
        run_in_background(relay)
        first = add()
        until(lambda: first in handler.ids)
        with postgres_server.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kit-tests'"
            )
        second = until(lambda: _quietly(add))
        until(lambda: second in handler.ids)

    def test_wakes_at_once_when_told(self, handler, add, run_in_background, monkeypatch, make_relay):
        monkeypatch.setattr(outbox_module, "IDLE_WAIT", 3600)
        relay = make_relay(handler)
        run_in_background(relay)
        message_id = add()
        until(lambda: relay.wake() or message_id in handler.ids)

    def test_measures_the_oldest_message_and_the_parked_ones(
        self, database, outbox, relay, add, run_in_background, monkeypatch
    ):
        monkeypatch.setattr(outbox_module, "MEASURE_EVERY", 0.05)
        parked, waiting = add(), add(relay_waits=LATER)
        with database.autocommit() as connection:
            rows = outbox.table
            connection.execute(
                update(rows)
                .where(rows.c.id == parked)
                .values(parked_at=func.now(), created_at=func.now() - timedelta(days=1))
            )
            connection.execute(
                update(rows).where(rows.c.id == waiting).values(created_at=func.now() - timedelta(minutes=5))
            )
        run_in_background(relay)
        until(lambda: _value(telemetry.OUTBOX_PARKED) == 1)
        assert 300 <= _value(telemetry.OUTBOX_AGE) < 400, "a parked message is counted, not aged"
        with database.autocommit() as connection:
            connection.execute(outbox.table.delete())
        until(lambda: _value(telemetry.OUTBOX_AGE) == 0 and _value(telemetry.OUTBOX_PARKED) == 0)


class TestSilence:
    """Somebody who does not answer keeps one topic waiting, and no other."""

    def test_of_one_topic_does_not_delay_the_others(self, database, outbox, handler):
        relay = self._relay(database, outbox, handler)
        with database.transaction() as session:
            for _ in range(20):
                outbox.add(session, topic=SILENT, payload={})
        message_id = add_to(outbox, database, TOPIC)
        assert relay.run_once() == 2, "one of the silent topic, and the one behind all of them"
        assert handler.ids == [message_id]

    def test_takes_a_third_of_the_time_at_most(self, database, outbox, handler):
        relay = self._relay(database, outbox, handler)
        for _ in range(2):
            add_to(outbox, database, SILENT)
        assert relay.run_once() == 1
        begun = time.monotonic()
        until(relay.run_once)
        assert time.monotonic() - begun > 2 * TIMEOUT

    def test_costs_no_tries_of_the_messages_that_wait(self, database, outbox, handler, row):
        relay = self._relay(database, outbox, handler)
        waiting = [add_to(outbox, database, SILENT) for _ in range(3)]
        relay.run_once()
        assert sorted(row(message_id).attempts for message_id in waiting) == [0, 0, 1]

    def test_that_ends_is_noticed(self, database, outbox, handler, run_in_background):
        answers = threading.Event()
        silent = partial(self._keep_silent, unless=answers, then=handler)
        relay = Relay(database, outbox.table, {SILENT: silent})
        expected = {add_to(outbox, database, SILENT) for _ in range(3)}
        relay.run_once()
        answers.set()
        run_in_background(relay)
        until(lambda: set(handler.ids) == expected)

    def _relay(self, database, outbox, handler):
        return Relay(database, outbox.table, {SILENT: self._keep_silent, TOPIC: handler})

    @staticmethod
    def _keep_silent(message, *, unless=None, then=None):
        answers = unless or threading.Event()
        if not answers.wait(TIMEOUT):
            raise Unavailable
        then(message)


def add_to(outbox, database, topic):
    with database.transaction() as session:
        return outbox.add(session, topic=topic, payload={})


def _value(gauge):
    return gauge.collect()[0].samples[0].value


def _quietly(action):
    try:
        return action()
    except Unavailable:
        return None


class Kept(DomainError):
    kind = Kind.CONFLICT
    code = "kept"
    keeps_transaction = True


class TestAtOnce:
    def test_is_delivered_by_the_thread_that_committed_it(self, database, outbox, relay, handler, row):
        with database.transaction() as session:
            message_id = outbox.add(session, topic=TOPIC, payload={}, at_once=True)
            assert handler.seen == []
        assert handler.ids == [message_id]
        assert row(message_id) is None

    def test_is_delivered_too_when_the_transaction_is_kept_in_spite_of_an_error(
        self, database, outbox, relay, handler
    ):
        with pytest.raises(Kept):
            self._add_and_fail(database, outbox, Kept)
        assert len(handler.seen) == 1

    @pytest.mark.parametrize("error", [RuntimeError, Unavailable])
    def test_is_never_delivered_when_the_transaction_fails(self, database, outbox, relay, handler, error):
        with pytest.raises(error):
            self._add_and_fail(database, outbox, error)
        assert (relay.run_once(), handler.seen) == (0, [])

    def _add_and_fail(self, database, outbox, error):
        with database.transaction() as session:
            outbox.add(session, topic=TOPIC, payload={}, at_once=True)
            raise error

    def test_holds_no_connection_meanwhile(self, one_connection, outbox, make_relay):
        """A slow handler must not keep the pool empty."""
        relay = make_relay(lambda _: one_connection.ping(), database=one_connection)
        with one_connection.transaction() as session:
            outbox.add(session, topic=TOPIC, payload={}, at_once=True)
        assert relay.run_once() == 0

    def test_is_left_to_the_relay_when_the_try_fails(self, database, outbox, relay, handler, make_due):
        handler.failure = Unavailable()
        with database.transaction() as session:
            outbox.add(session, topic=TOPIC, payload={}, at_once=True)
        assert len(handler.seen) == 1
        handler.failure = None
        make_due()
        assert relay.run_once() == 1

    def test_waits_for_a_relay_where_there_is_none(self, settings, outbox, make_relay, handler):
        database = Database(settings, application_name="kit-tests-command")
        with database.transaction() as session:
            message_id = outbox.add(session, topic=TOPIC, payload={}, at_once=True)
        assert make_relay(handler, database=database).run_once() == 1
        assert handler.ids == [message_id]
        database.dispose()


def _nowhere(settings):
    url = settings.database_url.get_secret_value()
    return type(settings.database_url)(url.rpartition("@")[0] + "@127.0.0.1:1/cas")
