"""A completion takes effect exactly once, whatever breaks on the way (docs/spec/domain.md 5.5)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID, uuid4

import grpc
import pytest
from sqlalchemy import func, text, update

from cas_kit import outbox
from cas_kit.errors import Unavailable
from cas_kit.idempotency import WORKS_ON, keep_answer
from cas_kit.testing import until
from cas_onboarding import operations, rest
from cas_onboarding.domain.progress import Save
from cas_onboarding.domain.roles import Role
from cas_onboarding.main import build, purge
from cas_onboarding.models import idempotency_keys

SAVE = "/api/onboarding/save-progress"
TUTOR = "/api/onboarding/progress/tutor"
COMPLETE = {
    "step": 5,
    "role_type": "provider",
    "is_complete": True,
    "data": {"subjects": ["maths"], "qualifications": {"bio": "I teach.", "experience": "expert"}},
}


@pytest.fixture
def relay(service):
    return service.relay


@pytest.fixture
def short_backoff(monkeypatch):
    """Try again at once."""
    monkeypatch.setattr(outbox, "backoff", lambda attempts: outbox.FIRST_BACKOFF * 0)


def waiting(database):
    with database.autocommit() as connection:
        return connection.execute(text("SELECT * FROM outbox_messages")).all()


def deliver_all(relay, database):
    """Run the relay until nothing waits any more."""
    until(lambda: relay.run_once() >= 0 and not waiting(database))


def complete(database, user_id):
    """Complete a wizard as a process does that dies right after the commit; returns the completion's id."""
    with database.transaction() as session:
        saved = operations.save_progress(
            session,
            user_id=user_id,
            role=Role.TUTOR,
            save=Save(step=5, data={}, is_complete=True),
            check_version=lambda current: None,
            now=datetime.now(UTC),
        )
    return saved.stored.completion_id


def end_leases(database):
    """Let the time pass for which a dead process holds its messages."""
    with database.transaction() as session:
        session.execute(text("UPDATE outbox_messages SET next_attempt_at = now()"))


class TestWhenAllIsWell:
    def test_it_has_taken_effect_before_the_answer(self, client, account, user_id, database):
        response = client.post(SAVE, json=COMPLETE)
        answer = response.json()
        assert (response.status_code, answer["effects"], answer["applied"]) == (200, "applied", True)
        assert (answer["is_complete"], answer["message"]) == (True, "Onboarding completed.")
        [request] = account.applied.values()
        assert (UUID(request.user_id), request.role) == (user_id, "tutor")
        assert list(request.professional_info.subjects.values) == ["Mathematics"]
        assert request.professional_info.teaching_experience == "5-10 years"
        assert request.profile_bio == "I teach."
        assert waiting(database) == []

    def test_reading_says_so_too(self, client):
        saved = client.post(SAVE, json=COMPLETE)
        found = client.get(TUTOR)
        assert found.json() == {**saved.json(), "message": "Progress found."}
        assert found.headers["ETag"] == saved.headers["ETag"] == '"1"'

    def test_missing_answers_are_named_and_block_nothing(self, client):
        assert client.post(SAVE, json=COMPLETE).json()["missing"] == [
            "qualifications.education",
            "qualifications.bio",
            "availability.hourlyRate",
            "availability.availability",
            "availability.sessionTypes",
        ]

    def test_nothing_answered_still_adds_the_role(self, client, account):
        answer = client.post(SAVE, json={"step": 4, "role_type": "seeker", "is_complete": True}).json()
        [request] = account.applied.values()
        assert (answer["effects"], request.role) == ("applied", "client")
        assert not request.HasField("professional_info")

    def test_the_answer_can_be_repeated_byte_for_byte(self, client, account):
        headers = {"Idempotency-Key": "k1"}
        first = client.post(SAVE, json=COMPLETE, headers=headers)
        again = client.post(SAVE, json=COMPLETE, headers=headers)
        assert first.json()["effects"] == "applied"
        assert again.content == first.content
        assert again.headers["ETag"] == first.headers["ETag"]
        assert len(account.received) == 1

    def test_without_a_key_it_still_happens_once(self, client, account):
        first = client.post(SAVE, json=COMPLETE).json()
        assert client.post(SAVE, json=COMPLETE).json() == first
        assert len(account.received) == 1

    def test_a_late_auto_save_does_not_undo_it(self, client):
        client.post(SAVE, json=COMPLETE)
        late = client.post(SAVE, json={"step": 2, "role_type": "tutor", "data": {}, "client_revision": 99})
        assert late.status_code == 200
        assert (late.json()["is_complete"], late.json()["applied"]) == (True, False)

    def test_wrong_types_are_refused_and_nothing_is_complete(self, client, account, database):
        response = client.post(SAVE, json={**COMPLETE, "data": {"subjects": ["maths", 5], "availability": 3}})
        assert response.status_code == 422
        assert [error["field"] for error in response.json()["errors"]] == [
            "data.subjects.1",
            "data.availability",
        ]
        assert client.get(TUTOR).status_code == 404
        assert (account.received, waiting(database)) == ([], [])

    def test_roles_are_completed_independently(self, client, account):
        client.post(SAVE, json=COMPLETE)
        tutor = client.get(TUTOR).json()
        client.post(SAVE, json={"step": 4, "role_type": "client", "is_complete": True})
        assert client.get(TUTOR).json() == tutor
        assert [request.role for request in account.received] == ["tutor", "client"]


class TestWhenAccountIsDown:
    def test_the_answer_is_pending_and_it_is_delivered_later_once(
        self, client, account, relay, database, short_backoff
    ):
        account.stop()
        answer = client.post(SAVE, json=COMPLETE)
        assert (answer.status_code, answer.json()["applied"]) == (200, True)
        assert (answer.json()["is_complete"], answer.json()["effects"]) == (True, "pending")
        assert client.get(TUTOR).json()["effects"] == "pending"
        account.start()
        deliver_all(relay, database)
        assert client.get(TUTOR).json()["effects"] == "applied"
        assert len(account.received) == len(account.applied) == 1

    def test_a_pending_answer_has_no_tag_because_it_will_change(self, client, account):
        account.stop()
        saved = client.post(SAVE, json=COMPLETE)
        found = client.get(TUTOR, headers={"If-None-Match": f'"{saved.json()["version"]}"'})
        assert found.status_code == 200
        assert "ETag" not in saved.headers
        assert "ETag" not in found.headers

    def test_the_pending_answer_is_repeated_as_it_was(self, client, account, relay, database, short_backoff):
        account.stop()
        headers = {"Idempotency-Key": "k1"}
        first = client.post(SAVE, json=COMPLETE, headers=headers)
        account.start()
        deliver_all(relay, database)
        assert client.post(SAVE, json=COMPLETE, headers=headers).content == first.content

    def test_deleting_the_progress_does_not_lose_it(self, client, account, relay, database, short_backoff):
        account.stop()
        client.post(SAVE, json=COMPLETE)
        assert client.delete(TUTOR).status_code == 200
        account.start()
        deliver_all(relay, database)
        [request] = account.applied.values()
        assert list(request.professional_info.subjects.values) == ["Mathematics"]

    def test_two_runs_arrive_in_order(self, client, account, relay, database, short_backoff):
        account.stop()
        client.post(SAVE, json=COMPLETE)
        client.delete(TUTOR)
        client.post(SAVE, json={**COMPLETE, "data": {"subjects": ["art"]}})
        account.start()
        deliver_all(relay, database)
        arrived = [list(request.professional_info.subjects.values) for request in account.received]
        assert arrived == [["Mathematics"], ["Art"]]


class TestWhenAccountIsSlow:
    def test_the_answer_does_not_wait_for_it(self, client, account, relay, database, short_backoff):
        account.open.clear()
        answer = client.post(SAVE, json=COMPLETE).json()
        assert (answer["applied"], answer["effects"]) == (True, "pending")
        account.open.set()
        deliver_all(relay, database)
        assert len(account.applied) == 1

    def test_a_repeated_request_is_told_that_the_first_still_runs(self, client, account):
        headers = {"Idempotency-Key": "k1"}
        account.open.clear()
        with ThreadPoolExecutor(1) as tab:
            first = tab.submit(client.post, SAVE, json=COMPLETE, headers=headers)
            until(lambda: account.received)
            repeated = client.post(SAVE, json=COMPLETE, headers=headers)
            account.open.set()
        assert (repeated.status_code, repeated.json()["code"]) == (409, "idempotency-in-progress")
        assert first.result().json()["effects"] == "applied"
        assert client.post(SAVE, json=COMPLETE, headers=headers).content == first.result().content


class TestWhenTheAnswerOfAccountIsLost:
    def test_it_is_repeated_under_the_same_id(self, client, account, relay, database, short_backoff):
        account.lose_answers = 2
        assert client.post(SAVE, json=COMPLETE).json()["effects"] == "pending"
        deliver_all(relay, database)
        assert len(account.received) == 3
        assert {request.completion_id for request in account.received} == set(account.applied)
        assert len(account.applied) == 1


class TestWhenAccountRefuses:
    @pytest.mark.parametrize(
        "status", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION]
    )
    def test_it_is_parked_for_a_person(self, client, account, relay, database, status):
        account.refuse_with = status
        assert client.post(SAVE, json=COMPLETE).json()["effects"] == "pending"
        [parked] = waiting(database)
        assert parked.parked_at is not None
        assert relay.run_once() == 0

    def test_for_now_it_is_tried_again(self, client, account, relay, database, short_backoff):
        account.refuse_with = grpc.StatusCode.UNIMPLEMENTED
        client.post(SAVE, json=COMPLETE)
        [left] = waiting(database)
        assert left.parked_at is None
        account.refuse_with = None
        deliver_all(relay, database)
        assert len(account.applied) == 1


class TestWhenAProcessDies:
    def test_between_commit_and_delivery_the_relay_takes_over(
        self, client, account, relay, database, user_id
    ):
        complete(database, user_id)
        assert client.get(TUTOR).json()["effects"] == "pending"
        deliver_all(relay, database)
        assert client.get(TUTOR).json()["effects"] == "applied"
        assert len(account.received) == 1

    def test_between_effect_and_mark_it_is_repeated_under_the_same_id(
        self, account, relay, database, user_id, monkeypatch
    ):
        def die(message):
            raise SystemExit

        monkeypatch.setattr(relay, "_remove", die)
        with pytest.raises(SystemExit):
            relay.deliver(complete(database, user_id))
        monkeypatch.undo()
        end_leases(database)
        deliver_all(relay, database)
        assert (len(account.received), len(account.applied)) == (2, 1)

    def test_between_effect_and_kept_answer_a_repetition_gets_the_first_one(
        self, client, account, database, monkeypatch
    ):
        def lose_the_database(*answered, for_now=False):
            if not for_now:
                raise Unavailable
            keep_answer(*answered, for_now=True)

        headers = {"Idempotency-Key": "k1"}
        monkeypatch.setattr(rest, "keep_answer", lose_the_database)
        first = client.post(SAVE, json=COMPLETE, headers=headers)
        monkeypatch.undo()
        assert first.json()["effects"] == "pending"
        assert client.post(SAVE, json=COMPLETE, headers=headers).status_code == 409
        with database.transaction() as session:
            session.execute(update(idempotency_keys).values(created_at=func.now() - WORKS_ON))
        assert client.post(SAVE, json=COMPLETE, headers=headers).content == first.content
        assert client.get(TUTOR).json()["effects"] == "applied"
        assert len(account.applied) == 1


class TestWithSeveralProcesses:
    def test_two_relays_deliver_each_completion_once(self, settings, service, database, account):
        ids = {complete(database, uuid4()) for _ in range(30)}
        other = build(settings)
        with ThreadPoolExecutor(2) as threads:
            runs = [threads.submit(deliver_all, one.relay, database) for one in (service, other)]
            for run in runs:
                run.result(20)
        for close in other.close:
            close()
        assert {UUID(completion_id) for completion_id in account.applied} == ids
        assert len(account.received) == len(ids)


class TestHousekeeping:
    def test_purges_in_short_transactions_until_nothing_is_left(
        self, settings, database, client, monkeypatch
    ):
        monkeypatch.setattr(operations, "PURGE_BATCH", 1)
        client.post(SAVE, json={"step": 1, "role_type": "tutor"})
        client.post(SAVE, json={"step": 1, "role_type": "client"})
        purge(database, settings)
        assert len(client.get("/api/onboarding/progress").json()["progress"]) == 2
        purge(database, settings.model_copy(update={"abandoned_after": settings.abandoned_after * 0}))
        assert client.get("/api/onboarding/progress").json() == {"progress": []}
