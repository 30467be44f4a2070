"""What the caller learns when a service fails, and how often the service is asked."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cas_local.ports import free_port

from .client import Client
from .envoys import running_envoy, settings_for, wait_until_keys_are_known
from .tokens import SigningKey
from .upstream import Upstream

TIMEOUT = 0.3
RETRIES = 1
BODIED = ["POST", "PATCH", "DELETE"]


@pytest.fixture(scope="module")
def impatient(
    services: Upstream, key: SigningKey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A gateway that waits 300 ms for a service."""

    def hurry(document: Any) -> None:
        for service in document["services"]:
            service["read_timeout"] = service["write_timeout"] = int(TIMEOUT * 1000)

    with running_envoy(tmp_path_factory.mktemp("impatient"), settings_for(services), change=hurry) as client:
        wait_until_keys_are_known(client, key)
        yield client


class TestASlowService:
    def test_is_asked_again_for_a_safe_request_and_given_up(
        self, impatient: Client, upstream: Upstream, key: SigningKey
    ) -> None:
        started = time.monotonic()
        answer = impatient.call("GET", "/api/profile?delay=5", token=key.token())
        assert answer.status == 504
        assert answer.json()["code"] == "timeout"
        assert time.monotonic() - started < (1 + RETRIES) * TIMEOUT + 0.5
        assert len(upstream.received) == 1 + RETRIES

    @pytest.mark.parametrize("method", BODIED)
    def test_is_asked_once_for_any_other(
        self, impatient: Client, upstream: Upstream, key: SigningKey, method: str
    ) -> None:
        answer = impatient.call(
            method, "/api/account/professional-info?delay=5", token=key.token(), body=b"{}"
        )
        assert answer.status == 504
        assert len(upstream.received) == 1

    def test_is_a_timeout_in_the_words_of_the_auth_service(
        self, impatient: Client, upstream: Upstream
    ) -> None:
        answer = impatient.call("POST", "/auth/v1/token?delay=5", body=b"{}")
        assert (answer.status, answer.json()["error_code"]) == (504, "request_timeout")


class TestAServiceThatHangsUp:
    def test_is_asked_again_for_a_safe_request(
        self, gateway: Client, upstream: Upstream, key: SigningKey
    ) -> None:
        answer = gateway.call("GET", "/api/profile?reset", token=key.token())
        assert answer.status == 502
        assert answer.json()["code"] == "unavailable"
        assert len(upstream.received) == 1 + RETRIES

    @pytest.mark.parametrize("method", BODIED)
    def test_is_asked_once_for_any_other(
        self, gateway: Client, upstream: Upstream, key: SigningKey, method: str
    ) -> None:
        answer = gateway.call(method, "/api/account/professional-info?reset", token=key.token(), body=b"{}")
        assert answer.status == 502
        assert len(upstream.received) == 1


class TestAServiceThatIsDown:
    @pytest.mark.parametrize(("method", "path"), [("GET", "/api/taxonomy"), ("POST", "/auth/v1/token")])
    def test_is_a_bad_gateway(self, directory: Path, services: Upstream, method: str, path: str) -> None:
        nobody = f"http://127.0.0.1:{free_port()}"
        settings = settings_for(services, auth_url=nobody, account_url=nobody)
        with running_envoy(directory, settings) as gateway:
            answer = gateway.call(method, path)
        assert answer.status == 502
        assert answer.json()["message"] == "The service cannot answer right now. Try again in a moment."


@pytest.mark.parametrize(
    "status", [201, 204, 304, 400, 401, 403, 404, 409, 412, 413, 422, 429, 500, 502, 503, 504]
)
def test_what_a_service_answers_passes_unchanged(
    gateway: Client, upstream: Upstream, key: SigningKey, status: int
) -> None:
    answer = gateway.call("GET", f"/api/profile?status={status}", token=key.token())
    assert answer.status == status
    assert answer.header("X-From-Upstream") == "yes"
    assert answer.body == (b"" if status in {204, 304} else b'{"service": "account"}')
    assert len(upstream.received) == 1


class TestHead:
    def test_is_get_without_a_body(self, gateway: Client) -> None:
        head, get = gateway.call("HEAD", "/auth/v1/settings"), gateway.call("GET", "/auth/v1/settings")
        assert head.status == get.status
        assert head.header("Content-Type") == get.header("Content-Type")
        assert head.body == b""

    def test_wants_a_token_too(self, gateway: Client) -> None:
        answer = gateway.call("HEAD", "/api/profile")
        assert (answer.status, answer.body) == (401, b"")


def test_a_plain_options_request_wants_a_token_too(gateway: Client) -> None:
    assert gateway.call("OPTIONS", "/api/profile").status == 401


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
def test_an_upgrade_is_not_offered(gateway: Client, upstream: Upstream, upgrade: str) -> None:
    headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", upgrade),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    answer = gateway.call("GET", "/api/taxonomy", headers=headers)
    assert answer.status in {200, 403, 404}
    assert answer.status != 101
