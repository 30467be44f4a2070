"""Programs that administer users: their tokens name no user, and open the routes of administrators alone."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from .client import Client
from .envoys import running_envoy, settings_for, wait_until_keys_are_known
from .tokens import NOBODYS, SigningKey, forged
from .upstream import Upstream

LIMIT = 20
PATH = "/auth/v1/admin/only-in-tests"


def with_an_administrators_route(document: Any) -> None:
    protected = next(each for each in document["services"] if each["name"] == "auth-protected")
    service = deepcopy(protected) | {"name": "auth-admin-of-tests"}
    identity = next(each for each in service["plugins"] if each["name"] == "caller-identity")
    identity["config"]["needs_user"] = False
    route = service["routes"][0] | {"name": "only-in-tests", "paths": [f"~{PATH}$", f"~{PATH}/[^/]+$"]}
    document["services"].append(service | {"routes": [route]})


@pytest.fixture(scope="module")
def admin(services: Upstream, key: SigningKey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    settings = settings_for(services, user_limit=LIMIT)
    directory = tmp_path_factory.mktemp("admin")
    with running_envoy(directory, settings, change=with_an_administrators_route) as client:
        wait_until_keys_are_known(client, key)
        yield client


def program(key: SigningKey, **claims: Any) -> str:
    return key.token(**{"sub": None, "role": "service_role", **claims})


class TestAProgram:
    def test_gets_through_and_is_nobody(self, admin: Client, upstream: Upstream, key: SigningKey) -> None:
        token = program(key)
        assert admin.call("GET", f"{PATH}/7", token=token, source="127.0.4.1").status == 200
        request = upstream.only()
        assert request.values("X-User-Id") == []
        assert request.values("X-User-Role") == ["service_role"]
        assert request.values("Authorization") == [f"Bearer {token}"]

    def test_does_not_open_the_routes_of_users(
        self, admin: Client, upstream: Upstream, key: SigningKey
    ) -> None:
        for path in ("/api/profile", "/auth/v1/user", "/api/onboarding/progress"):
            assert admin.call("GET", path, token=program(key)).status == 401
        assert upstream.received == []

    def test_has_to_prove_itself_like_everybody(
        self, admin: Client, upstream: Upstream, key: SigningKey
    ) -> None:
        bad = {name: value for name, value in forged(key).items() if name not in NOBODYS}
        statuses = {
            name: admin.call("GET", PATH, headers=[("Authorization", value)]).status
            for name, value in bad.items()
        }
        assert {name: status for name, status in statuses.items() if status != 401} == {}
        for claims in ({"exp": 1}, {"iss": "https://other.example"}, {"aud": "other"}, {"exp": None}):
            assert admin.call("GET", PATH, token=program(key, **claims)).status == 401
        assert admin.call("GET", PATH).status == 401
        assert upstream.received == []

    def test_is_counted_by_its_address(self, admin: Client, key: SigningKey) -> None:
        calls = [admin.call("GET", PATH, token=program(key), source="127.0.4.2") for _ in range(LIMIT + 1)]
        assert [call.status for call in calls] == [200] * LIMIT + [429]
        assert admin.call("GET", PATH, token=program(key), source="127.0.4.3").status == 200


class TestAUser:
    def test_is_named_to_the_service_which_decides(
        self, admin: Client, upstream: Upstream, key: SigningKey
    ) -> None:
        user = "6f1c8e0e-3a9b-4a54-8f57-0a4ac6a1d2a3"
        assert admin.call("GET", PATH, token=key.token(user=user)).status == 200
        assert upstream.only().values("X-User-Id") == [user]

    def test_is_counted_by_name_from_every_address(self, admin: Client, key: SigningKey) -> None:
        user = "6f1c8e0e-3a9b-4a54-8f57-0a4ac6a1d2a4"
        calls = [
            admin.call("GET", PATH, token=key.token(user=user), source=f"127.0.5.{number + 1}")
            for number in range(LIMIT + 1)
        ]
        assert [call.status for call in calls] == [200] * LIMIT + [429]
