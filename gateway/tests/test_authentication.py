"""Who gets through to a protected route, and who does not."""

from pathlib import Path
from typing import Any

import pytest

from cas_gateway.filters import JWT
from cas_gateway.providers import CALLER
from cas_kit.testing.forgeries import GOOD

from .client import Client
from .envoys import running_envoy, settings_for, wait_until, wait_until_keys_are_known
from .tokens import SigningKey, forged, forger
from .upstream import Upstream, running_upstream

PROTECTED = [
    ("GET", "/auth/v1/user"),
    ("PUT", "/auth/v1/user"),
    ("POST", "/auth/v1/logout"),
    ("GET", "/api/profile"),
    ("POST", "/api/profile"),
    ("PATCH", "/api/profile"),
    ("GET", "/api/account/professional-info"),
    ("POST", "/api/account/professional-info"),
    ("PATCH", "/api/account/professional-info"),
    ("DELETE", "/api/account/professional-info"),
    ("POST", "/api/onboarding/save-progress"),
    ("GET", "/api/onboarding/progress"),
    ("GET", "/api/onboarding/progress/tutor"),
    ("DELETE", "/api/onboarding/progress/tutor"),
]
PUBLIC = [
    ("POST", "/auth/v1/signup", "auth"),
    ("POST", "/auth/v1/token?grant_type=password", "auth"),
    ("GET", "/auth/v1/settings", "auth"),
    ("GET", "/auth/v1/health", "auth"),
    ("GET", "/auth/v1/.well-known/jwks.json?record", "auth"),
    ("GET", "/api/taxonomy", "account"),
    ("GET", "/api/health", "account"),
    ("GET", "/health", "account"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
class TestAProtectedRoute:
    def test_refuses_a_caller_without_token(self, gateway: Client, method: str, path: str) -> None:
        answer = gateway.call(method, path)
        assert answer.status == 401
        assert isinstance(answer.json()["message"], str)
        assert str(answer.header("WWW-Authenticate")).startswith("Bearer")

    def test_lets_a_user_through(
        self, gateway: Client, upstream: Upstream, key: SigningKey, method: str, path: str
    ) -> None:
        user, token = (
            "6f1c8e0e-3a9b-4a54-8f57-0a4ac6a1d2a3",
            key.token(user="6f1c8e0e-3a9b-4a54-8f57-0a4ac6a1d2a3"),
        )
        answer = gateway.call(method, path, token=token)
        request = upstream.only()
        assert answer.status == 200
        assert (request.method, request.target) == (method, path)
        assert request.values("X-User-Id") == [user]
        assert request.values("X-User-Role") == ["authenticated"]
        assert request.values("Authorization") == [f"Bearer {token}"]


@pytest.mark.parametrize(("method", "path", "service"), PUBLIC)
def test_a_public_route_wants_no_token(
    gateway: Client, upstream: Upstream, method: str, path: str, service: str
) -> None:
    assert gateway.call(method, path).status == 200
    assert upstream.only().service == service


class TestForgedTokens:
    def test_there_are_enough_of_them(self, key: SigningKey) -> None:
        assert len(forged(key)) >= 150

    def test_none_opens_a_protected_route(self, gateway: Client, key: SigningKey) -> None:
        answers = {
            name: gateway.call("GET", "/api/profile", headers=[("Authorization", value)])
            for name, value in forged(key).items()
        }
        assert {name: answer.status for name, answer in answers.items() if answer.status != 401} == {}
        assert {name for name, answer in answers.items() if not answer.json()["message"]} == set()
        assert {name for name, answer in answers.items() if not answer.header("WWW-Authenticate")} == set()

    @pytest.mark.parametrize("name", GOOD)
    def test_are_made_from_good_ones(
        self, gateway: Client, upstream: Upstream, key: SigningKey, name: str
    ) -> None:
        assert gateway.call("GET", "/api/profile", token=GOOD[name](forger(key))).status == 200

    def test_none_reaches_the_service(self, gateway: Client, upstream: Upstream, key: SigningKey) -> None:
        for value in forged(key).values():
            gateway.call("GET", "/api/profile", headers=[("Authorization", value)])
        assert upstream.received == []

    def test_a_public_service_judges_them_itself(
        self, gateway: Client, upstream: Upstream, key: SigningKey
    ) -> None:
        bad = forged(key)
        for value in bad.values():
            gateway.call("GET", "/api/taxonomy", headers=[("Authorization", value)])
        assert [request.values("Authorization") for request in upstream.received] == [
            [v.strip()] for v in bad.values()
        ]

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_second_authorization_header_helps_nobody(
        self, gateway: Client, upstream: Upstream, key: SigningKey, order: int
    ) -> None:
        both = [("Authorization", "Bearer x.y.z"), ("Authorization", f"Bearer {key.token()}")][::order]
        assert gateway.call("GET", "/api/profile", headers=both).status == 401

    @pytest.mark.parametrize("parameter", ["jwt", "access_token", "token"])
    def test_a_token_in_the_address_is_none(
        self, gateway: Client, upstream: Upstream, key: SigningKey, parameter: str
    ) -> None:
        assert gateway.call("GET", f"/api/profile?{parameter}={key.token()}").status == 401

    def test_a_token_in_a_cookie_is_none(self, gateway: Client, upstream: Upstream, key: SigningKey) -> None:
        cookie = f"jwt={key.token()}; access_token={key.token()}"
        assert gateway.call("GET", "/api/profile", headers=[("Cookie", cookie)]).status == 401


class TestTheAnswer:
    def test_says_whether_a_token_was_missing_or_bad(self, gateway: Client) -> None:
        missing, bad = gateway.call("GET", "/api/profile"), gateway.call("GET", "/api/profile", token="bad")
        assert missing.json()["detail"] == "Missing or invalid authorization header"
        assert bad.json()["detail"] == "Invalid token"

    def test_is_a_problem_under_api(self, gateway: Client) -> None:
        answer = gateway.call("GET", "/api/profile", token="bad", headers=[("X-Request-Id", "mine")])
        assert answer.header("Content-Type") == "application/problem+json"
        assert answer.json() == {
            "type": "urn:cas:problem:unauthenticated",
            "title": "Unauthorized",
            "status": 401,
            "detail": "Invalid token",
            "message": "Invalid token",
            "code": "unauthenticated",
            "request_id": "mine",
        }

    def test_is_for_supabase_clients_under_auth(self, gateway: Client) -> None:
        answer = gateway.call("GET", "/auth/v1/user", headers=[("X-Supabase-Api-Version", "2024-01-01")])
        assert answer.json() == {
            "code": "no_authorization",
            "error_code": "no_authorization",
            "message": "This endpoint requires a valid Bearer token",
            "msg": "This endpoint requires a valid Bearer token",
        }
        assert answer.header("Content-Type") == "application/json"
        assert answer.header("X-Sb-Error-Code") == "no_authorization"
        assert answer.header("X-Supabase-Api-Version") == "2024-01-01"

    def test_does_not_repeat_what_was_asked(self, gateway: Client) -> None:
        answer = gateway.call("GET", "/api/profile?secret=canary", token="bad")
        assert "canary" not in f"{answer.headers}{answer.body!r}"


def fetch_keys_every_second(bootstrap: Any) -> None:
    """Envoy renews keys five seconds before they would expire."""
    connections = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0][
        "typed_config"
    ]
    jwt = next(each for each in connections["http_filters"] if each["name"] == JWT)
    jwt["typed_config"]["providers"][CALLER]["remote_jwks"]["cache_duration"] = "6s"


class TestKeys:
    def test_a_new_key_is_learned_and_a_removed_one_forgotten(self, directory: Path) -> None:
        old, new = SigningKey("old"), SigningKey("new")
        with running_upstream() as services:
            services.keys[:] = [old.public_jwk]
            with running_envoy(directory, settings_for(services), tune=fetch_keys_every_second) as gateway:
                # From the third fetch on they are those of the timer, not of the start.
                wait_until(lambda: services.key_fetches > 2)
                wait_until_keys_are_known(gateway, old)
                services.keys[:] = [new.public_jwk]
                wait_until_keys_are_known(gateway, new)
                assert gateway.call("GET", "/api/profile", token=old.token()).status == 401

    def test_without_any_key_nobody_is_signed_out(
        self, directory: Path, services: Upstream, key: SigningKey
    ) -> None:
        settings = settings_for(services, jwks_url="http://127.0.0.1:1/jwks.json")
        with running_envoy(directory, settings) as gateway:
            answer = gateway.call("GET", "/api/profile", token=key.token())
        assert answer.status == 503
        assert answer.header("Retry-After") == "1"
        assert answer.json()["code"] == "unavailable"

    def test_known_keys_serve_on_while_the_auth_service_is_away(
        self, directory: Path, key: SigningKey
    ) -> None:
        with running_upstream() as services:
            services.keys.append(key.public_jwk)
            with running_envoy(directory, settings_for(services), tune=fetch_keys_every_second) as gateway:
                wait_until(lambda: services.key_fetches > 2)
                wait_until_keys_are_known(gateway, key)
                services.lost_its_keys, tries = True, services.key_fetches
                wait_until(lambda: services.key_fetches > tries + 1)
                assert gateway.call("GET", "/api/profile", token=key.token()).status == 200
