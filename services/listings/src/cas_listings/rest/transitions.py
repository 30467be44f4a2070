"""Publishing, unpublishing, archiving and copying (docs/spec/domain.md 6.4)."""

from uuid import UUID

from fastapi import Response
from sqlalchemy.orm import Session

from cas_kit.rest import router
from cas_listings.domain.states import Action
from cas_listings.operations import listings as operations
from cas_listings.rest import documents
from cas_listings.rest.caller import OwnersWrite, OwnersWriteDep
from cas_listings.rest.listings import ONE, created_answer, owners_answer

routes = router(tags=["listings"])

_ANSWERS: documents.Answers = {
    200: documents.answer("The listing as it is now.", documents.LISTING),
    **documents.NOT_FOUND,
    **documents.WRITES,
}


@routes.post(f"{ONE}/publish", summary="Let everybody find a listing", responses=_ANSWERS)
def publish_listing(listing_id: UUID, write: OwnersWriteDep) -> Response:
    """No change when it is published already."""
    return _move(listing_id, write, Action.PUBLISH)


@routes.post(f"{ONE}/unpublish", summary="Hide a listing", responses=_ANSWERS)
def unpublish_listing(listing_id: UUID, write: OwnersWriteDep) -> Response:
    """No change when it is hidden already."""
    return _move(listing_id, write, Action.UNPUBLISH)


@routes.post(
    f"{ONE}/pause", summary="Hide a listing", description="Another name of unpublish.", responses=_ANSWERS
)
def pause_listing(listing_id: UUID, write: OwnersWriteDep) -> Response:
    """No change when it is hidden already."""
    return _move(listing_id, write, Action.UNPUBLISH)


@routes.post(f"{ONE}/archive", summary="Put a listing away", responses=_ANSWERS)
def archive_listing(listing_id: UUID, write: OwnersWriteDep) -> Response:
    """No change when it is archived already."""
    return _move(listing_id, write, Action.ARCHIVE)


@routes.post(
    f"{ONE}/duplicate",
    summary="Make a draft like another listing",
    status_code=201,
    responses={
        201: documents.answer("The copy.", documents.LISTING),
        **documents.NOT_FOUND,
        **documents.WRITES,
    },
)
def duplicate_listing(listing_id: UUID, write: OwnersWriteDep) -> Response:
    """Whatever state the other one is in."""

    def duplicate(session: Session) -> Response:
        copy = operations.duplicate_listing(
            session,
            listing_id=listing_id,
            owner=write.principal.user_id,
            check_version=write.if_match.check,
            terms=write.terms,
        )
        return created_answer(copy, now=write.terms.now)

    return write.once(duplicate)


def _move(listing_id: UUID, write: OwnersWrite, action: Action) -> Response:
    def move(session: Session) -> Response:
        listing = operations.move_listing(
            session,
            listing_id=listing_id,
            owner=write.principal.user_id,
            action=action,
            check_version=write.if_match.check,
            terms=write.terms,
        )
        return owners_answer(listing, now=write.terms.now)

    return write.once(move)
