"""Kong's services and routes as Envoy's virtual host and clusters."""

import ipaddress
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi

from cas_gateway.filters import CORS, JWT, METADATA, PER_IP, PER_USER, RATE, SIZE, any_type
from cas_gateway.kong import KongFile, Route, Service
from cas_gateway.providers import requirement

SAFE_METHODS = frozenset({"GET", "HEAD"})
# Longer-lived idle connections than the services keep would be met by a reset (uvicorn closes after 5 s).
UPSTREAM_IDLE = "4s"
PUBLIC_AUTHORITIES = Path(certifi.where())

Json = dict[str, Any]


def virtual_host(kong: KongFile) -> Json:
    """Every route, for the hosts they name."""
    hosts = {host for service in kong.services for route in service.routes for host in route.hosts}
    return {
        "name": "gateway",
        "domains": sorted(domain for host in hosts for domain in (host, f"{host}:*")),
        "routes": [entry for service, route in _by_priority(kong) for entry in _routes(service, route)],
        "typed_per_filter_config": {
            CORS: _cors(kong),
            RATE: any_type("envoy.config.route.v3.FilterConfig", config={}),
        },
    }


def _by_priority(kong: KongFile) -> Sequence[tuple[Service, Route]]:
    """Every route with its service; Envoy takes the first that fits."""
    routes = [(service, route) for service in kong.services for route in service.routes]
    return sorted(routes, key=lambda found: found[1].regex_priority, reverse=True)


def cluster(name: str, url: str, *, connect_timeout: float, authority: Path = PUBLIC_AUTHORITIES) -> Json:
    """Where requests for `url` go.

    :param authority: a file of those from whom an https address has its certificate
    """
    address = urlsplit(url)
    secure = address.scheme == "https"
    tls = {"transport_socket": _tls(str(address.hostname), authority)} if secure else {}
    return tls | {
        "name": name,
        "type": "STATIC" if _is_ip(str(address.hostname)) else "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": f"{connect_timeout:g}s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {
                    "lb_endpoints": [
                        {
                            "endpoint": {
                                "address": {
                                    "socket_address": {
                                        "address": address.hostname,
                                        "port_value": address.port or (443 if secure else 80),
                                    }
                                }
                            }
                        }
                    ]
                }
            ],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": any_type(
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                common_http_protocol_options={"idle_timeout": UPSTREAM_IDLE},
                explicit_http_config={"http_protocol_options": {}},
            )
        },
    }


def _tls(host: str, authority: Path) -> Json:
    """Encrypted, to whoever has a certificate for this host."""
    name = {"san_type": "IP_ADDRESS" if _is_ip(host) else "DNS", "matcher": {"exact": host}}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": any_type(
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            **({} if _is_ip(host) else {"sni": host}),
            common_tls_context={
                "validation_context": {
                    "trusted_ca": {"filename": str(authority)},
                    "match_typed_subject_alt_names": [name],
                }
            },
        ),
    }


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _routes(service: Service, route: Route) -> Iterator[Json]:
    """Safe methods may be repeated, others never: two routes where Kong needs one."""
    safe = [method for method in route.methods if method in SAFE_METHODS]
    unsafe = [method for method in route.methods if method not in SAFE_METHODS]
    for path in route.paths:
        for methods, retries in ((safe, service.retries), (unsafe, 0)):
            if methods:
                yield {
                    "name": route.name,
                    "match": _match(path, methods),
                    "route": _action(service, retries),
                    "metadata": {"filter_metadata": {METADATA: _metadata(service)}},
                    "typed_per_filter_config": _filters_of(service, route),
                }


def _match(path: str, methods: Sequence[str]) -> Json:
    pattern = path.removeprefix("~").removesuffix("$")
    where = (
        {"safe_regex": {"regex": pattern}} if "[^/]+" in pattern else {"path": pattern.replace("\\.", ".")}
    )
    return where | {
        "headers": [{"name": ":method", "string_match": {"safe_regex": {"regex": "|".join(methods)}}}]
    }


def _action(service: Service, retries: int) -> Json:
    seconds = service.read_timeout / 1000
    action: Json = {
        "cluster": service.name,
        "timeout": f"{seconds * (1 + retries):g}s",
        "host_rewrite_literal": urlsplit(service.url).netloc,
    }
    if retries:
        action["retry_policy"] = {
            "retry_on": "reset,connect-failure",
            "num_retries": retries,
            "per_try_timeout": f"{seconds:g}s",
        }
    return action


def _metadata(service: Service) -> Json:
    """Whose requests are counted, and for how long a refused one should wait: tokens trickle in evenly."""
    wait = ceil(service.limit.window / service.limit.requests)
    return {PER_USER if service.token else PER_IP: service.name, "retry_after": str(wait)}


def _filters_of(service: Service, route: Route) -> Json:
    """Of a body that is not held back nobody knows the size yet: the service counts what arrives."""
    limit: Json = {"buffer": {"max_request_bytes": service.max_body}}
    size = any_type(
        "envoy.extensions.filters.http.buffer.v3.BufferPerRoute",
        **(limit if route.request_buffering else {"disabled": True}),
    )
    if service.token is None:
        return {SIZE: size}
    needs_token = any_type(
        "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig",
        requirement_name=requirement(service.token),
    )
    return {SIZE: size, JWT: needs_token}


def _cors(kong: KongFile) -> Json:
    cors = kong.cors
    return any_type(
        "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in cors.origins],
        allow_methods=",".join(cors.methods),
        allow_headers=",".join(cors.headers),
        expose_headers=",".join(cors.exposed_headers),
        max_age=str(cors.max_age),
        forward_not_matching_preflights=False,
    )
