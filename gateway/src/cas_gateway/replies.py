"""Kong's error-bodies as Envoy's local replies: what the gateway answers when no service does."""

from enum import Enum, auto
from typing import Any

from cas_gateway.filters import METADATA, any_type, set_header
from cas_gateway.kong import ErrorBodiesConfig, ErrorBody, KongFile

Json = dict[str, Any]


class Shape(Enum):
    """How an error is told."""

    GOTRUE = auto()
    PROBLEM_WITH_ERROR = auto()
    PROBLEM = auto()


# Refused, reset or garbled upstream connections. What is left of 503 means overload, or no keys to check tokens with.
BROKEN_UPSTREAM: Json = {"response_flag_filter": {"flags": ["UF", "UC", "UR", "UPE", "URX"]}}
WITHOUT_BEARER: Json = {
    "header_filter": {
        "header": {
            "name": "authorization",
            "string_match": {"prefix": "bearer ", "ignore_case": True},
            "invert_match": True,
            "treat_missing_header_as_empty": True,
        }
    }
}


def _because(details: str) -> Json:
    """Envoy's reason for its answer begins like this."""
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": any_type(
                "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                expression=f"response.code_details.startsWith('{details}')",
            ),
        }
    }


# jwt_authn answers 403 to a token for somebody else; it is no better than a forged one.
REFUSED_TOKEN = _because("jwt_authn_access_denied")
# It answers 401 while it has no keys to check with; the caller's token may be perfectly good.
WITHOUT_KEYS = _because("jwt_authn_access_denied{Jwks_remote_fetch")

# Envoy gives a request no id before it could read it: the last of the two that is not empty counts.
REQUEST_ID = (set_header("x-request-id", "%UNIQUE_ID%"), set_header("x-request-id", "%REQ(X-REQUEST-ID)%"))

OTHER = ErrorBody(
    status=400,
    title="Refused",
    code="request-refused",
    message="The request was refused.",
    gotrue_code="unknown",
)


def local_replies(kong: KongFile) -> Json:
    """For each error the shape of the auth service below its prefix, problem details elsewhere; some with `error`."""
    config = kong.errors
    shapes = _shapes(config)
    conditions = [(error, _disguised(error)) for error in config.errors]
    conditions += [(error, _all(_status(error.status), *_caller(error))) for error in config.errors]
    mappers = []
    for error, condition in conditions:
        if condition:
            mappers += [
                _mapper(config, error, condition=_all(condition, *where), shape=shape)
                for shape, where in shapes
            ]
    return {"mappers": [*mappers, _any_other()]}


def _any_other() -> Json:
    return {
        "filter": _status(400, op="GE"),
        "headers_to_add": list(REQUEST_ID),
        "body_format_override": _problem(OTHER, status="%RESPONSE_CODE%"),
    }


def _shapes(config: ErrorBodiesConfig) -> list[tuple[Shape, list[Json]]]:
    """Each shape with the addresses it is for; the first that fits counts."""
    also_error = f"({'|'.join(config.error_prefixes)}).*"
    return [
        (Shape.GOTRUE, [_path({"prefix": config.gotrue_prefix})]),
        (Shape.PROBLEM_WITH_ERROR, [_path({"safe_regex": {"regex": also_error}})]),
        (Shape.PROBLEM, []),
    ]


def _path(match: Json) -> Json:
    return {"header_filter": {"header": {"name": ":path", "string_match": match}}}


def _disguised(error: ErrorBody) -> Json | None:
    """When Envoy means this error although it says another status."""
    match error.status:
        case 401:
            return _all(_status(403), REFUSED_TOKEN, *_caller(error))
        case 502:
            return _all(_status(503), BROKEN_UPSTREAM)
        case 503:
            return _all(_status(401), WITHOUT_KEYS)
    return None


def _caller(error: ErrorBody) -> list[Json]:
    return [WITHOUT_BEARER] if error.without_bearer else []


def _mapper(config: ErrorBodiesConfig, error: ErrorBody, *, condition: Json, shape: Shape) -> Json:
    # Envoy names the whole address as the realm, query and all.
    headers = [_bearer(config.realm), *_wait(error), *REQUEST_ID]
    if shape is Shape.GOTRUE:
        headers += [
            set_header("x-sb-error-code", error.gotrue_code),
            set_header("x-supabase-api-version", "%REQ(X-SUPABASE-API-VERSION)%"),
        ]
    return {
        "filter": condition,
        "status_code": error.status,
        "headers_to_add": headers,
        "body_format_override": _body(error, shape),
    }


def _body(error: ErrorBody, shape: Shape) -> Json:
    match shape:
        case Shape.GOTRUE:
            return _gotrue(error)
        case Shape.PROBLEM_WITH_ERROR:
            return _problem(error, status=error.status, error=error.message)
        case Shape.PROBLEM:
            return _problem(error, status=error.status)


def _bearer(realm: str) -> Json:
    header = set_header("www-authenticate", f'Bearer realm="{realm}"')
    return header | {"append_action": "OVERWRITE_IF_EXISTS"}


def _wait(error: ErrorBody) -> list[Json]:
    match error.status:
        case 429:
            return [set_header("retry-after", f"%METADATA(ROUTE:{METADATA}:retry_after)%")]
        case 503:
            return [set_header("retry-after", "1")]
    return []


def _problem(error: ErrorBody, /, *, status: int | str, **more: str) -> Json:
    return {
        "content_type": "application/problem+json",
        "json_format": {
            "type": f"urn:cas:problem:{error.code}",
            "title": error.title,
            "status": status,
            "detail": error.message,
            "message": error.message,
            "code": error.code,
            "request_id": "%RESP(X-REQUEST-ID)%",
            **more,
        },
    }


def _gotrue(error: ErrorBody) -> Json:
    message = error.gotrue_message or error.message
    return {
        "content_type": "application/json",
        "json_format": {
            "code": error.gotrue_code,
            "error_code": error.gotrue_code,
            "message": message,
            "msg": message,
        },
    }


def _status(code: int, *, op: str = "EQ") -> Json:
    comparison = {"op": op, "value": {"default_value": code, "runtime_key": "gateway.unused"}}
    return {"status_code_filter": {"comparison": comparison}}


def _all(*filters: Json) -> Json:
    return {"and_filter": {"filters": list(filters)}} if len(filters) > 1 else filters[0]
