"""One id follows a request everywhere, and the log tells no secrets."""

import json
import uuid
from pathlib import Path

import pytest

from .client import Client
from .envoys import running_envoy, settings_for, wait_until_keys_are_known
from .tokens import SigningKey
from .upstream import Upstream

GIVEN = ["mine", "6f1c8e0e-3a9b-4a54-8f57-0a4ac6a1d2a3", "a/b:c=d", "x" * 200]
REFUSED = [("GET", "/api/nothing", 404), ("GET", "/api/profile", 401), ("GET", "/auth/v1/nothing", 404)]


@pytest.mark.parametrize("given", GIVEN)
class TestAGivenId:
    def test_reaches_the_service_and_comes_back(
        self, gateway: Client, upstream: Upstream, given: str
    ) -> None:
        answer = gateway.call("GET", "/api/taxonomy", headers=[("X-Request-Id", given)])
        assert upstream.only().values("X-Request-Id") == [given]
        assert answer.header("X-Request-Id") == given

    @pytest.mark.parametrize(("method", "path", "status"), REFUSED)
    def test_comes_back_with_a_refusal(
        self, gateway: Client, given: str, method: str, path: str, status: int
    ) -> None:
        answer = gateway.call(method, path, headers=[("X-Request-Id", given)])
        assert (answer.status, answer.header("X-Request-Id")) == (status, given)


def test_without_one_the_gateway_makes_one(gateway: Client, upstream: Upstream) -> None:
    answers = [gateway.call("GET", "/api/taxonomy") for _ in range(2)]
    made = [str(answer.header("X-Request-Id")) for answer in answers]
    assert [request.values("X-Request-Id") for request in upstream.received] == [[each] for each in made]
    assert len({uuid.UUID(each) for each in made}) == 2


def test_the_log_has_one_line_a_request_and_no_secrets(
    directory: Path, services: Upstream, key: SigningKey
) -> None:
    token, log = key.token(), directory / "access.log"
    with running_envoy(directory, settings_for(services)) as gateway:
        wait_until_keys_are_known(gateway, key)
        headers = [
            ("X-Request-Id", 'quoted " and \\ id'),
            ("Cookie", "canary"),
            ("Referer", "canary"),
            ("User-Agent", "canary"),
        ]
        gateway.call("POST", "/api/profile?code=canary", token=token, headers=headers, body=b"canary")
        gateway.call("GET", "/auth/v1/token?refresh_token=canary", token=token)
        gateway.call("GET", "/api/nothing?canary", token="canary", headers=[("X-Request-Id", "last")])
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert "canary" not in log.read_text()
    assert token not in log.read_text()
    assert [(line["method"], line["path"], line["status"]) for line in lines[-3:]] == [
        ("POST", "/api/profile", 200),
        ("GET", "/auth/v1/token", 404),
        ("GET", "/api/nothing", 404),
    ]
