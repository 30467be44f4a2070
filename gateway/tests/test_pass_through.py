"""What the protocol of the auth service needs beyond JSON: it passes as it is."""

import pytest

from .client import Client
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
