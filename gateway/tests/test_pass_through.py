"""What the protocol of the auth service needs beyond JSON: it passes as it is."""

import socket
from collections.abc import Callable

import pytest

from .client import Client
from .envoys import wait_until
from .tokens import SigningKey
from .upstream import Upstream

PUBLIC_AUTH = [
    ("POST", "/auth/v1/signup"),
    ("POST", "/auth/v1/token?grant_type=password"),
    ("GET", "/auth/v1/settings"),
]


@pytest.mark.parametrize(("method", "target"), PUBLIC_AUTH)
class TestAnAuthorizationOnAPublicRoute:
    @pytest.mark.parametrize(
        "value",
        [
            "Bearer sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH",
            "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl",
            "Bearer anything at all",
            "Basic YWRhOnNlY3JldA==",
        ],
    )
    def test_need_not_be_a_token_of_ours(
        self, gateway: Client, upstream: Upstream, method: str, target: str, value: str
    ) -> None:
        headers = [("Authorization", value), ("apikey", value.rsplit(maxsplit=1)[-1])]
        assert gateway.call(method, target, headers=headers, body=b"{}").status == 200
        assert upstream.only().values("Authorization") == [value]
        assert upstream.only().values("apikey") == [value.rsplit(maxsplit=1)[-1]]
        assert upstream.only().values("X-User-Id") == []


class TestAnAnswer:
    @pytest.mark.parametrize(
        "location", ["https://app.example/welcome?code=1#a=b", "/relative", "myapp://callback#access_token=x"]
    )
    def test_may_send_the_browser_elsewhere(self, gateway: Client, upstream: Upstream, location: str) -> None:
        quoted = location.replace("#", "%23").replace("&", "%26").replace("?", "%3F")
        answer = gateway.call("GET", f"/auth/v1/settings?location={quoted}")
        assert (answer.status, answer.header("Location"), answer.body) == (303, location, b"")

    def test_may_be_a_page(self, gateway: Client, upstream: Upstream) -> None:
        answer = gateway.call("GET", "/auth/v1/settings?page")
        assert answer.header("Content-Type") == "text/html; charset=utf-8"
        assert answer.body.startswith(b"<!doctype html>")


class TestARequest:
    def test_may_be_a_form(self, gateway: Client, upstream: Upstream) -> None:
        form = b"code=a%20b&state=x"
        kind = [("Content-Type", "application/x-www-form-urlencoded")]
        assert gateway.call("POST", "/auth/v1/token", headers=kind, body=form).status == 200
        assert upstream.only().body == form
        assert upstream.only().values("Content-Type") == ["application/x-www-form-urlencoded"]

    def test_keeps_its_query_as_it_is(self, gateway: Client, upstream: Upstream) -> None:
        target = "/auth/v1/settings?redirect_to=https%3A%2F%2Fapp.example%2F%3Fa%3Db&x=%2e%2e&y=a+b&empty="
        assert gateway.call("GET", target).status == 200
        assert upstream.only().target == target


MIB = 1024 * 1024
UPLOADS = "/api/listings/0b7e5b1c-0d0f-4f6c-8b60-000000000001/images"


class TestAnUpload:
    def test_goes_on_while_it_arrives(self, gateway: Client, upstream: Upstream, key: SigningKey) -> None:
        """Prevents: a bar that is full at once, and then nothing for a minute."""
        before = upstream.body_bytes

        def half_has_arrived() -> bool:
            return upstream.body_bytes - before >= MIB

        status = _send_in_halves(gateway, key, then=lambda: wait_until(half_has_arrived))
        assert status.startswith(b"HTTP/1.1 200")
        assert len(upstream.only().body) == 2 * MIB

    def test_may_be_ten_pictures(self, gateway: Client, upstream: Upstream, key: SigningKey) -> None:
        body = b"x" * (10 * 5 * MIB + MIB)
        assert gateway.call("POST", UPLOADS, token=key.token(), body=body).status == 200
        assert len(upstream.only().body) == len(body)

    def test_needs_a_token_first(self, gateway: Client, upstream: Upstream) -> None:
        assert gateway.call("POST", UPLOADS, body=b"x" * MIB).status == 401
        assert upstream.received == []


def _send_in_halves(gateway: Client, key: SigningKey, *, then: Callable[[], object]) -> bytes:
    """The status line of an upload of 2 MiB, whose second half is sent after `then`."""
    head = f"POST {UPLOADS} HTTP/1.1\r\nHost: {gateway.host}\r\nContent-Length: {2 * MIB}\r\n"
    head += f"Authorization: Bearer {key.token()}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((gateway.host, gateway.port), timeout=20) as connection:
        connection.sendall(head.encode() + b"x" * MIB)
        then()
        connection.sendall(b"x" * MIB)
        return connection.makefile("rb").readline()
