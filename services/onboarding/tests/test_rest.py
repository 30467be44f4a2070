"""The REST edge: names, statuses and texts of docs/spec/domain.md 5.2 and 5.4."""

from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

SAVE = "/api/onboarding/save-progress"
PROGRESS = "/api/onboarding/progress"
TUTOR = f"{PROGRESS}/tutor"
NAMES = {
    "success",
    "message",
    "progress_id",
    "updated_at",
    "current_step",
    "step_data",
    "is_complete",
    "role_type",
    "furthest_step",
    "client_revision",
    "version",
    "applied",
    "effects",
    "missing",
}


def body(step=2, role_type="tutor", **rest):
    return {"step": step, "role_type": role_type, **rest}


class TestSaveProgress:
    def test_answers_what_is_stored(self, client):
        data = {"subjects": ["maths"], "note": {"deep": [1, 2.5, None, True, "é"]}}
        response = client.post(SAVE, json=body(3, data=data, client_revision=4, client_session="tab"))
        answer = response.json()
        assert response.status_code == 200
        assert set(answer) == NAMES
        assert (answer["success"], answer["message"]) == (True, "Progress saved.")
        assert (answer["current_step"], answer["furthest_step"]) == (3, 3)
        assert answer["step_data"] == data
        assert (answer["is_complete"], answer["effects"], answer["applied"]) == (False, None, True)
        assert (answer["role_type"], answer["client_revision"], answer["version"]) == ("tutor", 4, 1)
        assert answer["updated_at"].endswith("Z") or "+00:00" in answer["updated_at"]
        assert UUID(answer["progress_id"])
        assert response.headers["ETag"] == '"1"'

    def test_needs_only_step_and_role(self, client):
        answer = client.post(SAVE, json=body()).json()
        assert (answer["step_data"], answer["is_complete"], answer["client_revision"]) == ({}, False, None)

    @pytest.mark.parametrize(
        ("name", "role"),
        [("provider", "tutor"), ("seeker", "client"), (" Tutor ", "tutor"), ("AGENT", "agent")],
    )
    def test_understands_aliases_and_answers_the_canonical_role(self, client, name, role):
        assert client.post(SAVE, json=body(role_type=name)).json()["role_type"] == role

    def test_takes_the_user_from_the_token_only(self, client, service, issuer):
        other = uuid4()
        client.post(SAVE, json=body(user_id=str(other), profile_id=str(other)))
        stranger = TestClient(service.app, headers=issuer.bearer(other))
        assert stranger.get(TUTOR).status_code == 404
        assert client.get(TUTOR).status_code == 200

    def test_says_when_newer_answers_were_kept(self, client):
        client.post(SAVE, json=body(4, data={"a": 2}, client_revision=2))
        answer = client.post(SAVE, json=body(3, data={"a": 1}, client_revision=1)).json()
        assert (answer["applied"], answer["message"]) == (False, "Newer progress is already saved.")
        assert (answer["current_step"], answer["step_data"], answer["client_revision"]) == (4, {"a": 2}, 2)

    @pytest.mark.parametrize(
        ("values", "detail"),
        [
            ({"step": 0}, "step: must be 1 or more"),
            ({"step": 6}, "step: must be 5 or less"),
            ({"step": "2"}, "step: must be a whole number"),
            ({"step": True}, "step: must be a whole number"),
            ({"step": None}, "step: must be a whole number"),
            ({"role_type": "admin"}, "role_type: Unknown role: use tutor, client or agent."),
            ({"role_type": ""}, "role_type: Unknown role: use tutor, client or agent."),
            ({"role_type": 5}, "role_type: must be one of 'tutor', 'client' or 'agent'"),
            ({"data": []}, "data: must be an object"),
            ({"data": None}, "data: must be an object"),
            ({"data": "text"}, "data: must be an object"),
            ({"is_complete": "yes"}, "is_complete: must be true or false"),
            ({"client_revision": -1}, "client_revision: must be 0 or more"),
            ({"client_revision": 1.5}, "client_revision: must be a whole number"),
            ({"client_session": "x" * 65}, "client_session: must have at most 64 characters"),
            ({"client_session": 5}, "client_session: must be a text"),
        ],
    )
    def test_names_the_bad_field_in_a_sentence(self, client, values, detail):
        response = client.post(SAVE, json=body(**{"step": 2, "role_type": "tutor", **values}))
        problem = response.json()
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"
        assert problem["detail"] == problem["message"] == detail
        assert [error["field"] for error in problem["errors"]] == [detail.partition(":")[0]]

    @pytest.mark.parametrize("field", ["step", "role_type"])
    def test_names_a_missing_field(self, client, field):
        sent = body()
        del sent[field]
        response = client.post(SAVE, json=sent)
        assert (response.status_code, response.json()["detail"]) == (422, f"{field}: is required")

    @pytest.mark.parametrize("sent", ["[]", '"text"', "null"])
    def test_refuses_a_body_that_is_no_object(self, client, sent):
        response = client.post(SAVE, content=sent, headers={"content-type": "application/json"})
        assert response.status_code == 422

    def test_refuses_answers_nested_too_deeply(self, client):
        deep = {"1": {"2": {"3": {"4": {"5": {"6": {"7": {"8": {}}}}}}}}}
        response = client.post(SAVE, json=body(data=deep))
        assert (response.status_code, response.json()["detail"]) == (
            422,
            "data: must not be nested deeper than 8",
        )

    def test_refuses_answers_larger_than_64_kib(self, client):
        response = client.post(SAVE, json=body(data={"text": "x" * 64 * 1024}))
        assert (response.status_code, response.json()["code"]) == (413, "step-data-too-large")
        assert client.get(TUTOR).status_code == 404

    def test_refuses_what_is_not_json(self, client):
        response = client.post(SAVE, content="{", headers={"content-type": "application/json"})
        assert (response.status_code, response.json()["code"]) == (400, "malformed-json")

    def test_holds_if_match_against_the_stored_version(self, client):
        assert client.post(SAVE, json=body(), headers={"If-Match": '"1"'}).status_code == 412
        client.post(SAVE, json=body(2))
        assert client.post(SAVE, json=body(3), headers={"If-Match": '"1"'}).json()["version"] == 2
        stale = client.post(SAVE, json=body(4), headers={"If-Match": '"1"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "version-mismatch")
        assert (stale.headers["ETag"], stale.json()["version"]) == ('"2"', 2)
        assert client.get(TUTOR).json()["current_step"] == 3


class TestUnloadSaves:
    @pytest.mark.parametrize(
        "content_type", ["text/plain", "text/plain;charset=UTF-8", "application/json; charset=utf-8", None]
    )
    def test_are_json_whatever_they_are_called(self, client, content_type):
        headers = {} if content_type is None else {"content-type": content_type}
        sent = b'{"step": 3, "role_type": "tutor", "data": {"a": 1}, "abandoned_at": "2026-03-01T12:00:00Z"}'
        response = client.post(SAVE, content=sent, headers=headers)
        assert response.status_code == 200
        assert client.get(TUTOR).json()["step_data"] == {"a": 1}

    @pytest.mark.parametrize(
        "content_type", ["application/x-www-form-urlencoded", "multipart/form-data", "text/html"]
    )
    def test_are_not_forms(self, client, content_type):
        response = client.post(SAVE, content=b"{}", headers={"content-type": content_type})
        assert response.status_code == 415

    def test_must_be_json_inside(self, client):
        response = client.post(SAVE, content=b"step=3", headers={"content-type": "text/plain"})
        assert response.status_code == 400


class TestReading:
    def test_gives_back_what_was_saved(self, client):
        saved = client.post(SAVE, json=body(3, data={"a": [1]}, client_revision=1)).json()
        response = client.get(TUTOR)
        assert response.json() == {**saved, "message": "Progress found."}
        assert response.headers["ETag"] == '"1"'
        assert response.headers["Cache-Control"] == "no-store"

    def test_understands_aliases_in_the_path(self, client):
        client.post(SAVE, json=body())
        assert client.get(f"{PROGRESS}/provider").json()["role_type"] == "tutor"

    def test_of_nothing_is_404(self, client):
        response = client.get(f"{PROGRESS}/seeker")
        assert (response.status_code, response.json()["code"]) == (404, "no-progress")
        assert response.json()["detail"] == "No onboarding progress found for role: client"

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_of_an_unknown_role_is_400(self, client, method):
        response = client.request(method, f"{PROGRESS}/admin")
        assert (response.status_code, response.json()["code"]) == (400, "unknown-role")
        assert response.json()["detail"] == "Unknown role: use tutor, client or agent."

    def test_of_all_roles(self, client):
        assert client.get(PROGRESS).json() == {"progress": []}
        client.post(SAVE, json=body())
        client.post(SAVE, json=body(role_type="agent"))
        found = client.get(PROGRESS).json()["progress"]
        assert [one["role_type"] for one in found] == ["tutor", "agent"]
        assert all(set(one) == NAMES for one in found)

    def test_unchanged_is_304(self, client):
        tag = client.post(SAVE, json=body()).headers["ETag"]
        assert client.get(TUTOR, headers={"If-None-Match": tag}).status_code == 304
        client.post(SAVE, json=body(3))
        assert client.get(TUTOR, headers={"If-None-Match": tag}).status_code == 200


class TestDeleting:
    def test_forgets_and_may_be_repeated(self, client):
        client.post(SAVE, json=body())
        for _ in range(2):
            response = client.delete(f"{PROGRESS}/provider")
            assert (response.status_code, response.json()["success"]) == (200, True)
            assert response.json()["message"]
        assert client.get(TUTOR).status_code == 404

    def test_holds_if_match_against_the_stored_version(self, client):
        client.post(SAVE, json=body())
        assert client.delete(TUTOR, headers={"If-Match": '"9"'}).status_code == 412
        assert client.delete(TUTOR, headers={"If-Match": '"1"'}).status_code == 200
        assert client.delete(TUTOR, headers={"If-Match": "*"}).status_code == 412


class TestIdempotencyKey:
    def test_repeats_the_first_answer_byte_for_byte(self, client):
        headers = {"Idempotency-Key": "k1"}
        first = client.post(SAVE, json=body(2), headers=headers)
        client.post(SAVE, json=body(4))
        again = client.post(SAVE, json=body(2), headers=headers)
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.headers["ETag"] == first.headers["ETag"]
        assert client.get(TUTOR).json()["current_step"] == 4

    def test_is_not_for_another_request(self, client):
        headers = {"Idempotency-Key": "k1"}
        client.post(SAVE, json=body(2), headers=headers)
        other = client.post(SAVE, json=body(3), headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")

    def test_repeats_a_refusal_too(self, client):
        headers = {"Idempotency-Key": "k1", "If-Match": '"1"'}
        first = client.post(SAVE, json=body(2), headers=headers)
        client.post(SAVE, json=body(2))
        again = client.post(SAVE, json=body(2), headers=headers)
        assert (first.status_code, again.status_code) == (412, 412)
        assert again.content == first.content

    def test_works_for_deleting(self, client):
        headers = {"Idempotency-Key": "k1"}
        client.delete(TUTOR, headers=headers)
        client.post(SAVE, json=body())
        again = client.delete(TUTOR, headers=headers)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert client.get(TUTOR).status_code == 200


class TestSignedOut:
    @pytest.mark.parametrize(
        ("method", "path"), [("POST", SAVE), ("GET", PROGRESS), ("GET", TUTOR), ("DELETE", TUTOR)]
    )
    @pytest.mark.parametrize(
        ("headers", "detail"),
        [
            ({}, "Missing or invalid authorization header"),
            ({"Authorization": "Basic YTpi"}, "Missing or invalid authorization header"),
            ({"Authorization": "Bearer nonsense"}, "Invalid token"),
        ],
    )
    def test_everything_needs_a_token(self, service, method, path, headers, detail):
        response = TestClient(service.app).request(method, path, headers=headers)
        assert (response.status_code, response.json()["detail"]) == (401, detail)
        assert "WWW-Authenticate" in response.headers

    def test_health_does_not(self, service):
        browser = TestClient(service.app)
        assert browser.get("/health/live").status_code == 200
        assert browser.get("/health/ready").status_code == 200


class TestOpenApi:
    def test_every_operation_asks_for_a_token_and_names_its_answers(self, service):
        paths = service.app.openapi()["paths"]
        operations = [operation for path in paths.values() for operation in path.values()]
        assert set(paths) == {SAVE, PROGRESS, f"{PROGRESS}/{{role_type}}"}
        assert len(operations) == 4
        assert all(operation["security"] == [{"bearer": []}] for operation in operations)
        assert all({"200", "401"} <= set(operation["responses"]) for operation in operations)
