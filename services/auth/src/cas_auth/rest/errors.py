"""Errors as the protocol writes them (docs/spec/auth-protocol.md 1.0 and 3)."""

from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

from cas_auth.domain.identity_refusals import OAuthRefusal
from cas_auth.domain.refusals import HookRefused, WeakPassword
from cas_kit.errors import DomainError, RateLimited, ValidationFailed
from cas_kit.problems import STATUS, error_headers
from cas_kit.rest import json_response

API_VERSION = "2024-01-01"

# The kit's codes in the protocol's words; all others only change their hyphens.
_CODES = {
    "malformed-json": "bad_json",
    "body-too-large": "request_entity_too_large",
    "unsupported-media-type": "validation_failed",
    "route-not-found": "validation_failed",
    "method-not-allowed": "validation_failed",
    "rate-limited": "over_request_rate_limit",
    "internal-error": "unexpected_failure",
    "unavailable": "unexpected_failure",
}


class WeakPasswordOut(BaseModel):
    reasons: list[str]


class ErrorOut(BaseModel):
    """Every refusal; `code` and `error_code`, `message` and `msg` are the same for old and new clients."""

    code: str
    message: str
    error_code: str
    msg: str
    weak_password: WeakPasswordOut | None = None


def render_error(request: Request, error: DomainError) -> Response:
    """The answer to a request that failed with `error`."""
    del request
    if isinstance(error, OAuthRefusal):
        return json_response({"error": error.error, "error_description": error.detail}, status=_status(error))
    code = protocol_code(error)
    message = error.detail if error.code != RateLimited.code else "Request rate limit reached"
    body: dict[str, Any] = {"code": code, "message": message, "error_code": code, "msg": message}
    if isinstance(error, WeakPassword):
        body["weak_password"] = {"reasons": error.reasons}
    headers = {"X-Sb-Error-Code": code, "X-Supabase-Api-Version": API_VERSION, **error_headers(error)}
    return json_response(body, status=_status(error), headers=headers)


def protocol_code(error: DomainError) -> str:
    """The code of `error` in the protocol's words."""
    return _CODES.get(error.code, error.code.replace("-", "_"))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of these error statuses, and of all others."""
    refusals: dict[int | str, str] = {status: HTTPStatus(status).phrase for status in statuses}
    refusals["default"] = "Any other refusal or failure"
    return {status: {"model": ErrorOut, "description": text} for status, text in refusals.items()}


def _status(error: DomainError) -> int:
    if isinstance(error, HookRefused):
        return error.status
    return HTTPStatus.BAD_REQUEST if isinstance(error, ValidationFailed) else STATUS[error.kind]
