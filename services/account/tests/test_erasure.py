"""Forgetting a user: at once for everybody who looks, step by step behind that, and never half for good."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from redis import Redis
from sqlalchemy import func, select, text, update

from cas_account import metrics, tasks
from cas_account.domain.roles import Role
from cas_account.models import (
    AppliedCompletion,
    AuditEntry,
    Base,
    ErasedUser,
    ErasurePart,
    Profile,
    RoleDetails,
    outbox_messages,
)
from cas_account.operations.erasure import begin_erasure, finish_part, measure_erasures
from cas_account.operations.onboarding import Completion, apply_onboarding
from cas_account.operations.roles import announce_roles
from cas_kit import outbox
from cas_kit.errors import DomainError, Kind, Unavailable
from cas_kit.outbox import MAX_ATTEMPTS

CANARY = "canary"
DELETE = {"confirm": "DELETE"}
NAMES = ("account", "onboarding", "listings", "auth")


class Refused(DomainError):
    kind = Kind.CONFLICT
    code = "refused"
    sentence = "No."


@pytest.fixture
def leave(ada, relay):
    """`leave()`: Ada deletes her account."""

    def send(body: object = DELETE, **headers: str):
        return ada.request("DELETE", "/api/account", json=body, headers=headers)

    return send


@pytest.fixture
def begin(database, now) -> Callable[[UUID], UUID]:
    """`begin(user_id)`: the first transaction of an erasure; returns the deletion id."""

    def transaction(user_id: UUID) -> UUID:
        with database.transaction() as session:
            return begin_erasure(session, user_id=user_id, parts=NAMES, now=now)

    return transaction


@pytest.fixture
def work(relay, database, monkeypatch):
    """`work()`: the relay tries everything once, whether or not its time has come, until nothing is new."""
    monkeypatch.setattr(outbox, "REST", 0)

    def deliver():
        while True:
            with database.transaction() as session:
                session.execute(update(outbox_messages).values(next_attempt_at=func.now()))
            before = waiting(database)
            relay.run_once()
            if waiting(database) == before:
                return

    return deliver


def waiting(database) -> set[UUID]:
    with database.autocommit() as connection:
        return set(connection.scalars(select(outbox_messages.c.id)))


def parked(database) -> int:
    with database.autocommit() as connection:
        return connection.scalar(select(func.count(outbox_messages.c.parked_at)))


def rows(database, table) -> int:
    with database.autocommit() as connection:
        return connection.scalar(select(func.count()).select_from(table))


def finished(database) -> set[str]:
    with database.transaction() as session:
        return {part.part for part in session.scalars(select(ErasurePart)) if part.finished_at is not None}


def audit(database) -> list[AuditEntry]:
    with database.transaction() as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.at)))


def left(database, sign: str) -> set[str]:
    """The tables in which this text occurs."""
    with database.transaction() as session:
        return {
            name
            for name in Base.metadata.tables
            for row in session.execute(text(f"SELECT row_to_json(t)::text FROM {name} AS t")).scalars()
            if sign in row or sign.encode().hex() in row
        }


class TestGuard:
    """*Exact text, else 422, and nothing changes.*"""

    @pytest.mark.parametrize(
        "body",
        [{}, {"confirm": "delete"}, {"confirm": "DELETE "}, {"confirm": True}, [], "DELETE", None],
        ids=repr,
    )
    def test_refuses_what_does_not_confirm(self, ada, leave, auth_service, database, body):
        for answer in (leave(body), ada.post("/api/user/delete", json=body)):
            assert (answer.status_code, answer.json()["code"]) == (422, "confirmation-required")
            assert isinstance(answer.json()["detail"], str)
        assert auth_service.calls == []
        assert rows(database, ErasedUser) == 0
        assert ada.get("/api/profile").status_code == 200

    def test_refuses_a_request_without_a_body(self, ada):
        assert ada.delete("/api/account").status_code == 422

    def test_refuses_a_session_that_has_ended(self, ada, leave, auth_service, issuer, user_id, database):
        session_id = str(uuid4())
        auth_service.ended.add(session_id)
        answer = leave(**issuer.bearer(user_id, session_id=session_id))
        assert (answer.status_code, rows(database, ErasedUser)) == (401, 0)

    @pytest.mark.parametrize("session_id", ["", "no-id"])
    def test_refuses_a_token_without_a_session(self, leave, issuer, user_id, session_id, database):
        assert leave(**issuer.bearer(user_id, session_id=session_id)).status_code == 401
        assert rows(database, ErasedUser) == 0

    def test_changes_nothing_while_auth_is_away(self, ada, leave, auth_service, database):
        auth_service.refusal = Unavailable()
        answer = leave()
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        assert (rows(database, ErasedUser), waiting(database)) == (0, set())
        assert ada.get("/api/profile").status_code == 200

    def test_demands_a_token(self, client):
        assert client.request("DELETE", "/api/account", json=DELETE).status_code == 401
        assert client.post("/api/user/delete", json=DELETE).status_code == 401


class TestAtOnce:
    @pytest.mark.parametrize(("method", "path"), [("DELETE", "/api/account"), ("POST", "/api/user/delete")])
    def test_the_erasure_is_accepted_and_the_same_when_repeated(self, ada, method, path):
        first = ada.request(method, path, json=DELETE)
        assert first.status_code == 202
        answer = first.json()
        assert (answer["success"], answer["status"]) == (True, "pending")
        assert (UUID(answer["deletion_id"]), bool(answer["message"])) == (UUID(answer["deletion_id"]), True)
        again = ada.request(method, path, json=DELETE)
        assert (again.status_code, again.json()) == (202, answer)

    def test_the_answer_comes_again_although_the_session_has_ended_by_it(
        self, leave, auth_service, revoked, session_id, work, database
    ):
        first = leave()
        revoked.add(session_id)
        auth_service.ended.add(session_id)
        work()
        assert rows(database, Profile) == 0
        auth_service.refusal = Unavailable()
        assert (leave().status_code, leave().json()) == (202, first.json())

    def test_a_session_that_ended_otherwise_is_refused(self, leave, auth_service, revoked, session_id):
        revoked.add(session_id)
        assert leave().status_code == 401
        assert auth_service.calls == []

    def test_the_user_is_signed_out_before_the_answer(self, leave, auth_service, user_id):
        leave()
        assert auth_service.calls == ["IntrospectSession", f"CloseUser {user_id}"]

    def test_the_profile_is_hidden_and_the_owner_refused(self, ada, leave, issuer, user_id):
        ada.patch("/api/account/professional-info", json={"role_type": "tutor", "bio": "x"})
        leave()
        for headers in ({}, issuer.bearer(user_id)):
            assert ada.get("/api/profile", headers=headers).status_code == 401
            assert ada.patch("/api/profile", json={"bio": "y"}, headers=headers).status_code == 401
            assert ada.get("/api/account/export", headers=headers).status_code == 401
            template = ada.get(
                "/api/account/professional-info", params={"role_type": "tutor"}, headers=headers
            )
            assert template.status_code == 401

    def test_it_is_one_transaction_with_a_message_for_each_service(self, begin, database, user_id, now):
        deletion_id = begin(user_id)
        assert begin(user_id) == deletion_id
        with database.transaction() as session:
            profile = session.get(Profile, user_id)
            messages = session.execute(select(outbox_messages.c.topic, outbox_messages.c.payload)).all()
        assert profile.erasing_at == now
        assert sorted((topic, payload.get("part", "")) for topic, payload in messages) == [
            ("auth.close_user", ""),
            ("erasure.part", "account"),
            ("erasure.part", "listings"),
            ("erasure.part", "onboarding"),
        ]
        assert all(payload["user_id"] == str(user_id) for _, payload in messages)

    def test_users_of_other_issuers_have_no_session_to_ask_for(self, app, client, issuer, auth_service):
        app.state.dependencies = replace(app.state.dependencies, issuer="https://elsewhere.example")
        answer = client.request("DELETE", "/api/account", json=DELETE, headers=issuer.bearer(uuid4()))
        assert answer.status_code == 202
        assert "IntrospectSession" not in auth_service.calls


class TestThen:
    def test_every_service_is_asked_and_auth_last(
        self, begin, work, auth_service, onboarding_service, listings_service, database, user_id, now
    ):
        deletion_id = begin(user_id)
        work()
        assert onboarding_service.erased == listings_service.erased == [str(user_id)]
        assert auth_service.calls == [f"CloseUser {user_id}", f"EraseUser {user_id}"]
        assert (finished(database), waiting(database)) == ({*NAMES}, set())
        requested, erased = audit(database)
        assert (requested.action, requested.details) == (
            "erasure_requested",
            {"deletion_id": str(deletion_id)},
        )
        assert (erased.action, erased.details["deletion_id"]) == ("user_erased", str(deletion_id))
        assert erased.details["parts"] == {
            "account": {"rows": 1, "objects": 0},
            "onboarding": {"rows": 2, "objects": 0},
            "listings": {"rows": 3, "objects": 0},
            "auth": {"rows": 4, "objects": 0},
        }

    def test_auth_waits_for_a_service_that_is_away(
        self, begin, work, auth_service, onboarding_service, database, user_id
    ):
        onboarding_service.refusal = Unavailable()
        begin(user_id)
        work()
        assert finished(database) == {"account", "listings"}
        assert auth_service.calls == [f"CloseUser {user_id}"]
        onboarding_service.refusal = None
        work()
        assert finished(database) == {*NAMES}

    def test_it_is_never_given_up_while_a_service_is_merely_away(
        self, begin, relay, onboarding_service, database, user_id, work
    ):
        onboarding_service.refusal = Unavailable()
        begin(user_id)
        with database.transaction() as session:
            session.execute(update(outbox_messages).values(attempts=MAX_ATTEMPTS * 2))
        work()
        assert (parked(database), finished(database)) == (0, {"account", "listings"})
        onboarding_service.refusal = None
        work()
        assert finished(database) == {*NAMES}

    def test_a_repeated_step_keeps_the_first_receipt_and_asks_auth_once(
        self, begin, relay, parts, database, user_id, now
    ):
        begin(user_id)
        for _ in range(2):
            for part in parts[:-1]:
                receipt = part.erase_user(user_id)
                with database.transaction() as session:
                    finish_part(session, user_id=user_id, part=part.name, receipt=receipt, now=now)
        with database.transaction() as session:
            last = outbox_messages.c.payload["part"].astext == "auth"
            assert session.scalar(select(func.count()).select_from(outbox_messages).where(last)) == 1
            assert session.get(ErasurePart, (user_id, "account")).rows == 1

    def test_a_user_without_a_profile_is_erased_too(self, begin, work, onboarding_service, database):
        stranger = uuid4()
        begin(stranger)
        work()
        assert (onboarding_service.erased, finished(database)) == ([str(stranger)], {*NAMES})


class TestAfterwards:
    def test_no_text_of_theirs_is_left_in_any_table(self, ada, leave, database, user_id, work, now):
        """Profile, templates, kept answers to requests with a key, completions and waiting messages."""
        ada.post(
            "/api/profile",
            json={
                **dict.fromkeys(
                    ("display_name", "first_name", "last_name", "bio", "categories", "achievements"), CANARY
                ),
                "country": CANARY,
                "city": CANARY,
                "preferences": {CANARY: CANARY},
                "avatar_url": f"https://{CANARY}.example/a.png",
            },
            headers={"Idempotency-Key": CANARY},
        )
        for role in Role:
            ada.patch(
                "/api/account/professional-info",
                json={"role_type": role, "bio": CANARY, "description": CANARY, "special_needs": [CANARY]},
            )
        with database.transaction() as session:
            completion = Completion(uuid4(), user_id, Role.TUTOR, {"bio": CANARY}, CANARY, now)
            apply_onboarding(session, completion=completion, now=now)
            announce_roles(session, user_id=user_id)
            session.execute(update(outbox_messages).values(parked_at=func.now()))
        assert left(database, CANARY) >= {"profiles", "role_details", "idempotency_keys"}
        assert leave().status_code == 202
        work()
        assert left(database, CANARY) == set()
        assert left(database, "ada@example.com") == set()
        assert left(database, str(user_id)) == {"audit_log", "erased_users", "erasures", "erasure_parts"}
        for table in (Profile, RoleDetails, AppliedCompletion, outbox_messages):
            assert rows(database, table) == 0

    def test_their_tokens_create_nothing_again(self, ada, leave, issuer, database, user_id, work):
        leave()
        work()
        for headers in ({}, issuer.bearer(user_id)):
            keyed = headers | {"Idempotency-Key": CANARY}
            assert ada.get("/api/profile", headers=headers).status_code == 401
            assert ada.post("/api/profile", json={"bio": CANARY}, headers=keyed).status_code == 401
        assert rows(database, Profile) == 0
        assert left(database, CANARY) == set()

    def test_the_same_address_may_come_back_as_another_user(self, client, leave, issuer, work):
        leave()
        work()
        newcomer = issuer.bearer(uuid4(), email="ada@example.com")
        assert client.get("/api/profile", headers=newcomer).status_code == 200

    def test_others_keep_what_they_have(self, client, leave, issuer, work):
        other = issuer.bearer(uuid4(), email="grace@example.com")
        client.patch("/api/profile", json={"bio": "still here"}, headers=other)
        leave()
        work()
        assert client.get("/api/profile", headers=other).json()["bio"] == "still here"

    def test_what_was_counted_for_them_is_forgotten(self, ada, leave, user_id, work, redis_server):
        assert ada.get("/api/account/export").status_code == 200
        with Redis.from_url(redis_server.url()) as redis:
            assert redis.keys(f"*{user_id}*")
            leave()
            work()
            assert redis.keys(f"*{user_id}*") == []


class TestMonitoring:
    def test_shows_how_long_the_oldest_one_takes(self, begin, database, user_id, now, work):
        assert measure_erasures(database, now=now).age == timedelta(0)
        begin(user_id)
        assert measure_erasures(database, now=now + timedelta(seconds=90)).age == timedelta(seconds=90)
        work()
        assert measure_erasures(database, now=now + timedelta(days=1)).age == timedelta(0)

    def test_shows_what_waits_for_a_person_and_goes_on_afterwards(
        self, begin, relay, work, onboarding_service, database, user_id
    ):
        onboarding_service.refusal = Refused()
        begin(user_id)
        with database.transaction() as session:
            session.execute(update(outbox_messages).values(attempts=MAX_ATTEMPTS))
        work()
        tasks.watch_erasures(database)
        assert metrics.ERASURES_PARKED._value.get() == parked(database) == 1
        assert metrics.ERASURE_AGE._value.get() > 0
        onboarding_service.refusal = None
        assert relay.retry_parked() == 1
        work()
        tasks.watch_erasures(database)
        assert metrics.ERASURES_PARKED._value.get() == metrics.ERASURE_AGE._value.get() == 0
