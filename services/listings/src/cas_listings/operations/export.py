"""Everything kept about a user, for that user (docs/spec/domain.md 8.2)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from cas_listings import repository
from cas_listings.domain.images import upload_key
from cas_listings.domain.listing import answered
from cas_listings.models import AuditEntry, ListingImage, ListingMark, ServiceListing

Link = Callable[[str], str]
"""The address of the private file with this key."""


@dataclass(frozen=True, slots=True)
class ExportItem:
    """One JSON object of a section of the export."""

    section: str
    document: bytes


def export_user(session: Session, *, user_id: UUID, link: Link) -> Iterator[ExportItem]:
    """What the user offers or looks for and its pictures, then what they did: on record, and as a visitor of others.

    :param link: makes the address at which an uploaded file can be fetched for a while.
    """
    for listing in repository.export_listings(session, owner=user_id):
        seen = listing.published_at is not None
        slugs = repository.list_slugs(session, listing_id=listing.id) if seen else []
        yield ExportItem("listings", msgspec.json.encode(_listing(listing) | {"slugs": slugs}))
        for image in listing.images:
            yield ExportItem("images", msgspec.json.encode(_image(image, link)))
    for entry in repository.list_activity(session, user_id=user_id):
        yield ExportItem("activity", msgspec.json.encode(_entry(entry)))
    for mark in repository.list_marks(session, user_id=user_id):
        yield ExportItem("activity", msgspec.json.encode(_mark(mark)))


def _listing(listing: ServiceListing) -> dict[str, Any]:
    columns = ServiceListing.__table__.columns.keys()
    return {name: getattr(listing, name) for name in columns} | answered(listing.fields)


def _image(image: ListingImage, link: Link) -> dict[str, Any]:
    columns = ListingImage.__table__.columns.keys()
    file = link(upload_key(image.profile_id, image.upload_digest))
    return {name: getattr(image, name) for name in columns} | {"uploaded_file": file}


def _entry(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.created_at,
        "service": "listings",
        "action": entry.action,
        "role": entry.acting_role,
        "thing": entry.thing,
        "request_id": entry.request_id,
        **entry.details,
    }


def _mark(mark: ListingMark) -> dict[str, Any]:
    """The day is all that is known of when."""
    return {
        "at": datetime.combine(mark.day, time(), UTC),
        "service": "listings",
        "action": f"{mark.counted}_counted",
        "thing": f"listing/{mark.listing_id}",
    }
