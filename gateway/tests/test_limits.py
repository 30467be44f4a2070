"""How much one caller may ask for, and in which order the gateway looks."""

import time
import uuid
from collections.abc import Iterator

import pytest

from .client import Answer, Client
from .envoys import running_envoy, settings_for, wait_until, wait_until_keys_are_known
from .tokens import SigningKey
from .upstream import Upstream

LIMIT = 20  # a minute, so one more every three seconds: longer than sending twenty takes
RETRY_AFTER = 3
API_BODY, AUTH_BODY = 256 * 1024, 1024 * 1024


@pytest.fixture(scope="module")
def strict(services: Upstream, key: SigningKey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A gateway that gives each caller twenty requests."""
    settings = settings_for(services, user_limit=LIMIT, ip_limit=LIMIT)
    with running_envoy(tmp_path_factory.mktemp("strict"), settings) as client:
        wait_until_keys_are_known(client, key)
        yield client


def a_user() -> str:
    return str(uuid.uuid4())


def use_up(strict: Client, key: SigningKey, user: str) -> Answer:
    """The first answer after twenty good ones."""
    statuses = [strict.call("GET", "/api/profile", token=key.token(user=user)).status for _ in range(LIMIT)]
    assert statuses == [200] * LIMIT
    return strict.call("GET", "/api/profile", token=key.token(user=user))


class TestAUser:
    def test_has_exactly_the_limit_and_is_told_when_to_come_back(
        self, strict: Client, key: SigningKey
    ) -> None:
        user = a_user()
        refused = use_up(strict, key, user)
        started = time.monotonic()
        assert refused.status == 429
        assert refused.header("Retry-After") == str(RETRY_AFTER)
        assert refused.header("RateLimit-Limit") == str(LIMIT)
        assert refused.header("RateLimit-Remaining") == "0"
        assert int(refused.header("RateLimit-Reset") or -1) >= 1
        assert refused.json()["code"] == "rate-limited"
        wait_until(lambda: strict.call("GET", "/api/profile", token=key.token(user=user)).status == 200)
        assert time.monotonic() - started < RETRY_AFTER + 1

    def test_is_told_what_is_left(self, strict: Client, key: SigningKey) -> None:
        answer = strict.call("GET", "/api/profile", token=key.token())
        assert answer.header("RateLimit-Limit") == str(LIMIT)
        assert answer.header("RateLimit-Remaining") == str(LIMIT - 1)
        assert not [
            name
            for name, _ in answer.headers
            if name.lower().startswith("x-") and name.lower() not in {"x-request-id", "x-from-upstream"}
        ]

    def test_is_the_same_with_another_address_and_another_token(
        self, strict: Client, key: SigningKey
    ) -> None:
        user = a_user()
        use_up(strict, key, user)
        elsewhere = strict.call(
            "GET", "/api/profile", token=key.token(user=user, session_id=a_user()), source="127.0.7.7"
        )
        assert elsewhere.status == 429

    def test_cannot_become_another_by_saying_so(self, strict: Client, key: SigningKey) -> None:
        user = a_user()
        use_up(strict, key, user)
        lies = [("X-User-Id", a_user()), ("X-Forwarded-For", "203.0.113.9"), ("X-Real-IP", "203.0.113.9")]
        assert strict.call("GET", "/api/profile", token=key.token(user=user), headers=lies).status == 429

    def test_may_read_the_refusal_from_our_pages(self, strict: Client, key: SigningKey) -> None:
        user, origin = a_user(), "http://localhost:3000"
        use_up(strict, key, user)
        headers = [("Origin", origin), ("X-Request-Id", "mine")]
        refused = strict.call("GET", "/api/profile", token=key.token(user=user), headers=headers)
        assert (refused.status, refused.header("X-Request-Id")) == (429, "mine")
        assert refused.header("Access-Control-Allow-Origin") == origin
        assert "retry-after" in str(refused.header("Access-Control-Expose-Headers")).lower()

    def test_does_not_pay_for_others(self, strict: Client, key: SigningKey) -> None:
        use_up(strict, key, a_user())
        assert strict.call("GET", "/api/profile", token=key.token()).status == 200

    def test_has_one_allowance_for_all_routes_of_a_service_and_one_for_each_service(
        self, strict: Client, key: SigningKey
    ) -> None:
        user = a_user()
        use_up(strict, key, user)
        assert (
            strict.call("DELETE", "/api/account/professional-info", token=key.token(user=user)).status == 429
        )
        assert strict.call("GET", "/api/onboarding/progress", token=key.token(user=user)).status == 200


class TestAnAddress:
    def test_has_exactly_the_limit_on_public_calls(self, strict: Client) -> None:
        calls = [strict.call("GET", "/api/taxonomy", source="127.0.3.1").status for _ in range(LIMIT + 1)]
        assert calls == [200] * LIMIT + [429]
        assert strict.call("GET", "/api/taxonomy", source="127.0.3.2").status == 200

    def test_cannot_become_another_by_saying_so(self, strict: Client) -> None:
        statuses = [
            strict.call(
                "GET", "/api/taxonomy", source="127.0.3.3", headers=[(name, f"203.0.113.{number}")]
            ).status
            for number in range(12)
            for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP")
        ]
        assert statuses.count(200) == LIMIT

    def test_is_told_in_the_words_of_the_auth_service(self, strict: Client) -> None:
        for _ in range(LIMIT):
            strict.call("POST", "/auth/v1/token", source="127.0.3.4")
        refused = strict.call("POST", "/auth/v1/token", source="127.0.3.4")
        assert refused.status == 429
        assert refused.json()["error_code"] == "over_request_rate_limit"
        assert refused.header("Retry-After") == str(RETRY_AFTER)


class TestWhatIsNotCounted:
    def test_refused_tokens(self, strict: Client, key: SigningKey) -> None:
        user = a_user()
        for _ in range(LIMIT + 5):
            assert strict.call("GET", "/api/profile", token=key.token(user=user, exp=1)).status == 401
        assert use_up(strict, key, user).status == 429

    def test_preflights(self, strict: Client) -> None:
        preflight = [("Origin", "http://localhost:3000"), ("Access-Control-Request-Method", "GET")]
        for _ in range(LIMIT + 5):
            answer = strict.call("OPTIONS", "/api/taxonomy", headers=preflight, source="127.0.3.5")
            assert answer.status == 200
        assert strict.call("GET", "/api/taxonomy", source="127.0.3.5").header("RateLimit-Remaining") == str(
            LIMIT - 1
        )


@pytest.mark.parametrize("chunked", [False, True])
class TestABody:
    @pytest.mark.parametrize(
        ("path", "size"),
        [
            ("/api/onboarding/save-progress", API_BODY),
            ("/api/profile", API_BODY),
            ("/auth/v1/logout", AUTH_BODY),
        ],
    )
    def test_may_be_as_large_as_the_limit(
        self, gateway: Client, upstream: Upstream, key: SigningKey, path: str, size: int, chunked: bool
    ) -> None:
        body = b"x" * size
        assert gateway.call("POST", path, token=key.token(), body=body, chunked=chunked).status == 200
        assert upstream.only().body == body

    @pytest.mark.parametrize(
        ("path", "size"),
        [
            ("/api/onboarding/save-progress", API_BODY),
            ("/api/profile", API_BODY),
            ("/auth/v1/logout", AUTH_BODY),
        ],
    )
    def test_may_not_be_larger(
        self, gateway: Client, upstream: Upstream, key: SigningKey, path: str, size: int, chunked: bool
    ) -> None:
        answer = gateway.call("POST", path, token=key.token(), body=b"x" * (size + 1), chunked=chunked)
        assert answer.status == 413
        assert answer.json()["code"] in {"body-too-large", "request_entity_too_large"}
        assert upstream.received == []

    def test_is_looked_at_after_the_token(self, gateway: Client, chunked: bool) -> None:
        too_large = b"x" * (API_BODY + 1)
        assert (
            gateway.call("POST", "/api/profile", token="bad", body=too_large, chunked=chunked).status == 401
        )

    def test_is_looked_at_before_the_rate(self, strict: Client, key: SigningKey, chunked: bool) -> None:
        user = a_user()
        use_up(strict, key, user)
        too_large = b"x" * (API_BODY + 1)
        answer = strict.call(
            "POST", "/api/profile", token=key.token(user=user), body=too_large, chunked=chunked
        )
        assert answer.status == 413
