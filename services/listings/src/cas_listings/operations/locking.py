"""A listing that its owner is about to change."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy.orm import Session

from cas_listings import repository
from cas_listings.domain.listing import ListingNotFound
from cas_listings.models import ServiceListing

CheckVersion = Callable[[int | None], None]
"""Holds the stored version (None: nothing stored) against the one the caller knows; raises `VersionMismatch`."""


def lock_listing(
    session: Session, *, listing_id: UUID, owner: UUID, check_version: CheckVersion
) -> ServiceListing:
    """The owner's listing, held until the transaction ends.

    :raises ListingNotFound: there is none, or it is not theirs.
    :raises VersionMismatch: the caller knows another version.
    """
    listing = repository.lock_own_listing(session, listing_id=listing_id, owner=owner)
    check_version(listing.version if listing else None)
    if listing is None:
        raise ListingNotFound
    return listing
