"""Errors as values with a name: what went wrong, in words a person and a program can use.

Raise a subclass of `DomainError` beside the code that finds the fault; the edges render it (see docs/adr/0007).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Self


class Kind(StrEnum):
    """The few ways a request can fail; each maps to one HTTP status and one gRPC status."""

    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    NOT_ALLOWED = "not_allowed"
    CONFLICT = "conflict"
    VERSION_MISMATCH = "version_mismatch"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    INVALID = "invalid"
    RATE_LIMITED = "rate_limited"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field; `field` is a dotted path such as `images.0.alt_text`."""

    field: str
    message: str
    code: str = "invalid"


class DomainError(Exception):
    """A failure with a stable code and a sentence for people.

    :param detail: the sentence; the class's own when absent. May be shown as it is.
    :param problems: one entry for each bad field, in field order.
    """

    kind: ClassVar[Kind]
    code: ClassVar[str]
    sentence: ClassVar[str] = ""
    keeps_transaction: ClassVar[bool] = False
    """True when what was written before the error is itself the effect, and is committed."""

    extensions: Mapping[str, object] = MappingProxyType({})
    """More that a program may want to know, beside the members every problem has (RFC 9457 section 3.2)."""

    def __init__(self, detail: str | None = None, *, problems: Sequence[FieldProblem] = ()) -> None:
        self.detail = detail or self.sentence
        self.problems = tuple(problems)
        super().__init__(self.detail)


class MalformedJson(DomainError):
    kind = Kind.MALFORMED
    code = "malformed-json"
    sentence = "The request body is not valid JSON."


class ValidationFailed(DomainError):
    kind = Kind.INVALID
    code = "validation-failed"
    sentence = "The request has fields that cannot be accepted."

    @classmethod
    def of(cls, problems: Sequence[FieldProblem]) -> Self:
        """An error whose sentence names every bad field."""
        return cls(
            "; ".join(f"{problem.field}: {problem.message}" for problem in problems), problems=problems
        )


class Unauthenticated(DomainError):
    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"
    sentence = "Invalid token"


class VersionMismatch(DomainError):
    """`If-Match` names another version than the stored one.

    :param current: the stored version, None when the thing does not exist.
    """

    kind = Kind.VERSION_MISMATCH
    code = "version-mismatch"
    sentence = "This was changed elsewhere since you loaded it. Load it again, then repeat your change."

    def __init__(self, current: int | None) -> None:
        super().__init__()
        self.current = current
        self.extensions = {"version": current}


class BodyTooLarge(DomainError):
    kind = Kind.TOO_LARGE
    code = "body-too-large"
    sentence = "The request body is too large."


class UnsupportedMediaType(DomainError):
    kind = Kind.UNSUPPORTED
    code = "unsupported-media-type"
    sentence = "Send the request body as application/json."


class IdempotencyKeyReused(DomainError):
    kind = Kind.INVALID
    code = "idempotency-key-reused"
    sentence = (
        "This Idempotency-Key was used before with another request. Use a new key for each new request."
    )


class IdempotencyInProgress(DomainError):
    kind = Kind.CONFLICT
    code = "idempotency-in-progress"
    sentence = (
        "A request with this Idempotency-Key is still running. Wait for its answer, then send it again."
    )


class RateLimited(DomainError):
    """:param retry_after: how long to wait before the next try."""

    kind = Kind.RATE_LIMITED
    code = "rate-limited"
    sentence = "Too many requests. Wait a moment, then try again."

    def __init__(self, detail: str | None = None, *, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(DomainError):
    """:param retry_after: how long to wait before the next try."""

    kind = Kind.UNAVAILABLE
    code = "unavailable"
    sentence = "The service cannot answer right now. Try again in a moment."

    def __init__(self, detail: str | None = None, *, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class RouteNotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "route-not-found"
    sentence = "There is nothing at this address."


class MethodNotAllowed(DomainError):
    """:param allowed: the methods this address has, for the `Allow` header."""

    kind = Kind.NOT_ALLOWED
    code = "method-not-allowed"
    sentence = "This address does not take that method; the Allow header names those it takes."

    def __init__(self, allowed: str) -> None:
        super().__init__()
        self.allowed = allowed


class InternalError(DomainError):
    kind = Kind.INTERNAL
    code = "internal-error"
    sentence = "Something went wrong on our side. Try again; if it stays, tell us the request id."
