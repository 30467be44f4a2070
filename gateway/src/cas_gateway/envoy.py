"""The whole Envoy bootstrap."""

from typing import Any

from cas_gateway.filters import any_type, filter_chain, set_header
from cas_gateway.kong import KongFile
from cas_gateway.providers import jwks_clusters
from cas_gateway.replies import local_replies
from cas_gateway.routes import PUBLIC_AUTHORITIES, cluster, virtual_host
from cas_gateway.settings import Settings

Json = dict[str, Any]

MAX_CONNECTIONS = 10_000
KIB, MIB = 1024, 1024 * 1024


def bootstrap(kong: KongFile, settings: Settings) -> Json:
    """What Envoy 1.40 is started with."""
    services = [
        cluster(service.name, service.url, connect_timeout=service.connect_timeout / 1000)
        for service in kong.services
    ]
    keys = [
        cluster(name, url, connect_timeout=1, authority=settings.jwks_ca_file or PUBLIC_AUTHORITIES)
        for name, url in jwks_clusters(settings)
    ]
    return {
        "admin": {"address": _address("127.0.0.1", settings.admin_port)},
        "static_resources": {
            "listeners": [_listener(kong, settings)],
            "clusters": [*services, *keys],
        },
        "layered_runtime": {
            "layers": [
                {
                    "name": "strict",
                    # Junk after a chunk is an attempt to hide a request, not a mistake to forgive.
                    "static_layer": {"envoy.reloadable_features.strict_chunk_parsing": True},
                }
            ]
        },
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": any_type(
                        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                        max_active_downstream_connections=MAX_CONNECTIONS,
                    ),
                }
            ]
        },
    }


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _listener(kong: KongFile, settings: Settings) -> Json:
    return {
        "name": "gateway",
        "address": _address(settings.host, settings.port),
        # Bodies but those of uploads are held until they are complete; a connection may hold no more than the largest.
        "per_connection_buffer_limit_bytes": MIB,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": _connections(kong, settings),
                    }
                ]
            }
        ],
    }


def _connections(kong: KongFile, settings: Settings) -> Json:
    return any_type(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="gateway",
        http_filters=filter_chain(kong, settings),
        route_config={"name": "gateway", "virtual_hosts": [virtual_host(kong)]},
        local_reply_config=local_replies(kong),
        access_log=[_access_log()],
        **_PATHS,
        **_REQUEST_IDS,
        **_CLIENTS,
        **_TIMEOUTS,
    )


_PATHS: Json = {
    "normalize_path": True,
    "merge_slashes": True,
    "path_with_escaped_slashes_action": "REJECT_REQUEST",
}

# What the services take for an id, too (cas_kit.telemetry); Kong's plugin keeps the same rule.
_FIT_ID = (
    "'x-request-id' in request.headers && size(request.headers['x-request-id']) <= 128"
    " && request.headers['x-request-id'].matches('^[A-Za-z0-9._:/+=-]+$')"
)
_ASIDE = "x-envoy-fit-request-id"
# An empty value would leave the old one in place, so a fit id goes by another name while any is removed.
_KEEP_A_FIT_ID: Json = {
    "name": "envoy.http.early_header_mutation.header_mutation",
    "typed_config": any_type(
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[
            {"remove": _ASIDE},
            {"append": set_header(_ASIDE, f"%CEL({_FIT_ID} ? request.headers['x-request-id'] : '')%")},
            {"remove": "x-request-id"},
            {"append": set_header("x-request-id", f"%REQ({_ASIDE})%")},
            {"remove": _ASIDE},
        ],
    ),
}

# A request that could not be read has its id in the answer only.
_GIVEN_OR_MADE_ID = (
    "'x-request-id' in request.headers ? request.headers['x-request-id'] : response.headers['x-request-id']"
)

_REQUEST_IDS: Json = {
    "early_header_mutation_extensions": [_KEEP_A_FIT_ID],
    "generate_request_id": True,
    "preserve_external_request_id": True,
    "always_set_request_id_in_response": True,
    "request_id_extension": {
        "typed_config": any_type(
            "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig", pack_trace_reason=False
        )
    },
}

_CLIENTS: Json = {
    "use_remote_address": True,
    # Nobody is trusted to set Envoy's own headers, not even this machine.
    "internal_address_config": {"unix_sockets": False},
    "server_header_transformation": "PASS_THROUGH",
    "max_request_headers_kb": 32,
    "http2_protocol_options": {
        "max_concurrent_streams": 100,
        "initial_stream_window_size": 64 * KIB,
        "initial_connection_window_size": MIB,
    },
}

_TIMEOUTS: Json = {
    "common_http_protocol_options": {
        "idle_timeout": "65s",
        "headers_with_underscores_action": "REJECT_REQUEST",
    },
    "request_headers_timeout": "10s",
    # A whole request, body included, must have arrived by then: ten pictures of 5 MB do with 4 Mbit/s.
    "request_timeout": "120s",
    "stream_idle_timeout": "60s",
    "drain_timeout": "5s",
}


def _access_log() -> Json:
    """One line for each request: no query, no header that a secret could stand in, nobody's address."""
    return {
        "name": "envoy.access_loggers.stdout",
        "typed_config": any_type(
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format={
                "json_format": {
                    "time": "%START_TIME%",
                    "event": "request_answered",
                    "request_id": f"%CEL({_GIVEN_OR_MADE_ID})%",
                    "method": "%REQ(:METHOD)%",
                    "path": "%PATH(NQ)%",
                    "route": "%ROUTE_NAME%",
                    "status": "%RESPONSE_CODE%",
                    "details": "%RESPONSE_CODE_DETAILS%",
                    "flags": "%RESPONSE_FLAGS%",
                    "duration_ms": "%DURATION%",
                    "upstream_ms": "%RESPONSE_DURATION%",
                    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
                    "bytes_in": "%BYTES_RECEIVED%",
                    "bytes_out": "%BYTES_SENT%",
                }
            },
        ),
    }
