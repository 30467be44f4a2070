"""Which address leads where."""

import pytest

from .client import Client
from .tokens import SigningKey
from .upstream import Upstream

NOWHERE = [
    "/",
    "/api",
    "/api/",
    "/api/account",
    "/api/accountfoo",
    "/api/profiles",
    "/api/profile/",
    "/api/profile/x",
    "/api/profilefoo",
    "/API/profile",
    "/api/onboarding",
    "/api/onboarding/progress/",
    "/api/onboarding/progress/tutor/x",
    "/api/onboarding/save-progress/x",
    "/healthz",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/auth",
    "/auth/v1",
    "/auth/v1/",
    "/auth/v1/admin",
    "/auth/v1/.well-known/jwksxjson",
    "/auth/v2/token",
    "/stats",
]
SAME = [
    "/api/./taxonomy",
    "/api/x/../taxonomy",
    "/api/%2e/taxonomy",
    "/api/x/%2e%2e/taxonomy",
    "/api/x/%2E%2E/taxonomy",
    "/x/.%2e/api/taxonomy",
    "//api/taxonomy",
    "/api//taxonomy",
    "/api/%74axonomy",
    "/%61pi/taxonomy",
    "/auth/v1/../../api/taxonomy",
]
ENCODED_SLASHES = [
    "/api/account%2f..%2ftaxonomy",
    "/auth/v1/..%2f..%2fapi/taxonomy",
    "/api%2ftaxonomy",
    "/api/taxonomy%2f..%2f..%2fauth%2fv1%2fsettings",
    "/api/onboarding/progress/..%2f..%2ftaxonomy",
    "/api/%5c..%5ctaxonomy",
]


@pytest.mark.parametrize("path", NOWHERE)
def test_there_is_nothing_elsewhere(gateway: Client, path: str) -> None:
    answer = gateway.call("GET", path)
    assert answer.status == 404
    assert answer.header("RateLimit-Limit") is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/profile"),
        ("GET", "/auth/v1/token"),
        ("POST", "/api/taxonomy"),
        ("TRACE", "/api/taxonomy"),
    ],
)
def test_there_is_nothing_for_another_method(gateway: Client, method: str, path: str) -> None:
    assert gateway.call(method, path).status == 404


@pytest.mark.parametrize("path", SAME)
def test_a_roundabout_address_is_the_plain_one(gateway: Client, upstream: Upstream, path: str) -> None:
    assert gateway.call("GET", path).status == 200
    assert (upstream.only().service, upstream.only().target) == ("account", "/api/taxonomy")


@pytest.mark.parametrize(
    "path", ["/api/x/../profile", "/auth/v1/token/../../../api/profile", "//api/%70rofile"]
)
def test_no_roundabout_way_leads_past_the_token(gateway: Client, path: str) -> None:
    assert gateway.call("GET", path).status == 401


@pytest.mark.parametrize("path", ENCODED_SLASHES)
def test_an_encoded_slash_leads_nowhere_else(gateway: Client, key: SigningKey, path: str) -> None:
    answer = gateway.call("GET", path, token=key.token())
    assert answer.status in {400, 401, 404}


def test_the_query_is_forwarded_as_it_is(gateway: Client, upstream: Upstream) -> None:
    target = "/api/taxonomy?a=1&a=2&b=%2F..%2F&c=//x&d=%61"
    assert gateway.call("GET", target).status == 200
    assert upstream.only().target == target


class TestTheAnswer:
    def test_is_a_problem_under_api(self, gateway: Client) -> None:
        answer = gateway.call("GET", "/api/nothing", headers=[("X-Request-Id", "mine")])
        assert answer.header("Content-Type") == "application/problem+json"
        assert answer.json() == {
            "type": "urn:cas:problem:route-not-found",
            "title": "Not Found",
            "status": 404,
            "detail": "There is nothing at this address.",
            "message": "There is nothing at this address.",
            "code": "route-not-found",
            "request_id": "mine",
        }

    @pytest.mark.parametrize(
        "path", ["/api/profiles", "/api/profiles/x/y", "/api/marketplace", "/api/ai/x", "/api/user/x"]
    )
    def test_says_it_as_error_too_where_the_web_client_reads_that(self, gateway: Client, path: str) -> None:
        body = gateway.call("GET", path).json()
        assert body["error"] == body["detail"] == "There is nothing at this address."

    def test_says_it_as_error_too_when_it_is_about_token_or_body(
        self, gateway: Client, key: SigningKey
    ) -> None:
        body = b"x" * (256 * 1024 + 1)
        answers = [
            gateway.call("POST", "/api/user/delete", token=token, body=body) for token in (None, key.token())
        ]
        assert [(answer.status, answer.json()["error"]) for answer in answers] == [
            (401, "Missing or invalid authorization header"),
            (413, "The request body is too large."),
        ]

    def test_is_for_supabase_clients_under_auth(self, gateway: Client) -> None:
        answer = gateway.call("GET", "/auth/v1/nothing")
        assert answer.json() == {
            "code": "validation_failed",
            "error_code": "validation_failed",
            "message": "There is nothing at this address.",
            "msg": "There is nothing at this address.",
        }


class TestTheHost:
    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost:8000", "127.0.0.1", "127.0.0.1:1"])
    def test_ours_is_served(self, gateway: Client, host: str) -> None:
        assert gateway.call("GET", "/auth/v1/settings", headers=[("Host", host)]).status == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "localhost.evil.example", "xlocalhost", "127.0.0.2", "", "localhost@evil"]
    )
    def test_another_is_not(self, gateway: Client, host: str) -> None:
        assert gateway.call("GET", "/auth/v1/settings", headers=[("Host", host)]).status in {400, 404}

    def test_the_service_is_told_its_own_name_and_the_public_one(
        self, gateway: Client, upstream: Upstream
    ) -> None:
        gateway.call(
            "GET", "/api/taxonomy", headers=[("Host", "localhost:8000"), ("X-Forwarded-Host", "evil.example")]
        )
        request = upstream.only()
        assert request.values("Host") == [upstream.urls["account"].removeprefix("http://")]
        assert request.values("X-Forwarded-Host") == ["localhost:8000"]
