"""The pictures of a listing: uploaded, put in order and removed by its owner (docs/spec/domain.md 6.6)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from cas_kit.idempotency import IdempotencyKey, keyed_request
from cas_kit.images import FileMissing
from cas_kit.rest import IfMatchDep, PrincipalDep, etag, json_response, router
from cas_kit.uploads import TooManyFiles, UploadedFile, read_files, upload_route
from cas_listings.domain.images import MOST_IMAGES, TooManyImages, read_order
from cas_listings.models import ListingImage, ServiceListing
from cas_listings.operations import images as operations
from cas_listings.operations.listings import Terms
from cas_listings.rest import documents, image_documents
from cas_listings.rest.caller import ListingsDep, OwnersWrite, OwnersWriteDep
from cas_listings.rest.documents import JsonBody
from cas_listings.rest.listings import ONE

PATH = f"{ONE}/images"
FIELDS = frozenset({"files", "file", "images"})

uploads = router(tags=["pictures"], route_class=upload_route(most=MOST_IMAGES))
routes = router(tags=["pictures"])


async def _files(request: Request, principal: PrincipalDep) -> Sequence[UploadedFile]:
    """Read once the caller is known."""
    del principal
    try:
        files = await read_files(request, fields=FIELDS, most=MOST_IMAGES)
    except TooManyFiles as error:
        raise TooManyImages from error
    if not files:
        raise FileMissing
    return files


FilesDep = Annotated[Sequence[UploadedFile], Depends(_files)]


def _uploads_write(
    *,
    request: Request,
    principal: PrincipalDep,
    files: FilesDep,
    listings: ListingsDep,
    if_match: IfMatchDep,
    key: IdempotencyKey = None,
) -> OwnersWrite:
    """A repeat is told by the files, because each form has boundaries of its own."""
    content = b"\n".join(each.content for each in files)
    keyed = keyed_request(request, key, user_id=principal.user_id, content=content)
    terms = Terms(now=datetime.now(UTC), grace=listings.settings.deletion_grace)
    return OwnersWrite(principal, listings.database, if_match, keyed, terms)


UploadsWriteDep = Annotated[OwnersWrite, Depends(_uploads_write)]


@uploads.post(
    PATH,
    summary="Add pictures to a listing",
    description=(
        "At most 10 files of 5 MB, each judged by itself; they are processed afterwards (`state`). A file that the "
        "listing has already is not added again. Honours `If-Match` and `Idempotency-Key`."
    ),
    status_code=202,
    openapi_extra=image_documents.UPLOAD,
    responses=image_documents.UPLOADED,
)
def add_listing_images(
    listing_id: UUID, write: UploadsWriteDep, files: FilesDep, listings: ListingsDep
) -> Response:
    """Write the files, then the rows that name them."""
    batch = operations.judge_files(files)
    owner = write.principal.user_id
    claims = operations.store_uploads(
        listings.database, listings.storage, listing_id=listing_id, owner=owner, batch=batch
    )

    def add(session: Session) -> Response:
        listing, images = operations.add_images(
            session,
            listing_id=listing_id,
            owner=owner,
            batch=batch,
            claims=claims,
            check_version=write.if_match.check,
            now=write.terms.now,
        )
        rejected = [image_documents.rejection(each) for each in batch.rejected]
        return _answer(listing, images, status=202, rejected=rejected)

    return write.once(add)


@routes.patch(
    PATH,
    summary="Put the pictures of a listing in order",
    description=(
        "`images` names each picture once; the first is the cover, unless `cover_id` brings another one to the front. "
        "Honours `If-Match` and `Idempotency-Key`."
    ),
    openapi_extra=documents.body(image_documents.ORDER),
    responses={
        200: documents.answer("All pictures, in their order.", image_documents.IMAGES),
        **documents.NOT_FOUND,
        400: {"description": "The body is no JSON."},
        **documents.WRITES,
    },
)
def order_listing_images(listing_id: UUID, write: OwnersWriteDep, body: JsonBody = None) -> Response:
    """All of them, or none."""

    def order(session: Session) -> Response:
        listing = operations.order_images(
            session,
            listing_id=listing_id,
            owner=write.principal.user_id,
            order=read_order(body),
            check_version=write.if_match.check,
            now=write.terms.now,
        )
        return _answer(listing, listing.images)

    return write.once(order)


@routes.delete(
    f"{PATH}/{{image_id}}",
    summary="Remove a picture from a listing",
    description="Honours `If-Match` and `Idempotency-Key`.",
    status_code=204,
    responses={
        204: {"description": "It is gone."},
        **documents.WRITES,
        404: {"description": "There is no such listing of yours, or it has no such picture."},
    },
)
def delete_listing_image(listing_id: UUID, image_id: UUID, write: OwnersWriteDep) -> Response:
    """Its files go soon after, unless another listing shows them."""

    def remove(session: Session) -> Response:
        listing = operations.remove_image(
            session,
            listing_id=listing_id,
            image_id=image_id,
            owner=write.principal.user_id,
            check_version=write.if_match.check,
            now=write.terms.now,
        )
        return Response(status_code=204, headers={"ETag": etag(listing.version)})

    return write.once(remove)


def _answer(
    listing: ServiceListing, images: Sequence[ListingImage], *, status: int = 200, **more: object
) -> Response:
    shown = image_documents.images(images, among=listing.images)
    return json_response({"images": shown} | more, status=status, headers={"ETag": etag(listing.version)})
