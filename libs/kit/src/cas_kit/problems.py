"""Errors as HTTP answers: RFC 9457 problem details (docs/spec/domain.md 9.1)."""

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from cas_kit import telemetry
from cas_kit.errors import (
    DomainError,
    FieldProblem,
    Kind,
    MalformedJson,
    MethodNotAllowed,
    RateLimited,
    RouteNotFound,
    Unavailable,
    ValidationFailed,
    VersionMismatch,
)
from cas_kit.openapi import PROBLEM_TYPE
from cas_kit.sentences import sentence

STATUS = {
    Kind.MALFORMED: HTTPStatus.BAD_REQUEST,
    Kind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Kind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Kind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Kind.NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.VERSION_MISMATCH: HTTPStatus.PRECONDITION_FAILED,
    Kind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Kind.UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Kind.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Kind.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}

# Where the existing web client reads the sentence as `error` (docs/spec/domain.md 9.1).
_ALSO_AS_ERROR = ("/api/profiles", "/api/marketplace", "/api/ai/", "/api/user/")
MAX_PROBLEMS = 50  # a small body can have 100,000 faults; nobody reads them all

_encode = msgspec.json.Encoder().encode


def problem_response(request: Request, error: DomainError) -> Response:
    """The answer to a request that failed with `error`."""
    status = STATUS[error.kind]
    body: dict[str, Any] = {
        "type": f"urn:cas:problem:{error.code}",
        "title": status.phrase,
        "status": int(status),
        "detail": error.detail,
        "message": error.detail,
        "code": error.code,
        "instance": request.scope["path"],  # request.url would be built from the Host header
        "request_id": telemetry.request_id.get(),
        **error.extensions,
    }
    if request.scope["path"].startswith(_ALSO_AS_ERROR):
        body["error"] = error.detail
    if error.problems:
        body["errors"] = error.problems
    return Response(_encode(body), status, headers=error_headers(error), media_type=PROBLEM_TYPE)


def error_headers(error: DomainError) -> dict[str, str]:
    """The headers HTTP asks for beside this error."""
    match error:
        case RateLimited() | Unavailable():
            return {"Retry-After": str(max(1, math.ceil(error.retry_after.total_seconds())))}
        case VersionMismatch(current=int(version)):
            return {"ETag": f'"{version}"'}
        case MethodNotAllowed():
            return {"Allow": error.allowed}
        case DomainError(kind=Kind.UNAUTHENTICATED):
            return {"WWW-Authenticate": "Bearer"}
    return {}


def as_domain_error(error: Exception) -> DomainError:
    """What the framework raised, as an error of ours; anything unforeseen is raised again, to be logged as a crash."""
    match error:
        case DomainError():
            return error
        case RequestValidationError() if any(found["loc"][0] == "path" for found in error.errors()):
            return RouteNotFound()  # an id that cannot be one names nothing (docs/spec/domain.md 9.1)
        case RequestValidationError():
            return ValidationFailed.of(field_problems(error.errors()[:MAX_PROBLEMS]))
        case HTTPException(status_code=404):
            return RouteNotFound()
        case HTTPException(status_code=405):
            return MethodNotAllowed((error.headers or {}).get("Allow", ""))
        case HTTPException(status_code=400):
            return MalformedJson()
    raise error


def field_problems(errors: Sequence[Any]) -> list[FieldProblem]:
    """Pydantic's findings as ours: a dotted path without the place it came from, one sentence each."""
    return [
        FieldProblem(
            field=".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0]),
            message=sentence(error),
            code=error["type"].replace("_", "-"),
        )
        for error in errors
    ]
