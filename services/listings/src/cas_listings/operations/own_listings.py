"""What somebody has made so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from cas_listings import repository
from cas_listings.domain.own_listings import Selection
from cas_listings.domain.states import Status
from cas_listings.models import ServiceListing
from cas_listings.operations.erasure import refuse_erased
from cas_listings.repository.images import load_images


@dataclass(frozen=True, slots=True)
class OwnListings:
    """One page of somebody's listings, how many there are in all, and how many in each state."""

    listings: Sequence[ServiceListing]
    total: int
    counts: Mapping[Status, int]


def list_own(connection: Connection, *, owner: UUID, selection: Selection) -> OwnListings:
    """The listings somebody has made. `counts` disregards which state was asked for.

    :raises Unauthenticated: the user was erased after the token was issued.
    """
    counts = repository.count_own(connection, owner=owner, role=selection.role)
    if not any(counts.values()):
        refuse_erased(connection, user_id=owner)
    total = counts[selection.status] if selection.status else sum(counts.values())
    listings = repository.list_own(connection, owner=owner, selection=selection) if total else []
    load_images(connection, listings)
    return OwnListings(listings, total, counts)
