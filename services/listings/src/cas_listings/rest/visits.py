"""Views and inquiries (docs/spec/domain.md 6.8)."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy.orm import Session

from cas_kit.addresses import client_ip
from cas_kit.rest import json_response, router
from cas_kit.tokens import Principal
from cas_listings.domain.visits import Visit
from cas_listings.operations import visits as operations
from cas_listings.rest import documents
from cas_listings.rest.caller import ListingsDep, ListingsDependencies, UnversionedWriteDep, VisitorDep
from cas_listings.rest.listings import ONE

routes = router(tags=["listings"])


@routes.post(
    f"{ONE}/views",
    summary="Count a view",
    description="Once for a visitor, listing and UTC day; not for its owner, declared bots and prefetching browsers.",
    responses={
        200: documents.answer("Whether this one counts, and how many do.", documents.VIEWS),
        **documents.NO_TOKEN,
        **documents.NOT_FOUND,
        **documents.TOO_MANY,
    },
)
def count_view(request: Request, listing_id: UUID, visitor: VisitorDep, listings: ListingsDep) -> Response:
    """Safe to repeat by itself."""
    visit = _visit(request, visitor, listings)
    listings.limiter.hit(listings.settings.view_limit, "view", str(visit.user_id or visit.address))
    count = operations.count_view(
        listings.database,
        listings.visitor_keys,
        listing_id=listing_id,
        visit=visit,
        now=datetime.now(UTC),
    )
    return json_response({"counted": count.counted, "view_count": count.total})


@routes.post(
    f"{ONE}/inquiries",
    summary="Count an inquiry",
    description="Once for a user, listing and UTC day. Honours `Idempotency-Key`.",
    responses={
        200: documents.answer("Whether this one counts, and how many do.", documents.INQUIRIES),
        403: {"description": "It is your own listing."},
        409: {"description": "A request with this `Idempotency-Key` is still running."},
        422: {"description": "The `Idempotency-Key` came with another request before."},
        **documents.NO_TOKEN,
        **documents.NOT_FOUND,
        **documents.TOO_MANY,
    },
)
def create_inquiry(
    request: Request, listing_id: UUID, write: UnversionedWriteDep, listings: ListingsDep
) -> Response:
    """Only counted for now; a body is not read."""
    user_id = write.principal.user_id
    listings.limiter.hit(listings.settings.inquiry_limit, "inquiry", str(user_id))
    visit = _visit(request, write.principal, listings)

    def count(session: Session) -> Response:
        count = operations.count_inquiry(
            session, listing_id=listing_id, user_id=user_id, visit=visit, now=write.terms.now
        )
        return json_response({"counted": count.counted, "inquiry_count": count.total})

    return write.once(count)


def _visit(request: Request, visitor: Principal | None, listings: ListingsDependencies) -> Visit:
    headers = request.headers
    return Visit(
        user_id=visitor.user_id if visitor else None,
        address=client_ip(request, trusted_hops=listings.settings.trusted_proxy_hops) or "",
        user_agent=headers.get("user-agent", ""),
        purpose=f"{headers.get('purpose', '')} {headers.get('sec-purpose', '')}",
    )
