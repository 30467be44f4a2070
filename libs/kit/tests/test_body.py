"""What is not a clean, small JSON document never reaches an endpoint."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from cas_kit import rest
from cas_kit.body import MAX_DEPTH, MAX_NUMBER, JsonRoute, parse_json
from cas_kit.errors import MalformedJson, ValidationFailed

JSON = {"Content-Type": "application/json"}


class Document(BaseModel):
    value: Any = "absent"


class BeaconRoute(JsonRoute):
    json_content_types = JsonRoute.json_content_types | {"text/plain"}


routes = rest.router(tags=["body"])
beacons = rest.router(tags=["beacons"], route_class=BeaconRoute)


def echo(document: Document):
    return rest.json_response(document.value)


def echo_optional(document: Document | None = None):
    return rest.json_response(None if document is None else document.value)


routes.add_api_route("/echo", echo, methods=["POST"], response_model=None)
routes.add_api_route("/optional", echo_optional, methods=["POST"], response_model=None)
beacons.add_api_route("/beacon", echo, methods=["POST"], response_model=None)


@pytest.fixture
def client(make_client):
    return make_client(routes, beacons)


def deep(levels):
    return b"[" * levels + b"]" * levels


class TestParseJson:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" ",
            b"{",
            b"{'a':1}",
            b'{"a":1,}',
            b'{"a":1} x',
            b"NaN",
            b'{"a":NaN}',
            b"[Infinity]",
            b"[-Infinity]",
            b"[1e400]",
            b"[01]",
            b"[1.]",
            b"[.5]",
            b"[+1]",
            b"[0x10]",
            b"[" + b"9" * 5000 + b"]",
            b"\xff",
            b'"\xff"',
            b'"\xed\xa0\x80"',
            b'"\\ud800"',
            b'"\\x41"',
            b'"line\nbreak"',
            b'"\x00"',
            b'\xef\xbb\xbf{"a":1}',
            '{"a":1}'.encode("utf-16"),
            b"// comment\n{}",
        ],
    )
    def test_refuses_what_is_not_json(self, body):
        with pytest.raises(MalformedJson):
            parse_json(body)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (b'{"a":{"b":["x","\\u0000"]}}', "a.b.1"),
            (b'{"a":{"\\u0000":1}}', "a"),
            (b'"\\u0000"', "body"),
            (b'{"n":9007199254740993}', "n"),
            (b'{"n":-9007199254740993}', "n"),
            (b'{"n":123456789012345678901234567890}', "n"),
            (b'{"n":1e300}', "n"),
            (deep(MAX_DEPTH + 2), "0.0.0"),
            (deep(100_000), "body"),
            (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "body"),
        ],
        ids=lambda value: value if isinstance(value, str) else str(value[:16]),
    )
    def test_refuses_what_no_field_can_hold(self, body, field):
        with pytest.raises(ValidationFailed) as refusal:
            parse_json(body)
        assert [problem.field for problem in refusal.value.problems] == [field]

    @pytest.mark.parametrize(
        "value",
        [None, True, 0, -1, 1.5, MAX_NUMBER, -MAX_NUMBER, "", "ä€😀\n", [], {}, {"a": [{"b": None}]}],
        ids=repr,
    )
    def test_gives_back_what_was_sent(self, value):
        assert parse_json(json.dumps(value).encode()) == value
        assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value

    def test_allows_the_deepest_nesting(self):
        assert parse_json(deep(MAX_DEPTH + 1))

    @given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
    def test_refuses_or_returns_whatever_comes(self, body):
        try:
            document = parse_json(body)
        except (MalformedJson, ValidationFailed):
            return
        assert json.loads(body) == document


class TestRoute:
    def test_gives_the_document_to_the_endpoint(self, client):
        assert client.post("/echo", json={"value": {"x": [1, "ä"]}}).json() == {"x": [1, "ä"]}

    @pytest.mark.parametrize(
        "kind", ["application/json", "Application/JSON; charset=utf-8", "application/json ;x"]
    )
    def test_takes_json_however_it_is_written(self, client, kind):
        answer = client.post("/echo", content=b'{"value":1}', headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()) == (200, 1)

    @pytest.mark.parametrize(
        "kind",
        [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonp",
            "",
        ],
    )
    def test_other_content_types_are_415(self, client, kind):
        answer = client.post("/echo", content=b'{"value":1}', headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")

    def test_missing_content_type_is_415(self, client):
        assert client.post("/echo", content=b'{"value":1}').status_code == 415

    def test_a_route_class_may_take_more_types(self, client):
        answer = client.post(
            "/beacon", content=b'{"value":1}', headers={"Content-Type": "text/plain;charset=UTF-8"}
        )
        assert (answer.status_code, answer.json()) == (200, 1)

    def test_missing_body_is_422_where_one_is_needed(self, client):
        answer = client.post("/echo", headers=JSON)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")

    def test_missing_body_is_fine_where_none_is_needed(self, client):
        assert client.post("/optional").json() is None
        assert client.post("/optional", content=b"", headers={"Content-Type": "text/plain"}).json() is None

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{", 400),
            (b"\xff", 400),
            (b"NaN", 400),
            (deep(100_000), 422),
            (b"null", 422),
            (b"[]", 422),
            (b"1", 422),
        ],
        ids=lambda value: str(value)[:16],
    )
    def test_bad_documents_are_refused(self, client, body, status):
        answer = client.post("/echo", content=body, headers=JSON)
        assert answer.status_code == status
        assert answer.json()["code"] == ("malformed-json" if status == 400 else "validation-failed")


class TestLimit:
    LIMIT = 256 * 1024

    def test_a_body_of_exactly_the_limit_passes(self, client):
        body = b'{"value":"' + b"x" * (self.LIMIT - 12) + b'"}'
        assert len(body) == self.LIMIT
        assert client.post("/echo", content=body, headers=JSON).status_code == 200

    def test_a_longer_body_is_413(self, client):
        body = b'{"value":"' + b"x" * (self.LIMIT - 11) + b'"}'
        answer = client.post("/echo", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
        assert answer.headers["x-request-id"]

    def test_is_the_applications_own(self, make_client):
        client = make_client(routes, body_limit=20)
        assert client.post("/echo", content=b'{"value":"1234567"}', headers=JSON).status_code == 200
        assert client.post("/echo", content=b'{"value":"123456789"}', headers=JSON).status_code == 413
