"""Which web pages may call."""

import pytest

from .client import Answer, Client
from .tokens import SigningKey
from .upstream import Upstream

OURS = ["http://localhost:3000", "http://127.0.0.1:3000"]
OTHERS = [
    "https://localhost:3000",
    "http://localhost",
    "http://localhost:3001",
    "http://localhost:30000",
    "http://localhost:300",
    "http://localhost:3000/",
    "http://localhost:3000/path",
    "http://localhost:3000.evil.example",
    "http://evil.example",
    "http://evil.example:3000",
    "http://xlocalhost:3000",
    "http://localhost.evil.example:3000",
    "http://evil.localhost:3000",
    "http://localhost@evil.example:3000",
    "http://evil.example#http://localhost:3000",
    "http://localhost:3000,http://evil.example",
    "http://localhost:3000 http://evil.example",
    "http://127.0.0.1:3000.evil.example",
    "http://127.0.0.2:3000",
    "http://127x0x0x1:3000",
    "http://[::1]:3000",
    "ftp://localhost:3000",
    "file://",
    "localhost:3000",
    "null",
    "*",
    "",
    "http://xn--lcalhost-1za:3000",
]
EXPOSED = {
    "x-supabase-api-version", "x-total-count", "link", "etag", "x-request-id", "ratelimit-limit",
    "ratelimit-remaining", "ratelimit-reset", "retry-after", "idempotency-replayed",
}  # fmt: skip
ALLOWED = {
    "apikey", "authorization", "content-type", "x-client-info", "x-supabase-api-version", "if-match", "if-none-match",
    "idempotency-key", "x-request-id",
}  # fmt: skip


def preflight(gateway: Client, origin: str, *, path: str = "/api/profile") -> Answer:
    asking = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "PATCH"),
        ("Access-Control-Request-Headers", "authorization"),
    ]
    return gateway.call("OPTIONS", path, headers=asking)


def names(answer: Answer, header: str) -> set[str]:
    return {name.strip().lower() for name in str(answer.header(header)).split(",")}


@pytest.mark.parametrize("origin", OURS)
class TestOurPages:
    def test_may_ask_first_without_a_token(self, gateway: Client, origin: str) -> None:
        answer = preflight(gateway, origin)
        assert answer.status == 200
        assert answer.header("Access-Control-Allow-Origin") == origin
        assert names(answer, "Access-Control-Allow-Headers") >= ALLOWED
        assert names(answer, "Access-Control-Allow-Methods") >= {"get", "post", "put", "patch", "delete"}
        assert answer.header("Access-Control-Allow-Credentials") is None

    def test_may_read_the_answer(self, gateway: Client, origin: str) -> None:
        answer = gateway.call("GET", "/auth/v1/settings", headers=[("Origin", origin)])
        assert answer.status == 200
        assert answer.header("Access-Control-Allow-Origin") == origin
        assert names(answer, "Access-Control-Expose-Headers") >= EXPOSED
        assert "origin" in names(answer, "Vary")

    def test_may_read_a_refusal(self, gateway: Client, origin: str) -> None:
        answer = gateway.call("GET", "/api/profile", headers=[("Origin", origin)])
        assert answer.status == 401
        assert answer.header("Access-Control-Allow-Origin") == origin
        assert names(answer, "Access-Control-Expose-Headers") >= EXPOSED

    def test_may_read_that_a_body_is_too_large(
        self, gateway: Client, upstream: Upstream, key: SigningKey, origin: str
    ) -> None:
        body = b"x" * (256 * 1024 + 1)
        answer = gateway.call(
            "POST", "/api/profile", token=key.token(), headers=[("Origin", origin)], body=body
        )
        assert (answer.status, answer.header("Access-Control-Allow-Origin")) == (413, origin)

    def test_may_read_that_a_service_is_away(
        self, gateway: Client, upstream: Upstream, key: SigningKey, origin: str
    ) -> None:
        answer = gateway.call("POST", "/api/profile?reset", token=key.token(), headers=[("Origin", origin)])
        assert (answer.status, answer.header("Access-Control-Allow-Origin")) == (502, origin)


class TestOtherPages:
    def test_are_many(self) -> None:
        assert len(OTHERS) >= 20

    @pytest.mark.parametrize("origin", OTHERS)
    def test_get_no_leave(self, gateway: Client, origin: str) -> None:
        asked = preflight(gateway, origin)
        called = gateway.call("GET", "/auth/v1/settings", headers=[("Origin", origin)])
        for answer in (asked, called):
            assert answer.header("Access-Control-Allow-Origin") is None
            assert "origin" in names(answer, "Vary")

    def test_asking_never_reaches_the_service(self, gateway: Client, upstream: Upstream) -> None:
        for origin in filter(None, (*OURS, *OTHERS)):
            preflight(gateway, origin, path="/api/taxonomy")
        assert [
            request for request in upstream.received if request.values("Access-Control-Request-Method")
        ] == []


def test_two_origins_are_none(gateway: Client) -> None:
    answer = gateway.call(
        "GET", "/auth/v1/settings", headers=[("Origin", OURS[0]), ("Origin", "http://evil.example")]
    )
    assert answer.header("Access-Control-Allow-Origin") != "http://evil.example"
