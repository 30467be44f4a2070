"""Every failure is answered with the same body, and none says more than it should."""

from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

import pytest
from fastapi import HTTPException
from pydantic import BaseModel, Field
from structlog.testing import capture_logs

from cas_kit import errors, rest
from cas_kit.errors import DomainError, FieldProblem, Kind, RateLimited, Unavailable, ValidationFailed
from cas_kit.problems import MAX_PROBLEMS, STATUS

routes = rest.router(tags=["problems"])


class Pair(BaseModel):
    name: str = Field(min_length=2)
    counts: list[int] = []


@routes.get("/kinds/{kind}")
def fail(kind: str) -> None:
    made = type("Made", (DomainError,), {"kind": Kind(kind), "code": "made-up", "sentence": "It is so."})
    raise made


@routes.get("/errors/{name}")
def raise_named(name: str) -> None:
    raise RAISED[name]


@routes.get("/things/{thing_id}")
def thing(thing_id: UUID, limit: int = 20) -> None:
    pass


@routes.put("/things/{thing_id}")
def put_thing(thing_id: UUID, pair: Pair) -> None:
    pass


@routes.get("/crash")
def crash() -> None:
    raise RuntimeError("ada@example.com in SELECT secret")


RAISED = {
    "rate": RateLimited(retry_after=timedelta(seconds=2.2)),
    "unavailable": Unavailable(),
    "version": errors.VersionMismatch(7),
    "nothing": errors.VersionMismatch(None),
    "fields": ValidationFailed.of([FieldProblem("a.0.b", "is odd"), FieldProblem("c", "is late", "late")]),
    "teapot": HTTPException(418, detail="short and stout"),
}


@pytest.fixture
def client(make_client):
    return make_client(routes)


class TestBody:
    @pytest.mark.parametrize("kind", Kind)
    def test_of_every_kind(self, client, kind):
        answer = client.get(f"/kinds/{kind}", headers={"X-Request-Id": "request-1"})
        assert answer.status_code == STATUS[kind]
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json() == {
            "type": "urn:cas:problem:made-up",
            "title": HTTPStatus(answer.status_code).phrase,
            "status": answer.status_code,
            "detail": "It is so.",
            "message": "It is so.",
            "code": "made-up",
            "instance": f"/kinds/{kind}",
            "request_id": "request-1",
        }

    def test_names_every_bad_field(self, client):
        problem = client.get("/errors/fields").json()
        assert problem["detail"] == "a.0.b: is odd; c: is late"
        assert problem["errors"] == [
            {"field": "a.0.b", "message": "is odd", "code": "invalid"},
            {"field": "c", "message": "is late", "code": "late"},
        ]

    def test_names_the_fields_of_a_refused_document(self, client):
        answer = client.put(f"/things/{UUID(int=1)}", json={"name": "x", "counts": [1, "two"]})
        assert answer.status_code == 422
        problem = answer.json()
        assert problem["code"] == "validation-failed"
        assert [found["field"] for found in problem["errors"]] == ["name", "counts.1"]
        assert isinstance(problem["detail"], str)
        assert "two" not in answer.text

    def test_names_a_bad_query_parameter(self, client):
        answer = client.get(f"/things/{UUID(int=1)}?limit=many")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "limit"

    def test_stays_small_however_many_faults_there_are(self, client):
        answer = client.put(f"/things/{UUID(int=1)}", json={"name": "xy", "counts": ["x"] * 40_000})
        assert answer.status_code == 422
        assert len(answer.json()["errors"]) == MAX_PROBLEMS

    def test_of_an_id_that_is_none_is_404(self, client):
        answer = client.get("/things/not-a-uuid?limit=many")
        assert (answer.status_code, answer.json()["code"]) == (404, "route-not-found")

    @pytest.mark.parametrize("host", ["[", "evil.example/x?", "a b", "", "x:y:z"])
    def test_instance_is_the_path_whatever_the_host_header_says(self, client, host):
        assert client.get("/kinds/conflict", headers={"Host": host}).json()["instance"] == "/kinds/conflict"


class TestHeaders:
    def test_say_when_to_try_again(self, client):
        assert client.get("/errors/rate").headers["retry-after"] == "3"
        assert client.get("/errors/unavailable").headers["retry-after"] == "1"

    def test_name_the_stored_version(self, client):
        answer = client.get("/errors/version")
        assert (answer.status_code, answer.headers["etag"], answer.json()["version"]) == (412, '"7"', 7)

    def test_name_no_version_of_what_does_not_exist(self, client):
        answer = client.get("/errors/nothing")
        assert (answer.status_code, answer.json()["version"]) == (412, None)
        assert "etag" not in answer.headers

    def test_ask_for_a_token(self, client):
        assert client.get("/kinds/unauthenticated").headers["www-authenticate"] == "Bearer"


class TestFramework:
    @pytest.mark.parametrize(
        "path", ["/", "/nowhere", "/kinds", "/things/", "/%00", "/errors/%00", "//crash"]
    )
    def test_unknown_address_is_404(self, client, path):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "route-not-found")

    @pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "TRACE", "INVENTED"])
    def test_wrong_method_is_405_and_names_all_that_are_right(self, client, method):
        answer = client.request(method, f"/things/{UUID(int=1)}")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD, PUT"

    def test_unforeseen_refusal_of_the_framework_is_a_crash(self, client):
        with capture_logs() as logs:
            answer = client.get("/errors/teapot")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
        assert "stout" not in answer.text
        assert [entry["event"] for entry in logs] == ["request_crashed", "request_answered"]


class TestCrash:
    def test_is_answered_without_its_text_and_logged_once(self, client):
        with capture_logs() as logs:
            answer = client.get("/crash", headers={"X-Request-Id": "request-2"})
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"] == "request-2"
        problem = answer.json()
        assert (problem["code"], problem["request_id"]) == ("internal-error", "request-2")
        for leak in ("ada", "SELECT", "Runtime", "Traceback", ".py"):
            assert leak not in answer.text
        crashes = [entry for entry in logs if entry["log_level"] == "error"]
        assert [(entry["event"], entry["exc_info"]) for entry in crashes] == [("request_crashed", True)]
