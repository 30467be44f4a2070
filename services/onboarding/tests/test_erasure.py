"""An erased user leaves nothing behind, and nothing of theirs comes back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text

from cas_kit.errors import Unauthenticated
from cas_kit.testing import until
from cas_onboarding import operations
from cas_onboarding.domain.progress import Save
from cas_onboarding.domain.roles import Role
from cas_onboarding.models import Base
from cas_onboarding.operations import NoProgress

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CANARY = "canary"
SAVE = "/api/onboarding/save-progress"


def save(session, user_id, step=2, *, role=Role.TUTOR, data=None, is_complete=False):
    return operations.save_progress(
        session,
        user_id=user_id,
        role=role,
        save=Save(step=step, data=data or {}, is_complete=is_complete),
        check_version=lambda current: None,
        now=NOW,
    )


def erase(session, user_id):
    return operations.erase_user(session, user_id=user_id, now=NOW)


def erase_in(database, user_id):
    with database.transaction() as session:
        return erase(session, user_id)


def count(session, table):
    return session.execute(text(f"SELECT count(*) FROM {table}")).scalar()


def audit(session):
    return session.execute(text("SELECT * FROM audit_log ORDER BY created_at")).all()


def left(database, sign):
    """The tables in which this text occurs."""
    with database.transaction() as session:
        return {
            name
            for name in Base.metadata.tables
            for row in session.execute(text(f"SELECT row_to_json(t)::text FROM {name} AS t")).scalars()
            if sign in row or sign.encode().hex() in row
        }


class TestEraseUser:
    def test_removes_answers_and_effects_on_their_way(self, session, user_id):
        save(session, user_id, 5, is_complete=True)
        save(session, user_id, role=Role.CLIENT)
        assert erase(session, user_id) == 3
        assert count(session, "onboarding_progress") == count(session, "outbox_messages") == 0

    def test_leaves_other_users_alone(self, session, user_id):
        other = uuid4()
        save(session, other, 5, is_complete=True)
        save(session, user_id)
        assert erase(session, user_id) == 1
        assert operations.get_progress(session, user_id=other, role=Role.TUTOR).progress.is_complete
        assert count(session, "outbox_messages") == 1

    def test_is_safe_to_repeat_and_noted_once(self, session, user_id):
        save(session, user_id)
        assert [erase(session, user_id) for _ in range(2)] == [1, 0]
        [entry] = audit(session)
        assert (entry.action, entry.details) == ("user_erased", {"removed": 1})

    def test_remembers_somebody_of_whom_there_was_nothing(self, session, user_id):
        assert erase(session, user_id) == 0
        with pytest.raises(Unauthenticated):
            save(session, user_id)

    def test_leaves_no_text_of_theirs_in_any_table(self, database, client, account, user_id):
        """Answers, a completion on its way, and the kept answer to a request with a key."""
        account.stop()
        for role in ("tutor", "client"):
            body = {"step": 5, "role_type": role, "data": {CANARY: CANARY}, "client_session": CANARY}
            completes = {"is_complete": role == "tutor"}
            answer = client.post(SAVE, json=body | completes, headers={"Idempotency-Key": CANARY})
            assert answer.status_code in {200, 422}
            client.post(SAVE, json=body | completes)
        assert left(database, CANARY) >= {"onboarding_progress", "idempotency_keys"}
        erase_in(database, user_id)
        assert left(database, CANARY) == set()
        assert left(database, str(user_id)) == {"audit_log", "erased_users"}


class TestAfterwards:
    def test_nothing_is_saved_or_answered(self, session, user_id):
        save(session, user_id)
        erase(session, user_id)
        for call in (
            lambda: save(session, user_id),
            lambda: save(session, user_id, 5, is_complete=True),
            lambda: operations.get_progress(session, user_id=user_id, role=Role.TUTOR),
            lambda: operations.list_progress(session, user_id=user_id),
            lambda: operations.delete_progress(
                session, user_id=user_id, role=Role.TUTOR, check_version=lambda current: None
            ),
        ):
            with pytest.raises(Unauthenticated):
                call()
        assert count(session, "onboarding_progress") == count(session, "outbox_messages") == 0

    def test_others_are_told_that_there_is_nothing(self, session, user_id):
        erase(session, uuid4())
        with pytest.raises(NoProgress):
            operations.get_progress(session, user_id=user_id, role=Role.TUTOR)

    def test_a_token_that_is_still_good_is_refused_and_leaves_no_trace(self, database, client, user_id):
        erase_in(database, user_id)
        keyed = {"Idempotency-Key": CANARY}
        body = {"step": 1, "role_type": "tutor", "data": {"a": CANARY}}
        assert client.post(SAVE, json=body, headers=keyed).status_code == 401
        assert client.get("/api/onboarding/progress").status_code == 401
        assert client.get("/api/onboarding/progress/tutor").status_code == 401
        assert client.delete("/api/onboarding/progress/tutor", headers=keyed).status_code == 401
        assert left(database, CANARY) == set()

    def test_the_answer_of_a_completion_that_was_under_way_is_not_kept(
        self, database, client, account, user_id
    ):
        """The account service has the completion when the user is erased, and the request goes on."""
        account.open.clear()
        body = {"step": 5, "role_type": "tutor", "is_complete": True, "data": {"x": CANARY}}
        with ThreadPoolExecutor(1) as pool:
            request = pool.submit(client.post, SAVE, json=body, headers={"Idempotency-Key": "key"})
            until(lambda: account.received)
            erase_in(database, user_id)
            account.open.set()
            assert request.result(20).status_code == 200
        assert left(database, CANARY) == set()


class TestAtOnce:
    def test_with_saves_nothing_is_left_whoever_comes_first(self, database):
        for _ in range(5):
            user_id = uuid4()

            def save_once(step, user_id=user_id):
                try:
                    with database.transaction() as session:
                        save(session, user_id, step, role=Role.TUTOR, data={"a": CANARY})
                except Unauthenticated:
                    return False
                return True

            with ThreadPoolExecutor(6) as pool:
                saving = [pool.submit(save_once, step) for step in (1, 2, 3, 4)]
                erasing = [pool.submit(erase_in, database, user_id) for _ in range(2)]
                for each in saving + erasing:
                    each.result(20)
            assert left(database, CANARY) == set()
