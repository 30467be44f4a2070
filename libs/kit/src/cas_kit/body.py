"""JSON request bodies that every later layer can trust: strict syntax, storable text, bounded depth and size."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from fastapi import Request, Response
from fastapi.routing import APIRoute

from cas_kit.errors import (
    BodyTooLarge,
    DomainError,
    FieldProblem,
    MalformedJson,
    UnsupportedMediaType,
    ValidationFailed,
)

MAX_DEPTH = 32  # far above any form of ours; far below what recursion in a validator survives
MAX_NUMBER = 2**53  # beyond it JavaScript and JSON numbers lose digits

BODY_ALLOWANCE = "cas.body_allowance"
"""Where a request's scope has its allowance."""

_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class BodyAllowance:
    """How many more bytes of a request's body are taken.

    :param refusal: what whoever sends more is told.
    """

    left: int
    refusal: type[DomainError] = BodyTooLarge

    def spend(self, size: int) -> None:
        """Count what arrived.

        :raises DomainError: it is more than is taken.
        """
        self.left -= size
        if self.left < 0:
            raise self.refusal


class JsonRequest(Request):
    """A request whose JSON body was parsed and checked before the endpoint runs."""

    document: Any

    async def json(self) -> Any:
        """The checked document."""
        return self.document


class JsonRoute(APIRoute):
    """The route class of every router: parses the body once, strictly.

    Refuses with 400 what is not JSON (RFC 8259) in UTF-8, with 415 another content type, with 422 text that cannot be
    stored (NUL), numbers beyond 2^53 and nesting deeper than 32.
    """

    json_content_types: ClassVar[frozenset[str]] = frozenset({"application/json"})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def parse_then_handle(request: Request) -> Response:
            parsed = JsonRequest(_as_json(request.scope), request.receive)
            if body := await request.body():
                if media_type(request) not in self.json_content_types:
                    raise UnsupportedMediaType
                parsed.document = parse_json(body)
            parsed._body = body  # noqa: SLF001  Starlette has no public way to hand on a body that was read
            return await handle(parsed)

        return parse_then_handle


def media_type(request: Request) -> str:
    """The content type without parameters, in lower case; empty when the client sent none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse_json(body: bytes) -> Any:
    """The document in `body`.

    :raises MalformedJson: it is not JSON.
    :raises ValidationFailed: it is JSON that no field can hold.
    """
    try:
        document = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedJson from error
    except RecursionError as error:
        raise _refused("body", f"must not be nested deeper than {MAX_DEPTH}") from error
    _check(document, path=(), depth=0)
    return document


def _check(value: Any, *, path: tuple[str, ...], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _refused(_name(path[:3]), f"must not be nested deeper than {MAX_DEPTH}")
    match value:
        case str():
            _check_text(value, path)
        case int() | float() if abs(value) > MAX_NUMBER:
            raise _refused(_name(path), "must be a number between -2^53 and 2^53")
        case dict() | list():
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                inner = (*path, str(key))
                _check_text(inner[-1], path)
                _check(item, path=inner, depth=depth + 1)


def _check_text(text: str, path: tuple[str, ...]) -> None:
    if "\x00" in text:
        raise _refused(_name(path), "has a character that cannot be stored; remove it")


def _name(path: tuple[str, ...]) -> str:
    return ".".join(path) or "body"


def _refused(field: str, message: str) -> ValidationFailed:
    return ValidationFailed.of([FieldProblem(field, message)])


def _as_json(scope: Any) -> Any:
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    return {**scope, "headers": [*headers, (b"content-type", b"application/json")]}
