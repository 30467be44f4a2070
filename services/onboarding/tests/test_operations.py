"""What the service does, on a real database."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy import text

from cas_kit.errors import ValidationFailed, VersionMismatch
from cas_kit.outbox import Message
from cas_kit.testing import until
from cas_onboarding import operations
from cas_onboarding.domain.completion import CompletedOnboarding, ProfessionalInfo
from cas_onboarding.domain.progress import Save, StepDataTooLarge
from cas_onboarding.domain.roles import Role
from cas_onboarding.operations import APPLY_ONBOARDING, EarlierCompletionWaits, NoProgress
from cas_onboarding.repository import Effects

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def any_version(current):
    """No `If-Match`."""


def save(database_session, user_id, step=2, data=None, *, role=Role.TUTOR, check_version=any_version, **rest):
    return operations.save_progress(
        database_session,
        user_id=user_id,
        role=role,
        save=Save(step=step, data=data or {}, **rest),
        check_version=check_version,
        now=NOW,
    )


def stored(session, user_id, role=Role.TUTOR):
    return operations.get_progress(session, user_id=user_id, role=role)


def messages(session):
    return session.execute(text("SELECT * FROM outbox_messages ORDER BY created_at")).all()


def audit(session):
    return session.execute(text("SELECT * FROM audit_log ORDER BY created_at")).all()


class Account:
    """Remembers what it was asked to apply."""

    def __init__(self):
        self.applied = {}

    def apply_onboarding(self, completion_id, completed):
        self.applied[completion_id] = completed


class TestSaveProgress:
    def test_stores_the_first_save(self, session, user_id):
        saved = save(session, user_id, 3, {"subjects": ["maths"]}, session="tab", revision=4)
        assert saved.applied
        assert saved.stored == stored(session, user_id)
        assert saved.stored.version == 1
        assert saved.stored.effects is None
        assert saved.stored.completion_id is None
        assert saved.stored.progress.step_data == {"subjects": ["maths"]}
        assert saved.stored.progress.client_revision == 4

    def test_replaces_the_answers_and_counts_the_version(self, session, user_id):
        first = save(session, user_id, 3, {"a": 1}).stored
        second = save(session, user_id, 1, {"b": [{"c": None}]}).stored
        assert (second.id, second.version) == (first.id, 2)
        assert second.progress.step_data == {"b": [{"c": None}]}
        assert (second.progress.current_step, second.progress.furthest_step) == (1, 3)
        assert second.updated_at > first.updated_at

    def test_of_the_same_again_changes_nothing(self, session, user_id):
        first = save(session, user_id, 3, {"a": 1})
        assert save(session, user_id, 3, {"a": 1}) == first

    def test_tells_numbers_from_yes_and_no(self, session, user_id):
        save(session, user_id, 3, {"a": True})
        assert save(session, user_id, 3, {"a": 1}).stored.version == 2
        assert stored(session, user_id).progress.step_data["a"] is not True

    def test_of_a_late_revision_answers_what_is_stored(self, session, user_id):
        newer = save(session, user_id, 4, {"a": 2}, revision=2).stored
        late = save(session, user_id, 3, {"a": 1}, revision=1)
        assert (late.applied, late.stored) == (False, newer)

    def test_remembers_the_sessions_that_were_taken_over(self, session, user_id):
        for tab in ("one", "two", "three"):
            save(session, user_id, session=tab, revision=0)
        assert stored(session, user_id).progress.past_sessions == ("one", "two")

    def test_of_one_role_leaves_the_others_alone(self, session, user_id):
        tutor = save(session, user_id, 3, {"a": 1}).stored
        save(session, user_id, 2, {"b": 2}, role=Role.CLIENT)
        assert stored(session, user_id) == tutor

    def test_of_one_user_leaves_the_others_alone(self, session, user_id):
        save(session, user_id, 3, {"a": 1})
        save(session, uuid4(), 2, {"b": 2})
        assert stored(session, user_id).progress.step_data == {"a": 1}

    def test_checks_the_version_it_would_replace(self, session, user_id):
        seen = []
        save(session, user_id, data={"a": 1}, check_version=seen.append)
        save(session, user_id, data={"a": 2}, check_version=seen.append)
        assert seen == [None, 1]

    def test_writes_nothing_over_another_version(self, session, user_id):
        def refuse(current):
            raise VersionMismatch(current)

        before = save(session, user_id, data={"a": 1}).stored
        with pytest.raises(VersionMismatch):
            save(session, user_id, data={"a": 2}, check_version=refuse)
        assert stored(session, user_id) == before

    def test_refuses_answers_that_are_too_large(self, session, user_id):
        with pytest.raises(StepDataTooLarge):
            save(session, user_id, data={"a": "x" * 70_000})


class TestCompletion:
    def test_is_stored_with_its_effects_and_its_audit_entry(self, session, user_id):
        completed = save(session, user_id, 5, {"subjects": ["maths"]}, is_complete=True).stored
        assert completed.progress.is_complete
        assert completed.effects is Effects.PENDING
        [message] = messages(session)
        assert (message.id, message.topic) == (completed.completion_id, APPLY_ONBOARDING)
        assert msgspec.convert(message.payload, CompletedOnboarding) == CompletedOnboarding(
            user_id=user_id,
            role=Role.TUTOR,
            completed_at=NOW,
            professional_info=ProfessionalInfo(subjects=("Mathematics",)),
        )
        [entry] = audit(session)
        assert (entry.action, entry.actor_id, entry.acting_role) == ("onboarding_completed", user_id, "tutor")
        assert entry.thing == f"completion/{message.id}"

    def test_keeps_the_moment(self, session, user_id):
        save(session, user_id, 5, is_complete=True)
        assert session.execute(text("SELECT completed_at FROM onboarding_progress")).scalar_one() == NOW

    def test_survives_its_way_through_the_outbox(self, session, user_id):
        data = {
            "qualifications": {"bio": "I teach."},
            "availability": {"hourlyRate": "100.50", "availability": ["weekday_morning"]},
        }
        save(session, user_id, 5, data, is_complete=True)
        completed = msgspec.convert(messages(session)[0].payload, CompletedOnboarding)
        assert completed.professional_info == ProfessionalInfo(
            bio="I teach.", hourly_rate=Decimal("100.50"), availability=("weekday_morning",)
        )

    def test_of_wrong_types_stores_nothing_as_complete(self, session, user_id):
        save(session, user_id, 4, {"a": 1})
        with pytest.raises(ValidationFailed, match=r"data\.subjects: must be a list"):
            save(session, user_id, 5, {"subjects": "maths"}, is_complete=True)
        assert not stored(session, user_id).progress.is_complete
        assert messages(session) == []

    @pytest.mark.parametrize("is_complete", [False, True])
    def test_is_final_and_has_one_effect(self, session, user_id, is_complete):
        completed = save(session, user_id, 5, is_complete=True).stored
        again = save(session, user_id, 5, {"subjects": 5}, is_complete=is_complete, session="late")
        assert (again.applied, again.stored) == (False, completed)
        assert len(messages(session)) == 1

    def test_repeated_counts_as_applied(self, session, user_id):
        first = save(session, user_id, 5, {"a": 1}, is_complete=True)
        assert save(session, user_id, 5, {"a": 1}, is_complete=True) == first

    def test_is_applied_once_the_message_has_left(self, session, user_id):
        save(session, user_id, 5, is_complete=True)
        session.execute(text("DELETE FROM outbox_messages"))
        assert stored(session, user_id).effects is Effects.APPLIED


class TestReading:
    def test_of_nothing_is_an_error(self, session, user_id):
        with pytest.raises(NoProgress) as missing:
            stored(session, user_id, Role.AGENT)
        assert missing.value.detail == "No onboarding progress found for role: agent"

    def test_of_all_roles_keeps_the_order_they_were_begun_in(self, database, user_id):
        for role in (Role.CLIENT, Role.AGENT, Role.TUTOR):
            with database.transaction() as session:
                save(session, user_id, role=role)
        with database.autocommit() as connection:
            found = operations.list_progress(connection, user_id=user_id)
            of_nobody = operations.list_progress(connection, user_id=uuid4())
        assert [one.role for one in found] == [Role.CLIENT, Role.AGENT, Role.TUTOR]
        assert of_nobody == []


class TestDeleteProgress:
    def test_forgets_one_role(self, session, user_id):
        save(session, user_id)
        save(session, user_id, role=Role.CLIENT)
        operations.delete_progress(session, user_id=user_id, role=Role.TUTOR, check_version=any_version)
        assert [one.role for one in operations.list_progress(session, user_id=user_id)] == [Role.CLIENT]

    def test_of_nothing_is_quiet(self, session, user_id):
        seen = []
        operations.delete_progress(session, user_id=user_id, role=Role.TUTOR, check_version=seen.append)
        assert seen == [None]

    def test_does_not_lose_a_completion_on_its_way(self, session, user_id):
        completion_id = save(session, user_id, 5, is_complete=True).stored.completion_id
        operations.delete_progress(session, user_id=user_id, role=Role.TUTOR, check_version=any_version)
        assert [message.id for message in messages(session)] == [completion_id]

    def test_lets_the_wizard_run_again(self, session, user_id):
        first = save(session, user_id, 5, is_complete=True).stored
        operations.delete_progress(session, user_id=user_id, role=Role.TUTOR, check_version=any_version)
        second = save(session, user_id, 5, is_complete=True).stored
        assert second.completion_id != first.completion_id
        assert len(messages(session)) == 2


class TestDelivery:
    @pytest.fixture
    def run(self, database, user_id):
        """Complete the wizard in a transaction of its own; returns the message."""

        def complete(data=None, role=Role.TUTOR):
            with database.transaction() as session:
                operations.delete_progress(session, user_id=user_id, role=role, check_version=any_version)
                completion_id = save(
                    session, user_id, 5, data, role=role, is_complete=True
                ).stored.completion_id
            with database.autocommit() as connection:
                [row] = [row for row in messages(connection) if row.id == completion_id]
            return Message(row.id, row.topic, row.payload, row.request_id, row.attempts, row.created_at)

        return complete

    def test_hands_on_the_completion_under_its_own_id(self, database, user_id, run):
        account, message = Account(), run({"subjects": ["maths"]})
        operations.deliver_completion(database, account, message)
        assert account.applied[message.id].user_id == user_id
        assert account.applied[message.id].professional_info.subjects == ("Mathematics",)

    def test_waits_for_an_earlier_completion_of_the_same_role(self, database, run):
        account, earlier, later = Account(), run({"subjects": ["maths"]}), run({"subjects": ["art"]})
        with pytest.raises(EarlierCompletionWaits):
            operations.deliver_completion(database, account, later)
        operations.deliver_completion(database, account, earlier)
        assert list(account.applied) == [earlier.id]

    def test_does_not_wait_for_another_role(self, database, run):
        account, other, message = Account(), run(role=Role.CLIENT), run()
        operations.deliver_completion(database, account, message)
        assert list(account.applied) == [message.id]
        assert other.id != message.id

    def test_does_not_wait_for_a_parked_one(self, database, run):
        account, parked, message = Account(), run(), run()
        with database.transaction() as session:
            session.execute(
                text("UPDATE outbox_messages SET parked_at = now() WHERE id = :id"), {"id": parked.id}
            )
        operations.deliver_completion(database, account, message)
        assert list(account.applied) == [message.id]


class TestPurge:
    @pytest.fixture
    def age(self, session):
        """Make every row look as if nobody had touched it for so long."""

        def let_pass(time):
            session.execute(text("ALTER TABLE onboarding_progress DISABLE TRIGGER renew_updated_at"))
            session.execute(text("UPDATE onboarding_progress SET updated_at = :then"), {"then": NOW - time})
            session.execute(text("ALTER TABLE onboarding_progress ENABLE TRIGGER renew_updated_at"))

        return let_pass

    def purge(self, session):
        return operations.purge_abandoned(session, untouched_since=NOW - timedelta(days=30))

    def test_removes_what_nobody_came_back_to(self, session, user_id, age):
        progress_id = save(session, user_id).stored.id
        age(timedelta(days=31))
        assert self.purge(session) == 1
        assert operations.list_progress(session, user_id=user_id) == []
        [entry] = audit(session)
        assert (entry.action, entry.actor_id) == ("abandoned_progress_purged", None)
        assert (entry.thing, entry.acting_role) == (f"onboarding_progress/{progress_id}", "tutor")

    def test_keeps_what_was_touched_in_time(self, session, user_id, age):
        save(session, user_id)
        age(timedelta(days=29))
        assert self.purge(session) == 0
        assert stored(session, user_id)
        assert audit(session) == []

    def test_keeps_what_is_complete(self, session, user_id, age):
        save(session, user_id, 5, is_complete=True)
        age(timedelta(days=31))
        assert self.purge(session) == 0
        assert stored(session, user_id)

    def test_works_in_batches(self, session, age, monkeypatch):
        monkeypatch.setattr(operations, "PURGE_BATCH", 2)
        for _ in range(3):
            save(session, uuid4())
        age(timedelta(days=31))
        assert [self.purge(session), self.purge(session), self.purge(session)] == [2, 1, 0]


class TestParallelSaves:
    def save_all(self, database, user_id, saves):
        """Send each save from a thread of its own, all at once."""
        together = threading.Barrier(len(saves))

        def send(one):
            together.wait(10)
            with database.transaction() as session:
                return operations.save_progress(
                    session,
                    user_id=user_id,
                    role=Role.TUTOR,
                    save=one,
                    check_version=any_version,
                    now=NOW,
                )

        with ThreadPoolExecutor(len(saves)) as threads:
            return list(threads.map(send, saves))

    def read(self, database, user_id):
        with database.autocommit() as connection:
            return stored(connection, user_id)

    @pytest.mark.parametrize("seed", range(5))
    def test_end_with_the_newest_whatever_the_order(self, database, user_id, seed):
        saves = [
            Save(step=1 + number % 5, data={"number": number}, session="tab", revision=number)
            for number in range(8)
        ]
        Random(seed).shuffle(saves)
        outcomes = self.save_all(database, user_id, saves)
        final = self.read(database, user_id)
        assert final.progress.step_data == {"number": 7}
        assert final.version == sum(outcome.applied for outcome in outcomes)

    def test_of_one_repeated_request_leave_one_row(self, database, user_id):
        same = Save(step=2, data={"a": 1}, session="tab", revision=1)
        outcomes = self.save_all(database, user_id, [same] * 8)
        assert all(outcome.applied for outcome in outcomes)
        assert self.read(database, user_id).version == 1

    def test_of_completions_have_one_effect(self, database, user_id):
        self.save_all(
            database,
            user_id,
            [Save(step=5, data={"n": n}, is_complete=True, session=f"{n}") for n in range(8)],
        )
        with database.autocommit() as connection:
            assert len(messages(connection)) == 1
        assert self.read(database, user_id).progress.is_complete

    def test_of_a_row_not_there_yet_wait_for_the_first(self, database, user_id):
        late = Save(step=1, data={"late": True}, session="tab", revision=1)
        with ThreadPoolExecutor(1) as threads:
            with database.transaction() as first:
                save(first, user_id, 2, {"first": True}, session="tab", revision=2)
                outcome = threads.submit(self.save_all, database, user_id, [late])
                until(lambda: self.somebody_waits(database))
            assert [one.applied for one in outcome.result(10)] == [False]
        assert self.read(database, user_id).progress.step_data == {"first": True}

    def somebody_waits(self, database):
        with database.autocommit() as connection:
            return connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE wait_event_type = 'Lock' AND usename = current_user"
                )
            ).scalar()
