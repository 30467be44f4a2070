"""A message is delivered if and only if its change committed, and nothing short of its delivery ends it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, update
from structlog.testing import capture_logs

from cas_kit import telemetry
from cas_kit.errors import Unavailable
from cas_kit.outbox import MAX_ATTEMPTS, PATIENT_BACKOFF, Relay, Undeliverable, backoff
from cas_kit.testing import until

TOPIC = "note.written"


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

    def test_carries_the_request_id_to_the_handler(self, database, outbox, make_relay):
        during = []
        relay = make_relay(lambda _: during.append(telemetry.request_id.get()))
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
    def test_run_every_message_exactly_once(self, handler, add, run_in_background, make_relay):
        expected = {add() for _ in range(60)}
        for _ in range(3):
            run_in_background(make_relay(handler))
        until(lambda: len(handler.seen) >= len(expected))
        assert set(handler.ids) == expected
        assert len(handler.ids) == len(expected)

    def test_run_a_message_that_two_want_at_the_same_moment_once(self, add, make_relay):
        """While one handler is inside, the other relay must not get the message."""
        entered, leave, runs = threading.Event(), threading.Event(), []

        def slow(message):
            runs.append(message.id)
            entered.set()
            assert leave.wait(10)

        first, second = (make_relay(slow) for _ in range(2))
        message_id = add()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(first.run_once)
            assert entered.wait(10)
            assert second.run_once() == 0
            assert second.deliver(message_id) is False
            leave.set()
            assert running.result(10) == 1
        assert runs == [message_id]

    def test_lease_only_what_they_are_working_on(self, row, add, make_relay):
        """A slow delivery must not use up the leases of the messages behind it."""
        entered, leave = threading.Event(), threading.Event()

        def slow(message):
            entered.set()
            assert leave.wait(10)

        ids = [add(), add()]
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(make_relay(slow).run_once)
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
        self, relay, handler, row, add, make_due, make_relay
    ):
        class Killed(BaseException):
            """Ends the thread as a crash would: no clean-up code of the relay sees it."""

        def die(message):
            raise Killed

        message_id = add()
        with pytest.raises(Killed):
            make_relay(die).run_once()
        assert relay.run_once() == 0
        assert row(message_id).attempts == 1
        make_due()
        assert relay.run_once() == 1
        assert handler.ids == [message_id]
        assert handler.seen[0].attempts == 2

    def test_between_the_effect_and_its_removal_repeats_it_with_the_same_id(
        self, one_connection, handler, relay, add, make_due, make_relay
    ):
        with ExitStack() as held:

            def take_effect_then_lose_the_database(message):
                handler(message)
                held.enter_context(one_connection.autocommit())

            message_id = add()
            failing = make_relay(take_effect_then_lose_the_database, database=one_connection)
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

    def test_unknown_topic_waits_for_a_newer_release(
        self, database, outbox, relay, handler, row, make_due, make_relay
    ):
        with database.transaction() as session:
            message_id = outbox.add(session, topic="of-the-future", payload={})
        relay.run_once()
        assert row(message_id).parked_at is None
        make_due()
        make_relay(handler, topic="of-the-future").run_once()
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

    def test_of_a_patient_topic_is_never_given_up_while_somebody_is_away(
        self, database, outbox, handler, row, add, make_due
    ):
        relay = Relay(database, outbox.table, {TOPIC: handler}, patient=[TOPIC])
        message_id = add()
        handler.failure = Unavailable()
        with database.autocommit() as connection:
            connection.execute(update(outbox.table).values(attempts=10 * MAX_ATTEMPTS))
        assert relay.run_once() == 1
        waiting = row(message_id)
        assert waiting.parked_at is None
        with database.autocommit() as connection:
            soon = connection.scalar(select(func.now())) + PATIENT_BACKOFF
        assert waiting.next_attempt_at <= soon
        handler.failure = RuntimeError()
        make_due()
        relay.run_once()
        assert row(message_id).parked_at is not None, "a fault is no absence"

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


class TestBackoff:
    def test_doubles_from_half_a_second_to_five_minutes(self):
        for attempts, longest in [(1, 0.5), (2, 1.0), (5, 8.0), (11, 300.0), (60, 300.0)]:
            for _ in range(50):
                assert longest / 2 <= backoff(attempts).total_seconds() <= longest
