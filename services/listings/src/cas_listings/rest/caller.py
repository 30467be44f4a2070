"""Who is calling: the owner of listings, or a visitor who may be anybody."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Protocol

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from cas_kit.db import Database
from cas_kit.idempotency import KeyedRequest, KeyedRequestDep, answer_once
from cas_kit.ratelimit import RateLimiter
from cas_kit.rest import Dependencies, IfMatch, IfMatchDep, PrincipalDep, authenticated
from cas_kit.storage import Storage
from cas_kit.tokens import Principal
from cas_listings.models import idempotency_keys
from cas_listings.operations.erasure import hold_user
from cas_listings.operations.listings import Terms
from cas_listings.operations.owners import AccountApi
from cas_listings.operations.template import TemplateApi
from cas_listings.operations.visits import VisitorKeys
from cas_listings.settings import Settings


class Account(AccountApi, TemplateApi, Protocol):
    """All that the endpoints ask of the account service."""


@dataclass(frozen=True, slots=True)
class ListingsDependencies(Dependencies):
    """What the endpoints are given.

    :param searches: what searches read: the database, or a copy of it that may be a moment behind.
    """

    searches: Database
    account: Account
    settings: Settings
    limiter: RateLimiter
    visitor_keys: VisitorKeys
    storage: Storage


async def _listings(request: Request) -> ListingsDependencies:
    dependencies: ListingsDependencies = request.app.state.dependencies
    return dependencies


ListingsDep = Annotated[ListingsDependencies, Depends(_listings)]


async def _visitor(request: Request) -> Principal | None:
    """The caller of a public operation: nobody is asked for a token, but one that is sent has to be good."""
    return await authenticated(request) if "authorization" in request.headers else None


VisitorDep = Annotated[Principal | None, Depends(_visitor)]


@dataclass(frozen=True, slots=True)
class OwnersWrite:
    """A request of an owner to change something of theirs."""

    principal: Principal
    database: Database
    if_match: IfMatch
    keyed: KeyedRequest | None
    terms: Terms

    def once(self, work: Callable[[Session], Response]) -> Response:
        """Run `work` in a transaction that is committed before the answer; a repeated key gets the first answer.

        :raises Unauthenticated: the caller was erased after the token was issued.
        """
        with self.database.transaction() as session:
            hold_user(session, user_id=self.principal.user_id)
            return answer_once(session, idempotency_keys, self.keyed, lambda: work(session))


async def _unversioned_write(
    principal: PrincipalDep, listings: ListingsDep, keyed: KeyedRequestDep
) -> OwnersWrite:
    terms = Terms(now=datetime.now(UTC), grace=listings.settings.deletion_grace)
    return OwnersWrite(principal, listings.database, IfMatch(None), keyed, terms)


UnversionedWriteDep = Annotated[OwnersWrite, Depends(_unversioned_write)]


async def _owners_write(write: UnversionedWriteDep, if_match: IfMatchDep) -> OwnersWrite:
    return replace(write, if_match=if_match)


OwnersWriteDep = Annotated[OwnersWrite, Depends(_owners_write)]
