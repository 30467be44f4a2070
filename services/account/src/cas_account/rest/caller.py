"""Who is calling: the owner of a profile, which the first call of a user creates (docs/spec/domain.md 3.1)."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from cas_account.domain.profile import Identity
from cas_account.models import idempotency_keys
from cas_account.operations.erasure import Sessions
from cas_account.operations.health import HealthMonitor
from cas_account.operations.parts import Part
from cas_account.operations.profiles import new_agent_id, welcome
from cas_kit.db import Database
from cas_kit.idempotency import KeyedRequest, KeyedRequestDep, answer_once
from cas_kit.images import ImageProcessor
from cas_kit.ratelimit import RateLimiter
from cas_kit.rest import Dependencies, IfMatch, IfMatchDep, PrincipalDep, authenticated
from cas_kit.storage import Storage
from cas_kit.tokens import CACHED_TOKENS, Principal


class WelcomedTokens:
    """The tokens this process has seen lately; a new one costs one write, a known one nothing."""

    def __init__(self, limit: int = CACHED_TOKENS) -> None:
        self._limit = limit
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._digests

    def add(self, digest: bytes) -> None:
        """Remember a token, and forget the oldest when there are too many."""
        self._digests[digest] = None
        while len(self._digests) > self._limit:
            self._digests.popitem(last=False)


@dataclass(frozen=True, slots=True)
class AccountDependencies(Dependencies):
    """What the endpoints are given."""

    issuer: str
    media_url: str
    health: HealthMonitor
    limiter: RateLimiter
    parts: Sequence[Part]
    sessions: Sessions
    storage: Storage
    images: ImageProcessor
    welcomed: WelcomedTokens = field(default_factory=WelcomedTokens)


async def _account(request: Request) -> AccountDependencies:
    dependencies: AccountDependencies = request.app.state.dependencies
    return dependencies


AccountDep = Annotated[AccountDependencies, Depends(_account)]


@dataclass(frozen=True, slots=True)
class OwnersRead:
    """A request of an owner to see something of theirs."""

    owner: UUID
    database: Database


async def _owners_read(request: Request, principal: PrincipalDep) -> OwnersRead:
    """The caller, whose profile exists from now on.

    Stays on the event loop for a token that was welcomed before.

    :raises Unauthenticated: the user was erased.
    """
    dependencies: AccountDependencies = request.app.state.dependencies
    if principal.digest not in dependencies.welcomed:
        await run_in_threadpool(_welcome, dependencies.database, principal)
        dependencies.welcomed.add(principal.digest)
    return OwnersRead(principal.user_id, dependencies.database)


def _welcome(database: Database, principal: Principal) -> None:
    with database.transaction() as session:
        welcome(
            session,
            identity=Identity.from_claims(principal.user_id, principal.claims),
            agent_id=new_agent_id(),
            now=datetime.now(UTC),
        )


OwnersReadDep = Annotated[OwnersRead, Depends(_owners_read)]


@dataclass(frozen=True, slots=True)
class OwnersWrite:
    """A request of an owner to change something of theirs."""

    owner: UUID
    database: Database
    if_match: IfMatch
    keyed: KeyedRequest | None

    def once(self, work: Callable[[Session], Response]) -> Response:
        """Run `work` in a transaction that is committed before the answer; a repeated key gets the first answer."""
        with self.database.transaction() as session:
            return answer_once(session, idempotency_keys, self.keyed, lambda: work(session))


async def _owners_write(read: OwnersReadDep, if_match: IfMatchDep, keyed: KeyedRequestDep) -> OwnersWrite:
    return OwnersWrite(read.owner, read.database, if_match, keyed)


OwnersWriteDep = Annotated[OwnersWrite, Depends(_owners_write)]


async def nobody_in_disguise(request: Request) -> None:
    """For public operations: a call needs no token, but one that is sent has to be good (docs/spec/domain.md 9.2)."""
    if "authorization" in request.headers:
        await authenticated(request)
