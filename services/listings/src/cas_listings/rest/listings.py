"""Listings: made and changed by their owner, read by everybody once published (docs/spec/domain.md 6.7)."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import Response
from sqlalchemy.orm import Session

from cas_kit.rest import DatabaseDep, IfNoneMatch, etag, json_response, not_modified, router
from cas_kit.tokens import Principal
from cas_listings.domain.listing import read_changes
from cas_listings.models import ServiceListing
from cas_listings.operations import listings as operations
from cas_listings.operations.owners import meet_owner
from cas_listings.rest import documents
from cas_listings.rest.caller import ListingsDep, OwnersWriteDep, VisitorDep
from cas_listings.rest.documents import JsonBody

PATH = "/api/listings"
ONE = "/api/listings/{listing_id}"
BY_SLUG = "/api/listings/slug/{slug}"

routes = router(tags=["listings"])


@routes.post(
    PATH,
    summary="Make a listing",
    description=(
        "A draft needs nothing. With `status: published` it is made and published, or neither. "
        "Honours `Idempotency-Key`."
    ),
    openapi_extra=documents.body(documents.NEW),
    status_code=201,
    responses={
        201: documents.answer("The new listing.", documents.LISTING),
        403: {"description": "You do not hold the role you want to act in."},
        400: {"description": "The body is no JSON."},
        **documents.WRITES,
    },
)
def create_listing(write: OwnersWriteDep, listings: ListingsDep, body: JsonBody = None) -> Response:
    """Ask who the owner is before the transaction begins; every refusal comes from within, to be kept with its key."""
    owner = meet_owner(listings.account, user_id=write.principal.user_id, claims=write.principal.claims)

    def create(session: Session) -> Response:
        changes = read_changes(body)
        write.if_match.check(None)
        listing = operations.create_listing(session, owner=owner, changes=changes, terms=write.terms)
        return created_answer(listing, now=write.terms.now, ignored_fields=changes.ignored)

    return write.once(create)


@routes.get(
    BY_SLUG,
    summary="A listing by its readable address",
    responses={
        200: documents.answer("The listing; its owner sees more.", documents.LISTING),
        308: {"description": "It has another slug now: see `Location`."},
        **documents.UNCHANGED,
        **documents.NO_TOKEN,
        **documents.NOT_FOUND,
    },
)
def get_listing_by_slug(
    slug: str, visitor: VisitorDep, database: DatabaseDep, if_none_match: IfNoneMatch = ""
) -> Response:
    """Slugs that the public has seen lead here for ever."""
    with database.autocommit() as connection:
        listing = operations.get_listing_by_slug(connection, slug=slug, viewer=_id_of(visitor))
    if listing.slug != slug:
        return Response(status_code=308, headers={"Location": f"{PATH}/slug/{listing.slug}"})
    return _answer(listing, visitor, known=if_none_match)


@routes.get(
    ONE,
    summary="A listing",
    responses={
        200: documents.answer("The listing; its owner sees more.", documents.LISTING),
        **documents.UNCHANGED,
        **documents.NO_TOKEN,
        **documents.NOT_FOUND,
    },
)
def get_listing(
    listing_id: UUID, visitor: VisitorDep, database: DatabaseDep, if_none_match: IfNoneMatch = ""
) -> Response:
    """One statement, outside any transaction."""
    with database.autocommit() as connection:
        listing = operations.get_listing(connection, listing_id=listing_id, viewer=_id_of(visitor))
    return _answer(listing, visitor, known=if_none_match)


@routes.patch(
    ONE,
    summary="Change a listing",
    description=(
        'Absent fields stay, `null` and `""` clear. `status` publishes, unpublishes or archives in the same '
        "transaction. Honours `If-Match` and `Idempotency-Key`."
    ),
    openapi_extra=documents.body(documents.CHANGES),
    responses={
        200: documents.answer("The listing as it is now.", documents.LISTING),
        **documents.NOT_FOUND,
        400: {"description": "The body is no JSON."},
        **documents.WRITES,
    },
)
def patch_listing(listing_id: UUID, write: OwnersWriteDep, body: JsonBody = None) -> Response:
    """Write what was sent, keep what was not."""

    def change(session: Session) -> Response:
        changes = read_changes(body)
        listing = operations.change_listing(
            session,
            listing_id=listing_id,
            owner=write.principal.user_id,
            changes=changes,
            check_version=write.if_match.check,
            terms=write.terms,
        )
        return owners_answer(listing, now=write.terms.now, ignored_fields=changes.ignored)

    return write.once(change)


@routes.delete(
    ONE,
    summary="Remove a listing",
    description="A draft at once, an archived listing after its grace. Honours `If-Match` and `Idempotency-Key`.",
    status_code=204,
    responses={204: {"description": "It is gone."}, **documents.NOT_FOUND, **documents.WRITES},
)
def delete_listing(listing_id: UUID, write: OwnersWriteDep) -> Response:
    """Slugs that the public has seen stay taken."""

    def remove(session: Session) -> Response:
        operations.delete_listing(
            session,
            listing_id=listing_id,
            owner=write.principal.user_id,
            check_version=write.if_match.check,
            now=write.terms.now,
        )
        return Response(status_code=204)

    return write.once(remove)


def created_answer(listing: ServiceListing, *, now: datetime, **more: object) -> Response:
    """A listing that was not there before.

    :param more: members of the answer that are about this request only.
    """
    document = documents.owners_document(listing, now=now)
    headers = {**_owners_headers(listing), "Location": f"{PATH}/{listing.id}"}
    return json_response(document | more, status=201, headers=headers)


def owners_answer(listing: ServiceListing, *, now: datetime, **more: object) -> Response:
    """A listing after its owner did something with it.

    :param more: members of the answer that are about this request only.
    """
    document = documents.owners_document(listing, now=now)
    return json_response(document | more, headers=_owners_headers(listing))


def _answer(listing: ServiceListing, visitor: Principal | None, *, known: str) -> Response:
    """What the caller may see; a cache must not show one of them what the other saw.

    :param known: the entity tags that the client has.
    """
    is_owner = _id_of(visitor) == listing.profile_id
    headers = (
        _owners_headers(listing) if is_owner else {"ETag": etag(listing.version), "Cache-Control": "no-cache"}
    )
    headers["Vary"] = "Authorization"
    if not_modified(known, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if is_owner:
        return json_response(documents.owners_document(listing, now=datetime.now(UTC)), headers=headers)
    return json_response(documents.public_document(listing), headers=headers)


def _owners_headers(listing: ServiceListing) -> dict[str, str]:
    return {"ETag": etag(listing.version), "Cache-Control": "private, no-cache"}


def _id_of(visitor: Principal | None) -> UUID | None:
    return visitor.user_id if visitor else None
