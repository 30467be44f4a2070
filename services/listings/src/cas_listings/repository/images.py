"""Pictures of listings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import Connection, Table, exists, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from cas_listings.domain.images import ImageState
from cas_listings.models import ListingImage, ServiceListing

_images = cast("Table", ListingImage.__table__)


@dataclass(frozen=True, slots=True)
class ImageQueue:
    """How many pictures are not done yet, and the age of the oldest of them."""

    pending: int
    age: timedelta


# ---- reading ----


def load_images(connection: Connection, listings: Sequence[ServiceListing]) -> None:
    """Give listings that belong to no session their pictures."""
    found: dict[UUID, list[ListingImage]] = {listing.id: [] for listing in listings}
    if found:
        rows = select(_images).where(_images.c.listing_id.in_(found)).order_by(_images.c.position)
        for row in connection.execute(rows).mappings():
            found[row.listing_id].append(ListingImage(**row))
    for listing in listings:
        set_committed_value(listing, "images", found[listing.id])


# ---- processing ----


def claim_image(session: Session, *, image_id: UUID, now: datetime) -> ListingImage | None:
    """The picture, locked, if it is due and nobody else is looking at it."""
    due = select(ListingImage).where(
        ListingImage.id == image_id,
        ListingImage.state == ImageState.PENDING,
        ListingImage.run_after <= now,
    )
    return session.scalar(due.with_for_update(skip_locked=True))


def lock_image(
    session: Session, *, listing_id: UUID, image_id: UUID, attempt: int
) -> tuple[ServiceListing, ListingImage] | None:
    """The listing and its picture, unless that is gone, done, or somebody else has begun another try.

    The listing is locked first, as wherever both are.
    """
    listing = session.scalar(select(ServiceListing).where(ServiceListing.id == listing_id).with_for_update())
    mine = select(ListingImage).where(
        ListingImage.listing_id == listing_id,
        ListingImage.id == image_id,
        ListingImage.state == ImageState.PENDING,
        ListingImage.attempts == attempt,
    )
    image = session.scalar(mine.with_for_update())
    return (listing, image) if listing and image else None


def list_due_images(connection: Connection, *, due_since: datetime, limit: int) -> Sequence[UUID]:
    """The ids of pictures that nobody has begun since they became due, the longest waiting first."""
    return connection.scalars(
        select(_images.c.id)
        .where(_images.c.state == ImageState.PENDING, _images.c.run_after <= due_since)
        .order_by(_images.c.run_after)
        .limit(limit)
    ).all()


def measure_images(connection: Connection, *, now: datetime) -> ImageQueue:
    """How things stand."""
    pending = _images.c.state == ImageState.PENDING
    row = connection.execute(select(func.count(), func.min(_images.c.created_at)).where(pending)).one()
    number, oldest = row
    return ImageQueue(number, timedelta(0) if oldest is None else now - oldest)


# ---- files ----


def is_used(reader: Connection | Session, *, owner: UUID, digest: str) -> bool:
    """Whether a picture of this owner uses these files, or any when there is no digest."""
    used = _images.c.profile_id == owner
    if digest:
        used &= or_(_images.c.upload_digest == digest, _images.c.digest == digest)
    return bool(reader.execute(select(exists().where(used))).scalar_one())
