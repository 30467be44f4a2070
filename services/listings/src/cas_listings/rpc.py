"""The gRPC edge of the listings service: messages to own types, one operation per call."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import grpc
from cas.listings.v1 import listings_pb2
from cas.listings.v1.listings_pb2_grpc import ListingsServiceServicer, add_ListingsServiceServicer_to_server

from cas_kit.db import Database
from cas_kit.errors import FieldProblem, ValidationFailed
from cas_kit.ratelimit import RateLimiter
from cas_kit.storage import Storage
from cas_listings.domain.owner import Owner
from cas_listings.models import ServiceListing
from cas_listings.operations.erasure import erase_user
from cas_listings.operations.export import export_user
from cas_listings.operations.listings import get_any_listing, list_any_listings
from cas_listings.operations.owners import refresh_owner

# Long enough to fetch what an export names, too short to be passed on.
LINKS_LAST = timedelta(hours=1)


def register(server: grpc.Server, *, database: Database, limiter: RateLimiter, storage: Storage) -> None:
    """Add the listings service to a server."""
    add_ListingsServiceServicer_to_server(ListingsServicer(database, limiter, storage), server)


class ListingsServicer(ListingsServiceServicer):
    """Answers the other services; the comments in the proto say what each call does."""

    def __init__(self, database: Database, limiter: RateLimiter, storage: Storage) -> None:
        self._database = database
        self._limiter = limiter
        self._storage = storage

    def GetListing(  # noqa: N802  the proto's name
        self, request: listings_pb2.GetListingRequest, context: grpc.ServicerContext
    ) -> listings_pb2.GetListingResponse:
        """One listing, whatever state it is in."""
        del context
        listing_id = _uuid(request.listing_id, "listing_id")
        with self._database.autocommit() as connection:
            listing = get_any_listing(connection, listing_id=listing_id)
        return listings_pb2.GetListingResponse(listing=_listing(listing))

    def BatchGetListings(  # noqa: N802
        self, request: listings_pb2.BatchGetListingsRequest, context: grpc.ServicerContext
    ) -> listings_pb2.BatchGetListingsResponse:
        """Several listings, whatever state they are in."""
        del context
        listing_ids = [_uuid(text, "listing_ids") for text in request.listing_ids]
        with self._database.autocommit() as connection:
            found = list_any_listings(connection, listing_ids=listing_ids)
        return listings_pb2.BatchGetListingsResponse(listings=map(_listing, found))

    def RefreshOwner(  # noqa: N802
        self, request: listings_pb2.RefreshOwnerRequest, context: grpc.ServicerContext
    ) -> listings_pb2.RefreshOwnerResponse:
        """Show another name or picture of an owner."""
        del context
        owner = Owner(
            user_id=_uuid(request.user_id, "user_id"),
            display_name=request.display_name,
            avatar_url=request.avatar_url or None,
            version=request.version,
        )
        with self._database.transaction() as session:
            changed = refresh_owner(session, owner=owner)
        return listings_pb2.RefreshOwnerResponse(changed=changed)

    def ExportUser(  # noqa: N802
        self, request: listings_pb2.ExportUserRequest, context: grpc.ServicerContext
    ) -> Iterator[listings_pb2.ExportUserResponse]:
        """Everything kept about the user."""
        del context
        user_id = _uuid(request.user_id, "user_id")
        link = partial(self._storage.link, now=datetime.now(UTC), lasts=LINKS_LAST)
        with self._database.transaction() as session:
            for item in export_user(session, user_id=user_id, link=link):
                yield listings_pb2.ExportUserResponse(section=item.section, document=item.document)

    def EraseUser(  # noqa: N802
        self, request: listings_pb2.EraseUserRequest, context: grpc.ServicerContext
    ) -> listings_pb2.EraseUserResponse:
        """Forget a user, and what was counted for them."""
        del context
        user_id = _uuid(request.user_id, "user_id")
        with self._database.transaction() as session:
            removed = erase_user(session, user_id=user_id, now=datetime.now(UTC))
        self._limiter.forget(str(user_id))
        return listings_pb2.EraseUserResponse(rows=removed)


def _uuid(text: str, field: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ValidationFailed.of([FieldProblem(field, "must be a UUID")]) from error


def _listing(listing: ServiceListing) -> listings_pb2.Listing:
    message = listings_pb2.Listing(
        listing_id=str(listing.id),
        owner_id=str(listing.profile_id),
        created_as_role=listing.created_as_role,
        status=listing.status,
        title=listing.title,
        slug=listing.slug,
        subjects=listing.subjects,
        levels=listing.levels,
        hourly_rate=_money(listing.hourly_rate, listing.currency),
        location_type=listing.location_type,
        location_city=listing.location_city or "",
        timezone=listing.timezone,
        trial_minutes=listing.trial_duration_minutes,
        owner_display_name=listing.owner_display_name,
        version=listing.version,
    )
    if listing.published_at is not None:
        message.published_at.FromDatetime(listing.published_at)
    return message


def _money(minor_units: int | None, currency: str) -> listings_pb2.Money | None:
    if minor_units is None:
        return None
    return listings_pb2.Money(minor_units=minor_units, currency=currency)
