"""Nobody but the gateway says who calls and from where."""

import pytest

from .client import Client
from .tokens import SigningKey
from .upstream import Received, Upstream

LIE = "00000000-0000-4000-8000-000000000bad"
NAMES = [
    "X-User-Id",
    "X-User-Role",
    "X-User-Email",
    "X-Consumer-Id",
    "X-Consumer-Username",
    "X-Consumer-Custom-Id",
    "X-Consumer-Groups",
    "X-Credential-Identifier",
    "X-Anonymous-Consumer",
    "X-Authenticated-Userid",
    "X-Authenticated-Scope",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Path",
    "X-Forwarded-Prefix",
    "X-Forwarded-Client-Cert",
    "Forwarded",
    "X-Real-IP",
    "X-Middleware-Subrequest",
    "X-Envoy-External-Address",
    "X-Envoy-Retry-On",
    "X-Envoy-Max-Retries",
    "X-Envoy-Upstream-Rq-Timeout-Ms",
    "X-Envoy-Original-Path",
]
SPELLINGS = [str.lower, str.upper, str.title, str.swapcase]


def believes(request: Received) -> bool:
    return any(LIE in value for _, value in request.headers)


@pytest.mark.parametrize("name", NAMES)
class TestAClaimedIdentity:
    def test_is_dropped_on_a_public_route(self, gateway: Client, upstream: Upstream, name: str) -> None:
        for spell in SPELLINGS:
            gateway.call("GET", "/api/taxonomy", headers=[(spell(name), LIE)])
        assert len(upstream.received) == len(SPELLINGS)
        assert not any(believes(request) for request in upstream.received)

    def test_is_dropped_on_a_protected_route(
        self, gateway: Client, upstream: Upstream, key: SigningKey, name: str
    ) -> None:
        user = "6f1c8e0e-3a9b-4a54-8f57-0a4ac6a1d2a3"
        for lies in (
            [(name, LIE)],
            [(name, LIE), (name.lower(), LIE)],
            [(name, LIE), (name, ""), (name, LIE)],
        ):
            upstream.received.clear()
            assert gateway.call("GET", "/api/profile", token=key.token(user=user), headers=lies).status == 200
            assert not believes(upstream.only())
            assert upstream.only().values("X-User-Id") == [user]

    def test_is_refused_with_underscores(self, gateway: Client, upstream: Upstream, name: str) -> None:
        for twin in (name.replace("-", "_"), name.replace("-", "_", 1), name.replace("-", "_").lower()):
            if "_" in twin:
                answer = gateway.call("GET", "/api/taxonomy", headers=[(twin, LIE)])
                assert answer.status in {200, 400}
        assert not any(believes(request) for request in upstream.received)

    def test_cannot_be_dropped_by_naming_it_hop_by_hop(
        self, gateway: Client, upstream: Upstream, key: SigningKey, name: str
    ) -> None:
        headers = [("Connection", f"close, {name}"), (name, LIE)]
        answer = gateway.call("GET", "/api/profile", token=key.token(), headers=headers)
        if answer.status == 200:
            assert len(upstream.only().values("X-User-Id")) == 1
            assert not believes(upstream.only())


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.9.1"])
@pytest.mark.parametrize(
    "forged", [[], ["203.0.113.1"], ["203.0.113.1, 10.0.0.1"], ["203.0.113.1", "127.0.0.1"], ["x" * 200]]
)
def test_the_service_learns_the_true_address_and_nothing_else(
    gateway: Client, upstream: Upstream, source: str, forged: list[str]
) -> None:
    gateway.call(
        "GET", "/api/taxonomy", headers=[("X-Forwarded-For", value) for value in forged], source=source
    )
    assert upstream.only().values("X-Forwarded-For") == [source]
    assert upstream.only().values("X-Forwarded-Proto") == ["http"]


def test_a_client_cannot_change_how_it_is_served(
    gateway: Client, upstream: Upstream, key: SigningKey
) -> None:
    wishes = [
        ("X-Envoy-Retry-On", "5xx"),
        ("X-Envoy-Max-Retries", "9"),
        ("X-Envoy-Upstream-Alt-Stat-Name", "x"),
    ]
    answer = gateway.call("POST", "/api/profile?status=503", token=key.token(), headers=wishes)
    assert answer.status == 503
    assert len(upstream.received) == 1
