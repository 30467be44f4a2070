"""Whose tokens Envoy accepts, and where it has the keys from."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from cas_gateway.kong import CallerIdentityConfig
from cas_gateway.settings import Settings
from cas_kit.issuers import Subjects, TrustedIssuer

# Who may call: a user, or also a program of ours, whose token names none.
CALLER, PROGRAM = "caller", "program"
UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
USERS = {CALLER: UUID, PROGRAM: f"({UUID})?"}
ANY_SUBJECT = "[ -~]+"  # what may stand in a header

Json = dict[str, Any]


def requirement(token: CallerIdentityConfig) -> str:
    """The name of what a caller has to prove."""
    return CALLER if token.needs_user else PROGRAM


def requirements(token: CallerIdentityConfig, settings: Settings) -> Json:
    """Every issuer's tokens, and which of them are enough for a user's routes and for administrators'.

    Keys are fetched every five seconds (Envoy renews five seconds early), so a new one works and a removed one
    stops working within that time; the last known keys serve on while their issuer is away.
    """
    accepted = {
        CALLER: {**_ours(CALLER, token, settings), **_others(settings)},
        PROGRAM: _ours(PROGRAM, token, settings),
    }
    return {
        "providers": {name: each for group in accepted.values() for name, each in group.items()},
        "requirement_map": {name: _any_of(group) for name, group in accepted.items()},
    }


def jwks_clusters(settings: Settings) -> Iterator[tuple[str, str]]:
    """The name and the address of everything keys are fetched from."""
    yield _cluster_of(0), settings.jwks_url
    for number, entry in enumerate(settings.trusted_issuers, start=1):
        if entry.secret is None:
            yield _cluster_of(number), entry.keys_url


def _cluster_of(number: int) -> str:
    return f"jwks-{number}"


def _ours(who: str, token: CallerIdentityConfig, settings: Settings) -> dict[str, Json]:
    """Our own issuer: its published keys, and the secret it may have signed with before."""
    provider = _provider(token.issuer, token.audience, subjects=USERS[who], named=Subjects.SAME)
    providers = {who: provider | _fetched(settings.jwks_url, _cluster_of(0))}
    for entry in settings.trusted_issuers:
        if entry.issuer == token.issuer and entry.secret is not None:
            providers[f"{who}-secret"] = provider | _known(entry.secret)
    return providers


def _others(settings: Settings) -> dict[str, Json]:
    return {
        f"issuer-{number}": _other(entry, _cluster_of(number))
        for number, entry in enumerate(settings.trusted_issuers, start=1)
        if entry.issuer != settings.issuer
    }


def _other(entry: TrustedIssuer, cluster: str) -> Json:
    subjects = UUID if entry.subjects is Subjects.SAME else ANY_SUBJECT
    provider = _provider(entry.issuer, entry.audience, subjects=subjects, named=entry.subjects)
    keys = _fetched(entry.keys_url, cluster) if entry.secret is None else _known(entry.secret)
    return provider | keys


def _provider(issuer: str, audience: str, *, subjects: str, named: Subjects) -> Json:
    """What one issuer's tokens have to say, and what services are told of it.

    :param named: DERIVED users have no id that the gateway knows; issuer and subject say who they are.
    """
    user = (
        {"x-user-id": "sub"} if named is Subjects.SAME else {"x-user-issuer": "iss", "x-user-subject": "sub"}
    )
    return {
        "issuer": issuer,
        "audiences": [audience],
        "subjects": {"safe_regex": {"regex": subjects}},
        "require_expiration": True,
        "clock_skew_seconds": 30,
        "forward": True,
        "from_headers": [
            {"name": "authorization", "value_prefix": prefix} for prefix in ("Bearer ", "bearer ")
        ],
        "claim_to_headers": [
            {"header_name": header, "claim_name": claim}
            for header, claim in {**user, "x-user-role": "role"}.items()
        ],
    }


def _fetched(url: str, cluster: str) -> Json:
    return {
        "remote_jwks": {
            "http_uri": {"uri": url, "cluster": cluster, "timeout": "2s"},
            "cache_duration": "10s",
            "async_fetch": {"fast_listener": True},
        }
    }


def _known(secret: SecretStr) -> Json:
    """A key without id, which is tried whatever a token's kid is, for HS256 alone."""
    octets = urlsafe_b64encode(secret.get_secret_value().encode()).rstrip(b"=").decode()
    return {
        "local_jwks": {"inline_string": json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "k": octets}]})}
    }


def _any_of(providers: Mapping[str, Json]) -> Json:
    names = [{"provider_name": name} for name in providers]
    return names[0] if len(names) == 1 else {"requires_any": {"requirements": names}}
