"""Kong's plugins as Envoy's HTTP filters, in the order of the contract: CORS, token, body size, rate."""

from collections.abc import Iterator
from typing import Any

from cas_gateway.kong import KongFile, Service
from cas_gateway.providers import requirements
from cas_gateway.settings import Settings

HEADERS = "envoy.filters.http.header_mutation"
CORS = "envoy.filters.http.cors"
JWT = "envoy.filters.http.jwt_authn"
SIZE = "envoy.filters.http.buffer"
RATE = "envoy.filters.http.local_ratelimit"
ROUTER = "envoy.filters.http.router"

# A route's metadata names the service its requests count for, under one of these.
METADATA = "cas.gateway"
PER_USER, PER_IP = "per_user", "per_ip"

# Kong's plugin keeps the same lists (plugins/caller-identity/identity.lua).
IDENTITY_HEADERS = (
    "x-real-ip",
    "x-middleware-subrequest",
    "x-credential-identifier",
    "x-anonymous-consumer",
    "forwarded",
)
IDENTITY_PREFIXES = ("x-user-", "x-consumer-", "x-forwarded-", "x-authenticated-", "x-envoy-")
# An evicted caller starts with a full bucket, so there must be room for everybody who calls in a window.
MAX_CALLERS = 65_536

Json = dict[str, Any]

# A user of another issuer has no id here that the gateway could know: services derive it.
ISSUER_AND_SUBJECT: tuple[Json, ...] = tuple(
    {"request_headers": {"header_name": f"x-user-{name}", "descriptor_key": name}}
    for name in ("issuer", "subject")
)
NOBODY: Json = {
    "header_value_match": {
        "descriptor_value": "nobody",
        "expect_match": False,
        "headers": [{"name": "x-user-id", "present_match": True}],
    }
}


def any_type(type_name: str, /, **fields: Any) -> Json:
    """A message of Envoy's API as its configuration spells it."""
    return {"@type": f"type.googleapis.com/{type_name}"} | fields


def filter_chain(kong: KongFile, settings: Settings) -> list[Json]:
    """What a request passes on its way in; an answer passes the same, last first."""
    chain = {HEADERS: _headers(), CORS: any_type("envoy.extensions.filters.http.cors.v3.Cors")}
    if kong.token:
        chain[JWT] = any_type(
            "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            **requirements(kong.token, settings),
        )
    chain[SIZE] = any_type(
        "envoy.extensions.filters.http.buffer.v3.Buffer",
        max_request_bytes=max(
            service.max_body
            for service in kong.services
            if any(route.request_buffering for route in service.routes)
        ),
    )
    chain[RATE] = _rate(kong.services)
    chain[ROUTER] = any_type("envoy.extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)
    # Where no route is, nothing is counted; the virtual host switches it on (routes.py).
    return [
        {"name": name, "typed_config": config, "disabled": name == RATE} for name, config in chain.items()
    ]


def set_header(name: str, value: str) -> Json:
    """A header as the gateway says it, whatever was there; none when the value is empty."""
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        "keep_empty_value": False,
    }


def _headers() -> Json:
    """Only the gateway says who calls and from where; Envoy's own header names stay inside."""
    requests: list[Json] = [{"remove": name} for name in IDENTITY_HEADERS]
    requests += [
        {"remove_on_match": {"key_matcher": {"prefix": prefix, "ignore_case": True}}}
        for prefix in IDENTITY_PREFIXES
    ]
    requests += [
        {"append": set_header("x-forwarded-for", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")},
        {"append": set_header("x-forwarded-proto", "http")},
        {"append": set_header("x-forwarded-host", "%REQ(:AUTHORITY)%")},
    ]
    responses: list[Json] = [
        {"append": set_header(f"ratelimit-{part}", f"%RESP(x-ratelimit-{part})%")}
        for part in ("limit", "remaining", "reset")
    ]
    responses += [
        {"remove_on_match": {"key_matcher": {"prefix": prefix, "ignore_case": True}}}
        for prefix in ("x-ratelimit-", "x-envoy-")
    ]
    responses += [
        {"remove": "server"},
        {
            "append": {
                "header": {"key": "vary", "value": "Origin"},
                "append_action": "APPEND_IF_EXISTS_OR_ADD",
            }
        },
    ]
    return any_type(
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": requests, "response_mutations": responses},
    )


def _rate(services: list[Service]) -> Json:
    """One bucket for each caller of each service. The empty value stands for anyone."""
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return any_type(
        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="gateway",
        filter_enabled=always,
        filter_enforced=always,
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        max_dynamic_descriptors=MAX_CALLERS,
        always_consume_default_token_bucket=False,
        token_bucket={"max_tokens": 4_294_967_295, "tokens_per_fill": 4_294_967_295, "fill_interval": "1s"},
        rate_limits=[
            _counted_by(
                PER_USER, {"request_headers": {"header_name": "x-user-id", "descriptor_key": PER_USER}}
            ),
            _counted_by(PER_USER, *ISSUER_AND_SUBJECT),
            _counted_by(PER_USER, NOBODY, {"remote_address": {}}),
            _counted_by(PER_IP, {"remote_address": {}}),
        ],
        descriptors=[bucket for service in services for bucket in _buckets(service)],
    )


def _counted_by(key: str, *caller: Json) -> Json:
    service = {
        "descriptor_key": "service",
        "metadata_key": {"key": METADATA, "path": [{"key": key}]},
        "source": "ROUTE_ENTRY",
    }
    return {"actions": [{"metadata": service}, *caller]}


def _buckets(service: Service) -> Iterator[Json]:
    address = {"key": "remote_address", "value": ""}
    if service.token is None:
        yield _bucket(service, address)
        return
    yield _bucket(service, {"key": PER_USER, "value": ""})
    yield _bucket(service, {"key": "issuer", "value": ""}, {"key": "subject", "value": ""})
    if not service.token.needs_user:
        yield _bucket(service, {"key": "header_match", "value": "nobody"}, address)


def _bucket(service: Service, *caller: Json) -> Json:
    return {
        "entries": [{"key": "service", "value": service.name}, *caller],
        "token_bucket": {
            "max_tokens": service.limit.requests,
            "tokens_per_fill": service.limit.requests,
            "fill_interval": f"{service.limit.window}s",
        },
    }
