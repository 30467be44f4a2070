"""A repeated write has one effect and one answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from fastapi import Response
from sqlalchemy import func, insert, select, update
from starlette.testclient import TestClient

from cas_kit import rest
from cas_kit.errors import DomainError, Kind, RateLimited, Unauthenticated, Unavailable
from cas_kit.idempotency import KeyedRequestDep, answer_once, forget_old_keys, keep_answer
from cas_kit.rest import DatabaseDep

DAY = timedelta(hours=24)


class Refused(DomainError):
    kind = Kind.CONFLICT
    code = "refused"
    sentence = "No."


class RefusedButRecorded(Refused):
    keeps_transaction = True


class Scene:
    """An application whose only write is what the test says, and its users."""

    def __init__(self, make_app, issuer, tables):
        self.notes, self.keys = tables["notes"], tables["idempotency_keys"]
        self._issuer = issuer
        self.user_id = uuid4()
        self.failure: BaseException | None = None
        self.after = lambda: None
        self.app = make_app(self._routes())

    def _routes(self):
        routes = rest.router(tags=["notes"])

        @routes.post("/notes/{folder}")
        @routes.put("/notes/{folder}")
        def write(folder: str, document: dict[str, str], database: DatabaseDep, keyed: KeyedRequestDep):
            with database.transaction() as session:
                answer = answer_once(session, self.keys, keyed, lambda: self._write(session, document))
                self.after()
            return answer

        @routes.delete("/notes/{folder}")
        def remove(folder: str, database: DatabaseDep, keyed: KeyedRequestDep):
            with database.transaction() as session:
                return answer_once(session, self.keys, keyed, lambda: Response(status_code=204))

        return routes

    def _write(self, session, document):
        note_id = session.execute(
            insert(self.notes).values(text=document["text"]).returning(self.notes.c.id)
        ).scalar()
        if self.failure is not None:
            raise self.failure
        headers = {"ETag": '"1"', "Location": f"/notes/{note_id}", "X-Other": "not kept"}
        return rest.json_response({"id": note_id, "text": document["text"]}, status=201, headers=headers)

    def send(self, text="a", *, key="key-1", method="POST", path="/notes/in", user_id=None):
        client = TestClient(self.app, raise_server_exceptions=False)
        headers = self._issuer.bearer(user_id or self.user_id)
        if key is not None:
            headers["Idempotency-Key"] = key
        body = None if method == "DELETE" else {"text": text}
        return client.request(method, path, json=body, headers=headers)


@pytest.fixture
def scene(make_app, issuer, tables):
    return Scene(make_app, issuer, tables)


@pytest.fixture
def count(database):
    def rows(table):
        with database.autocommit() as connection:
            return connection.execute(select(func.count()).select_from(table)).scalar()

    return rows


class TestRepeat:
    def test_gets_the_same_bytes_and_has_no_second_effect(self, scene, count):
        first, second = scene.send(), scene.send()
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.content == second.content
        for name in ("content-type", "etag", "location"):
            assert first.headers[name] == second.headers[name]
        assert "idempotency-replayed" not in first.headers
        assert second.headers["idempotency-replayed"] == "true"
        assert second.headers["cache-control"] == "no-store"
        assert count(scene.notes) == 1

    def test_without_a_key_is_a_new_request(self, scene, count):
        assert [scene.send(key=None).status_code for _ in range(2)] == [201, 201]
        assert count(scene.notes) == 2
        assert count(scene.keys) == 0

    def test_of_an_answer_without_body(self, scene):
        first, second = (scene.send(method="DELETE") for _ in range(2))
        assert (first.status_code, second.status_code, second.content) == (204, 204, b"")
        assert second.headers["idempotency-replayed"] == "true"

    @pytest.mark.parametrize(
        "other",
        [{"text": "b"}, {"path": "/notes/in?x=1"}, {"path": "/notes/out"}],
        ids=["body", "query", "path"],
    )
    def test_of_another_request_is_422(self, scene, count, other):
        scene.send()
        answer = scene.send(**other)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
        assert count(scene.notes) == 1

    def test_of_another_thing_to_delete_is_422(self, scene):
        """Requests without a body differ in their path alone."""
        scene.send(method="DELETE", path="/notes/1")
        assert scene.send(method="DELETE", path="/notes/2").status_code == 422

    def test_belongs_to_one_user_and_operation(self, scene, count):
        answers = [
            scene.send(),
            scene.send(user_id=uuid4()),
            scene.send(method="PUT"),
            scene.send(key="key-2"),
        ]
        assert [answer.status_code for answer in answers] == [201] * 4
        assert not any("idempotency-replayed" in answer.headers for answer in answers)
        assert count(scene.notes) == 4

    @pytest.mark.parametrize("key", ["", " ", "two words", "x" * 256, "é".encode("latin-1"), "tab\tbed"])
    def test_needs_a_usable_key(self, scene, count, key):
        answer = scene.send(key=key)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
        assert count(scene.notes) == 0

    @pytest.mark.parametrize("key", ["x", "x" * 255, "!~'\";--"])
    def test_takes_any_visible_ascii_key(self, scene, key):
        assert [scene.send(key=key).status_code for _ in range(2)] == [201, 201]


class TestRefusal:
    def test_is_an_answer_too(self, scene, count):
        scene.failure = Refused()
        first = scene.send()
        scene.failure = None
        second = scene.send()
        assert (first.status_code, second.status_code) == (409, 409)
        assert first.content == second.content
        assert second.headers["content-type"] == "application/problem+json"
        assert second.headers["idempotency-replayed"] == "true"
        assert count(scene.notes) == 0, "the effect before the refusal is undone"

    def test_that_records_keeps_what_it_wrote(self, scene, count):
        scene.failure = RefusedButRecorded()
        assert [scene.send().status_code for _ in range(2)] == [409, 409]
        assert count(scene.notes) == 1

    @pytest.mark.parametrize(
        ("failure", "status"),
        [(Unavailable(), 503), (RateLimited(), 429), (RuntimeError(), 500), (Unauthenticated(), 401)],
        ids=repr,
    )
    def test_that_may_pass_is_not_kept(self, scene, count, failure, status):
        scene.failure = failure
        assert scene.send().status_code == status
        assert (count(scene.notes), count(scene.keys)) == (0, 0)
        scene.failure = None
        assert scene.send().status_code == 201


class TestCrash:
    def test_between_effect_and_commit_leaves_neither(self, scene, count):
        def crash():
            raise RuntimeError

        scene.after = crash
        assert scene.send().status_code == 500
        assert (count(scene.notes), count(scene.keys)) == (0, 0)
        scene.after = lambda: None
        assert scene.send().status_code == 201
        assert (count(scene.notes), count(scene.keys)) == (1, 1)

    def test_of_the_connection_leaves_neither(self, scene, count, postgres_server):
        """The server ends the session after the effect: the lock goes with it, and the repeat runs."""

        def end_connection():
            with postgres_server.connect() as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                )

        scene.after = end_connection
        assert scene.send().status_code == 503
        scene.after = lambda: None
        assert scene.send().status_code == 201
        assert (count(scene.notes), count(scene.keys)) == (1, 1)


class TestInFlight:
    def test_is_409_and_the_first_one_wins(self, scene, count):
        entered, leave = threading.Event(), threading.Event()

        def hold():
            entered.set()
            assert leave.wait(10)

        scene.after = hold
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(scene.send)
            assert entered.wait(10)
            second = scene.send()
            assert (second.status_code, second.json()["code"]) == (409, "idempotency-in-progress")
            leave.set()
            assert first.result(10).status_code == 201
        third = scene.send()
        assert (third.status_code, third.headers["idempotency-replayed"]) == (201, "true")
        assert count(scene.notes) == 1

    def test_many_at_once_have_one_effect(self, scene, count):
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: scene.send(), range(24)))
        assert {answer.status_code for answer in answers} <= {201, 409}
        done = {answer.content for answer in answers if answer.status_code == 201}
        assert len(done) == 1
        assert count(scene.notes) == 1

    def test_does_not_hold_up_other_keys(self, scene):
        entered, leave = threading.Event(), threading.Event()

        def hold_the_first():
            if not entered.is_set():
                entered.set()
                assert leave.wait(10)

        scene.after = hold_the_first
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(scene.send)
            assert entered.wait(10)
            assert scene.send(key="key-2").status_code == 201
            leave.set()
            assert first.result(10).status_code == 201


class TestAge:
    @pytest.fixture
    def make_older(self, database, scene):
        def change(age):
            with database.autocommit() as connection:
                connection.execute(update(scene.keys).values(created_at=func.now() - age))

        return change

    def test_is_a_day(self, scene, count, make_older):
        scene.send()
        make_older(DAY - timedelta(minutes=1))
        assert "idempotency-replayed" in scene.send().headers
        make_older(DAY + timedelta(minutes=1))
        assert "idempotency-replayed" not in scene.send(text="another").headers
        assert (count(scene.notes), count(scene.keys)) == (2, 1)

    def test_forget_old_keys_leaves_the_younger(self, scene, database, count, make_older):
        scene.send(key="old")
        make_older(DAY + timedelta(minutes=1))
        scene.send(key="young")
        forget_old_keys(database, scene.keys)
        assert count(scene.keys) == 1
        assert "idempotency-replayed" in scene.send(key="young").headers


class TestKeepAnswer:
    def test_replaces_the_answer_that_is_repeated(self, make_client, issuer, tables):
        """For an effect that finishes after the commit: a repeat sees what the client saw."""
        keys = tables["idempotency_keys"]
        routes = rest.router(tags=["late"])

        @routes.post("/late")
        def late(database: DatabaseDep, keyed: KeyedRequestDep):
            with database.transaction() as session:
                answer = answer_once(session, keys, keyed, lambda: rest.json_response("pending", status=202))
            if answer.status_code == 202:
                answer = rest.json_response("applied")
                with database.transaction() as session:
                    keep_answer(session, keys, keyed, answer)
            return answer

        client = make_client(routes)
        headers = {**issuer.bearer(uuid4()), "Idempotency-Key": "k"}
        answers = [client.post("/late", headers=headers) for _ in range(2)]
        assert [(answer.status_code, answer.json()) for answer in answers] == [(200, "applied")] * 2
