"""A message is delivered if and only if its change committed, and nothing short of its delivery ends it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, update
from structlog.testing import capture_logs

from cas_kit import outbox as outbox_module
from cas_kit import telemetry
from cas_kit.db import Database
from cas_kit.errors import Unavailable
from cas_kit.outbox import MAX_ATTEMPTS, Message, Outbox, Relay, Undeliverable, backoff
from cas_kit.testing import until

TOPIC = "note.written"
LATER = timedelta(hours=1)


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
def relay(database, outbox, handler):
    return Relay(database, outbox.table, {TOPIC: handler})


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


class TestAdd:
    def test_is_delivered_once_its_transaction_commits(self, database, outbox, relay, handler):
        with database.transaction() as session:
            message_id = outbox.add(session, topic=TOPIC, payload={"words": ["ä", None]})
            assert relay.run_once() == 0
        assert relay.run_once() == 1
        assert relay.run_once() == 0
        assert handler.ids == [message_id]
        assert handler.seen[0].payload == {"words": ["ä", None]}
        assert handler.seen[0].attempts == 1

    def test_is_never_delivered_when_the_transaction_fails(self, database, outbox, relay, handler):
        def change_and_fail():
            with database.transaction() as session:
                outbox.add(session, topic=TOPIC, payload={})
                raise RuntimeError

        with pytest.raises(RuntimeError):
            change_and_fail()
        assert relay.run_once() == 0
        assert handler.seen == []

    def test_carries_the_request_id_to_the_handler(self, database, outbox):
        during = []
        relay = Relay(database, outbox.table, {TOPIC: lambda _: during.append(telemetry.request_id.get())})
        token = telemetry.request_id.set("request-1")
        try:
            with database.transaction() as session:
                outbox.add(session, topic=TOPIC, payload={})
        finally:
            telemetry.request_id.reset(token)
        relay.run_once()
        assert during == ["request-1"]
        assert telemetry.request_id.get() == ""

    def test_waiting_is_true_until_delivered(self, database, outbox, relay, add):
        message_id = add()

        def waiting():
            with database.autocommit() as connection:
                return connection.execute(select(outbox.waiting(message_id))).scalar()

        assert waiting() is True
        relay.run_once()
        assert waiting() is False


class TestSeveralRelays:
    def test_run_every_message_exactly_once(self, database, outbox, handler, add, run_in_background):
        expected = {add() for _ in range(60)}
        for _ in range(3):
            run_in_background(Relay(database, outbox.table, {TOPIC: handler}))
        until(lambda: len(handler.seen) >= len(expected))
        assert set(handler.ids) == expected
        assert len(handler.ids) == len(expected)

    def test_run_a_message_that_two_want_at_the_same_moment_once(self, database, outbox, add):
        """While one handler is inside, the other relay must not get the message."""
        entered, leave, runs = threading.Event(), threading.Event(), []

        def slow(message):
            runs.append(message.id)
            entered.set()
            assert leave.wait(10)

        first, second = (Relay(database, outbox.table, {TOPIC: slow}) for _ in range(2))
        message_id = add()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(first.run_once)
            assert entered.wait(10)
            assert second.run_once() == 0
            assert second.deliver(message_id) is False
            leave.set()
            assert running.result(10) == 1
        assert runs == [message_id]

    def test_lease_only_what_they_are_working_on(self, database, outbox, row, add):
        """A slow delivery must not use up the leases of the messages behind it."""
        entered, leave = threading.Event(), threading.Event()

        def slow(message):
            entered.set()
            assert leave.wait(10)

        ids = [add(), add()]
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(Relay(database, outbox.table, {TOPIC: slow}).run_once)
            assert entered.wait(10)
            assert sorted(row(message_id).attempts for message_id in ids) == [0, 1]
            leave.set()
            assert running.result(10) == 2

    def test_miss_nothing_while_transactions_commit_out_of_order(
        self, database, outbox, handler, relay, run_in_background
    ):
        """Ids and times are given early, but become visible late: a reader of 'the last one seen' would miss these."""
        run_in_background(relay)
        late = [database.engine.connect() for _ in range(4)]
        expected = set()
        for connection in late:
            message_id = uuid4()
            expected.add(message_id)
            connection.execute(
                insert(outbox.table).values(
                    id=message_id, topic=TOPIC, payload={}, request_id="", next_attempt_at=func.now()
                )
            )
        with database.transaction() as session:
            early = outbox.add(session, topic=TOPIC, payload={})
        until(lambda: early in handler.ids)
        for connection in reversed(late):
            connection.commit()
            connection.close()
        until(lambda: set(handler.ids) == expected | {early})
        assert len(handler.ids) == len(expected) + 1


class TestCrash:
    def test_in_the_middle_of_a_delivery_repeats_it_after_the_lease(
        self, database, outbox, relay, handler, row, add, make_due
    ):
        class Killed(BaseException):
            """Ends the thread as a crash would: no clean-up code of the relay sees it."""

        def die(message):
            raise Killed

        message_id = add()
        with pytest.raises(Killed):
            Relay(database, outbox.table, {TOPIC: die}).run_once()
        assert relay.run_once() == 0
        assert row(message_id).attempts == 1
        make_due()
        assert relay.run_once() == 1
        assert handler.ids == [message_id]
        assert handler.seen[0].attempts == 2

    def test_between_the_effect_and_its_removal_repeats_it_with_the_same_id(
        self, one_connection, outbox, handler, relay, add, make_due
    ):
        with ExitStack() as held:

            def take_effect_then_lose_the_database(message):
                handler(message)
                held.enter_context(one_connection.autocommit())

            message_id = add()
            failing = Relay(one_connection, outbox.table, {TOPIC: take_effect_then_lose_the_database})
            with pytest.raises(Unavailable):
                failing.run_once()
        make_due()
        relay.run_once()
        assert handler.ids == [message_id, message_id]


class TestFailure:
    @pytest.mark.parametrize("failure", [RuntimeError("private text"), Unavailable(), KeyError("x")])
    def test_is_tried_again_later(self, relay, handler, row, add, make_due, failure):
        message_id = add()
        handler.failure = failure
        assert relay.run_once() == 1
        assert relay.run_once() == 0
        assert row(message_id).last_error == type(failure).__name__
        assert row(message_id).parked_at is None
        handler.failure = None
        make_due()
        assert relay.run_once() == 1
        assert row(message_id) is None

    def test_of_one_message_does_not_stop_the_others(self, relay, handler, database, outbox, add):
        with database.transaction() as session:
            outbox.add(session, topic="unknown", payload={})
        message_id = add()
        assert relay.run_once() == 2
        assert handler.ids == [message_id]

    def test_unknown_topic_waits_for_a_newer_release(self, database, outbox, relay, handler, row, make_due):
        with database.transaction() as session:
            message_id = outbox.add(session, topic="of-the-future", payload={})
        relay.run_once()
        assert row(message_id).parked_at is None
        make_due()
        Relay(database, outbox.table, {"of-the-future": handler}).run_once()
        assert handler.ids == [message_id]

    def test_that_can_never_succeed_is_parked_at_once(self, relay, handler, row, add, make_due):
        message_id = add()
        handler.failure = Undeliverable("gone")
        with capture_logs() as logs:
            relay.run_once()
        parked = row(message_id)
        assert parked.parked_at is not None
        assert parked.last_error == "gone"
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [
            ("outbox_message_parked", "error")
        ]
        make_due()
        assert relay.run_once() == 0

    def test_is_parked_after_the_last_attempt(self, database, outbox, relay, handler, row, add, make_due):
        message_id = add()
        handler.failure = RuntimeError()
        with database.autocommit() as connection:
            connection.execute(update(outbox.table).values(attempts=MAX_ATTEMPTS - 2))
        relay.run_once()
        assert row(message_id).parked_at is None
        make_due()
        relay.run_once()
        assert row(message_id).attempts == MAX_ATTEMPTS
        assert row(message_id).parked_at is not None

    def test_logs_no_payload_and_no_text_of_the_exception(self, database, outbox, relay, handler):
        handler.failure = RuntimeError("ada@example.com")
        with database.transaction() as session:
            outbox.add(session, topic=TOPIC, payload={"email": "ada@example.com"})
        with capture_logs() as logs:
            relay.run_once()
        assert [entry["event"] for entry in logs] == ["outbox_delivery_failed"]
        assert "ada@example.com" not in str(logs)


class TestRetryParked:
    def test_gives_a_new_series_of_tries(self, relay, handler, row, add):
        message_id = add()
        handler.failure = Undeliverable("not yet")
        relay.run_once()
        assert relay.retry_parked() == 1
        assert relay.retry_parked() == 0
        assert row(message_id).attempts == 0
        handler.failure = None
        assert relay.run_once() == 1
        assert row(message_id) is None


class TestDeliver:
    def test_delivers_before_the_relay_may(self, relay, handler, row, add):
        message_id = add(relay_waits=LATER)
        assert relay.run_once() == 0
        assert relay.deliver(message_id) is True
        assert row(message_id) is None
        assert handler.ids == [message_id]

    def test_is_false_when_the_try_fails_and_the_relay_goes_on(self, relay, handler, row, add, make_due):
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

    def test_is_false_while_the_database_is_away(self, settings, outbox, handler):
        away = settings.model_copy(update={"database_url": _nowhere(settings)})
        gone = Database(away, application_name="kit-tests")
        assert Relay(gone, outbox.table, {TOPIC: handler}).deliver(uuid4()) is False
        gone.dispose()

    def test_and_the_background_relay_run_each_message_once(
        self, database, outbox, handler, relay, add, run_in_background
    ):
        run_in_background(relay)
        own = Relay(database, outbox.table, {TOPIC: handler})
        ids = []
        for _ in range(40):
            ids.append(add())
            own.deliver(ids[-1])
        until(lambda: len(handler.seen) >= len(ids))
        assert sorted(handler.ids) == sorted(ids)


class TestRun:
    def test_survives_a_database_outage(self, one_connection, outbox, handler, add, run_in_background):
        """No statement can run for a while; then the message that waited is delivered."""
        relay = Relay(one_connection, outbox.table, {TOPIC: handler})
        message_id = add()
        with capture_logs() as logs, one_connection.autocommit():
            run_in_background(relay)
            until(lambda: {"event": "outbox_database_unavailable", "log_level": "warning"} in logs)
            assert handler.seen == []
        until(lambda: handler.ids == [message_id])

    def test_survives_connections_that_the_server_ended(
        self, database, postgres_server, handler, relay, add, run_in_background
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

    def test_wakes_at_once_when_told(self, database, outbox, handler, add, run_in_background, monkeypatch):
        monkeypatch.setattr(outbox_module, "IDLE_WAIT", 3600)
        relay = Relay(database, outbox.table, {TOPIC: handler})
        run_in_background(relay)
        message_id = add()
        until(lambda: relay.wake() or message_id in handler.ids)

    def test_measures_the_oldest_message_and_the_parked_ones(
        self, database, outbox, handler, relay, add, run_in_background
    ):
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


class TestBackoff:
    def test_doubles_from_half_a_second_to_five_minutes(self):
        for attempts, longest in [(1, 0.5), (2, 1.0), (5, 8.0), (11, 300.0), (60, 300.0)]:
            for _ in range(50):
                assert longest / 2 <= backoff(attempts).total_seconds() <= longest


def _value(gauge):
    return gauge.collect()[0].samples[0].value


def _quietly(action):
    try:
        return action()
    except Unavailable:
        return None


def _nowhere(settings):
    url = settings.database_url.get_secret_value()
    return type(settings.database_url)(url.rpartition("@")[0] + "@127.0.0.1:1/cas")
