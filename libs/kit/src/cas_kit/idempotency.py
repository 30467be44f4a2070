"""Repeat a write safely: the first answer to an Idempotency-Key is stored with its effect (docs/adr/0011)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    delete,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from cas_kit.db import Database
from cas_kit.errors import (
    DomainError,
    FieldProblem,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    Kind,
    ValidationFailed,
)
from cas_kit.rest import PrincipalDep, route_template

KEPT = timedelta(hours=24)  # docs/spec/domain.md 9.2
# So long a request may work on after its effect; who died meanwhile has given the answer that was kept for now.
WORKS_ON = timedelta(seconds=5)
REPLAYED = "Idempotency-Replayed"
_KEPT_HEADERS = ("content-type", "etag", "location")
# Refusals that say nothing about the request itself: sent again, or by somebody who signed in again, it may succeed.
_PASSING = frozenset({Kind.UNAVAILABLE, Kind.INTERNAL, Kind.RATE_LIMITED, Kind.UNAUTHENTICATED})
_ACCEPTABLE_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_table(metadata: MetaData) -> Table:
    """The table of first answers, as part of a service's own schema."""
    return Table(
        "idempotency_keys",
        metadata,
        Column("user_id", Uuid, primary_key=True),
        Column("operation", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("request_digest", LargeBinary, nullable=False),
        Column("status", Integer, nullable=False),
        Column("headers", JSONB, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Index(None, "created_at"),
    )


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request that carries an Idempotency-Key."""

    request: Request
    user_id: UUID
    operation: str
    key: str
    digest: bytes


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 255 visible ASCII characters. Sent again with the same request, brings its first answer.",
        json_schema_extra={"pattern": f"^{_ACCEPTABLE_KEY.pattern}$"},
    ),
]


async def _keyed_request(
    request: Request, principal: PrincipalDep, key: IdempotencyKey = None
) -> KeyedRequest | None:
    if key is None:
        return None
    return keyed_request(request, key, user_id=principal.user_id, content=await request.body())


def keyed_request(request: Request, key: str | None, *, user_id: UUID, content: bytes) -> KeyedRequest | None:
    """The request, if it carries a key.

    :param content: what makes it the same request when it comes again: its body, or what matters of that.
    :raises ValidationFailed: the key is none.
    """
    if key is None:
        return None
    if not _ACCEPTABLE_KEY.fullmatch(key):
        problem = FieldProblem("Idempotency-Key", "must be 1 to 255 visible ASCII characters")
        raise ValidationFailed.of([problem])
    return KeyedRequest(
        request=request,
        user_id=user_id,
        operation=f"{request.method} {route_template(request.scope)}",
        key=key,
        digest=_request_digest(request, content),
    )


def _request_digest(request: Request, body: bytes) -> bytes:
    """What makes two requests of one operation the same: the path's own ids, the query and the body."""
    address = f"{request.scope['path']}?{request.query_params}\n"
    return sha256(address.encode() + body).digest()


KeyedRequestDep = Annotated[KeyedRequest | None, Depends(_keyed_request)]


def answer_once(
    session: Session, table: Table, keyed: KeyedRequest | None, work: Callable[[], Response]
) -> Response:
    """Run `work` in this transaction, or return the answer that the same request got before.

    The answer commits together with the effect, so a crash leaves both or neither. A refusal is an answer too: it is
    kept, and its effects are undone unless it says `keeps_transaction`. What may pass by itself is not kept.

    :raises IdempotencyKeyReused: the key came with another request before.
    :raises IdempotencyInProgress: the first request is still running.
    """
    if keyed is None:
        return work()
    _lock(session, keyed)
    if (stored := _find(session, table, keyed)) is not None:
        return stored
    answer = _answer_or_refusal(session, keyed, work)
    keep_answer(session, table, keyed, answer)
    return answer


def keep_answer(
    session: Session, table: Table, keyed: KeyedRequest, answer: Response, *, for_now: bool = False
) -> None:
    """Store `answer` as the one to repeat, in place of an earlier one.

    :param for_now: the request works on and may still get another one; its status is stored below zero.
    """
    session.execute(delete(table).where(*_is(table, keyed)))
    session.execute(
        insert(table).values(
            user_id=keyed.user_id,
            operation=keyed.operation,
            key=keyed.key,
            request_digest=keyed.digest,
            status=-answer.status_code if for_now else answer.status_code,
            headers={name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers},
            body=bytes(answer.body),
        )
    )


def forget_old_keys(database: Database, table: Table) -> None:
    """Remove the answers that are older than a day."""
    with database.autocommit() as connection:
        connection.execute(delete(table).where(table.c.created_at < func.now() - KEPT))


def _lock(session: Session, keyed: KeyedRequest) -> None:
    name = f"{keyed.user_id} {keyed.operation} {keyed.key}"
    locked = session.scalar(
        text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name}
    )
    if not locked:
        raise IdempotencyInProgress


def _find(session: Session, table: Table, keyed: KeyedRequest) -> Response | None:
    may_work_on = (table.c.created_at >= func.now() - WORKS_ON).label("may_work_on")
    row = session.execute(
        select(table, may_work_on).where(*_is(table, keyed), table.c.created_at >= func.now() - KEPT)
    ).one_or_none()
    if row is None:
        return None
    if row.request_digest != keyed.digest:
        raise IdempotencyKeyReused
    if row.status < 0 and row.may_work_on:
        raise IdempotencyInProgress
    return Response(row.body, abs(row.status), headers={**row.headers, REPLAYED: "true"})


def _answer_or_refusal(session: Session, keyed: KeyedRequest, work: Callable[[], Response]) -> Response:
    savepoint = session.begin_nested()
    try:
        answer = work()
    except DomainError as error:
        if error.kind in _PASSING:
            raise
        if error.keeps_transaction:
            savepoint.commit()
        else:
            savepoint.rollback()
        refusal: Response = keyed.request.app.state.render_error(keyed.request, error)
        return refusal
    savepoint.commit()
    return answer


def _is(table: Table, keyed: KeyedRequest) -> tuple[ColumnElement[bool], ...]:
    return (
        table.c.user_id == keyed.user_id,
        table.c.operation == keyed.operation,
        table.c.key == keyed.key,
    )
