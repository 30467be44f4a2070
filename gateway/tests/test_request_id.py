"""One id follows a request everywhere, and the log tells no secrets."""

import json
import uuid
from pathlib import Path

import pytest

from .client import Client
from .envoys import running_envoy, settings_for, wait_until_keys_are_known
from .tokens import SigningKey
from .upstream import Upstream

GIVEN = ["mine", "6f1c8e0e-3a9b-4a54-8f57-0a4ac6a1d2a3", "a/b:c=d._+", "x" * 128]
# The services would take none of these, and answer with an id of their own.
UNFIT = ["a b", "<script>", "x" * 129, "a,b", "a;b", '"', "\xe9", ""]
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


@pytest.mark.parametrize("unfit", UNFIT)
class TestAnUnfitId:
    def test_is_replaced_on_the_way_to_the_service(
        self, gateway: Client, upstream: Upstream, unfit: str
    ) -> None:
        answer = gateway.call("GET", "/api/taxonomy", headers=[("X-Request-Id", unfit)])
        made = str(answer.header("X-Request-Id"))
        assert uuid.UUID(made)
        assert upstream.only().values("X-Request-Id") == [made]

    @pytest.mark.parametrize("path", ["/api/nothing", "/api/profile"])
    def test_is_replaced_in_a_refusal(self, gateway: Client, unfit: str, path: str) -> None:
        answer = gateway.call("GET", path, headers=[("X-Request-Id", unfit)])
        assert uuid.UUID(answer.json()["request_id"])
        assert answer.header("X-Request-Id") == answer.json()["request_id"]


def test_two_ids_are_none(gateway: Client, upstream: Upstream) -> None:
    answer = gateway.call("GET", "/api/taxonomy", headers=[("X-Request-Id", "a"), ("X-Request-Id", "b")])
    made = str(answer.header("X-Request-Id"))
    assert uuid.UUID(made)
    assert upstream.only().values("X-Request-Id") == [made]


@pytest.mark.parametrize("target", ["/api/profiles/%00", "/api/x%2fy"])
def test_a_malformed_request_has_one_too(gateway: Client, target: str) -> None:
    answer = gateway.call("GET", target)
    assert answer.status == 400
    assert answer.json()["request_id"]
    assert answer.header("X-Request-Id") == answer.json()["request_id"]


def test_a_request_that_is_no_http_has_one_too(gateway: Client) -> None:
    (answer,) = gateway.send_raw(b"nonsense\r\n\r\n")
    assert answer.status == 400
    assert answer.json()["request_id"]
    assert answer.header("X-Request-Id") == answer.json()["request_id"]


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
        (unreadable,) = gateway.send_raw(b"nonsense\r\n\r\n")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert "canary" not in log.read_text()
    assert token not in log.read_text()
    assert [(line["method"], line["path"], line["status"]) for line in lines[-4:-1]] == [
        ("POST", "/api/profile", 200),
        ("GET", "/auth/v1/token", 404),
        ("GET", "/api/nothing", 404),
    ]
    assert lines[-1]["request_id"] == unreadable.header("X-Request-Id")
