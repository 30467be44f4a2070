"""Rows of the services' tables for a marketplace, made by the same rules as the services' own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from random import Random
from typing import Any
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb
from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase
from tools.marketplace.drawings import Drawing
from tools.marketplace.offers import Offer, Owner

from cas_account.domain.profile import Identity
from cas_account.models import Profile
from cas_account.operations.profiles import new_agent_id
from cas_listings.domain.listing import new_fields, read_changes
from cas_listings.domain.owner import Owner as KnownOwner
from cas_listings.domain.roles import Role
from cas_listings.domain.slug import slugs
from cas_listings.domain.states import Action
from cas_listings.models import ListingImage, ListingSlug, ServiceListing

JOINED_BEFORE = timedelta(days=30)  # the first listing was published
BIO = "Tutor in {town}. I like clear explanations, patient practice and a good laugh."


@dataclass(frozen=True, slots=True)
class ListingRows:
    """A published listing and the address that leads to it."""

    listing: ServiceListing
    slug: ListingSlug


def listing_rows(offer: Offer) -> ListingRows:
    """What creating and publishing this offer leaves in the tables."""
    when = offer.published_at
    owner = KnownOwner(user_id=offer.owner.id, display_name=offer.owner.name, avatar_url=None, version=1)
    fields = new_fields(read_changes(offer.body).values)
    listing = ServiceListing.draft(offer.id, owner=owner, role=Role.TUTOR, fields=fields, now=when)
    listing.view_count, listing.inquiry_count, listing.booking_count, listing.version = offer.views, 0, 0, 1
    listing.slug = next(slugs(listing.title, listing.id))
    listing.go(Action.PUBLISH, now=when, grace=timedelta(0))
    return ListingRows(
        listing, ListingSlug(slug=listing.slug, listing_id=listing.id, profile_id=offer.owner.id)
    )


def image_rows(offer: Offer, album: Mapping[Drawing, ListingImage]) -> list[ListingImage]:
    """What this offer shows: copies of the album's pictures, whose files are shared."""
    return [
        _image(offer, album[drawing], position=position, alt_text=drawing.alt_text)
        for position, drawing in enumerate(offer.pictures)
    ]


def _image(offer: Offer, picture: ListingImage, *, position: int, alt_text: str) -> ListingImage:
    image = picture.copy(now=offer.published_at)
    image.id = UUID(int=uuid5(offer.id, f"picture {position}").int, version=4)
    image.listing_id, image.profile_id = offer.id, offer.owner.id
    image.position, image.alt_text = position, alt_text
    return image


def profile_row(owner: Owner, offer: Offer) -> Profile:
    """A tutor's profile, older than their listing. They have no password: nobody signs in as them."""
    joined, agent_id = offer.published_at - JOINED_BEFORE, new_agent_id(Random(owner.id.int))
    identity = Identity(
        user_id=owner.id,
        email=f"{agent_id}@example.com".lower(),
        email_verified=True,
        display_name=owner.name,
    )
    profile = Profile.of(identity, agent_id=agent_id, now=joined)
    profile.version, profile.roles, profile.onboarding_completed, profile.bio = 1, [], {}, ""
    profile.complete_onboarding(Role.TUTOR, bio=BIO.format(town=owner.town), completed_at=joined, now=joined)
    profile.city = owner.town
    return profile


def values(row: DeclarativeBase) -> dict[str, Any]:
    """What a new row holds in each column, defaults included, as the driver takes it."""
    return {column.name: _as_stored(column, getattr(row, column.name)) for column in row.__table__.columns}


def _as_stored(column: Column[Any], value: Any) -> Any:
    if value is None and column.default is not None:
        value = column.default.arg(None) if column.default.is_callable else column.default.arg
    if isinstance(value, Enum):
        return value.value
    return Jsonb(value) if isinstance(column.type, JSONB) and value is not None else value
