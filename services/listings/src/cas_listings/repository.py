"""Every SQL statement of the listings service.

Reads are built once at import, run in autocommit and return entities that belong to no session. What belongs to
somebody is asked for together with its owner: another person's draft is not found.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import cast
from uuid import UUID, uuid4

from sqlalchemy import Connection, CursorResult, Table, bindparam, case, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from cas_kit.telemetry import request_id
from cas_listings.domain.owner import Owner
from cas_listings.domain.roles import Role
from cas_listings.domain.states import Status
from cas_listings.models import AuditEntry, ErasedUser, ListingSlug, ServiceListing

_listings = cast("Table", ServiceListing.__table__)
_slugs = cast("Table", ListingSlug.__table__)

_OWN = _listings.c.profile_id == bindparam("viewer")
_VISIBLE = select(_listings).where((_listings.c.status == Status.PUBLISHED) | _OWN)
_BY_ID = _VISIBLE.where(_listings.c.id == bindparam("listing_id"))
_BY_SLUG = _VISIBLE.where(_listings.c.slug == bindparam("slug"))
_BY_OLD_SLUG = _VISIBLE.join(_slugs, _slugs.c.listing_id == _listings.c.id).where(
    _slugs.c.slug == bindparam("slug")
)


# ---- reading ----


def find_listing(connection: Connection, *, listing_id: UUID, viewer: UUID | None) -> ServiceListing | None:
    """The listing, if it is published or the viewer's own."""
    row = connection.execute(_BY_ID, {"listing_id": listing_id, "viewer": viewer}).mappings().one_or_none()
    return ServiceListing(**row) if row else None


def find_listing_by_slug(connection: Connection, *, slug: str, viewer: UUID | None) -> ServiceListing | None:
    """The listing that has this slug now or had it once, if it is published or the viewer's own."""
    for statement in (_BY_SLUG, _BY_OLD_SLUG):
        row = connection.execute(statement, {"slug": slug, "viewer": viewer}).mappings().one_or_none()
        if row is not None:
            return ServiceListing(**row)
    return None


# ---- writing ----


def share_user(session: Session, *, user_id: UUID) -> None:
    """Keep this user from being erased until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock_shared(func.hashtextextended(str(user_id), 0))))


def is_erased(session: Session, *, user_id: UUID) -> bool:
    return session.get(ErasedUser, user_id) is not None


def lock_own_listing(session: Session, *, listing_id: UUID, owner: UUID) -> ServiceListing | None:
    """The owner's listing, held until the transaction ends: changes of one listing wait for each other."""
    found = select(ServiceListing).where(ServiceListing.id == listing_id, ServiceListing.profile_id == owner)
    return session.scalars(found.with_for_update()).one_or_none()


def add_listing(session: Session, listing: ServiceListing) -> None:
    session.add(listing)
    session.flush()


def delete_listing(session: Session, listing: ServiceListing) -> None:
    session.delete(listing)
    session.flush()


def update_owner(session: Session, owner: Owner) -> int:
    """Write what account knows of an owner over what is older; a listing that shows the same keeps its version.

    `updated_at` stays: it tells of changes to the offer.
    """
    shown = (_listings.c.owner_display_name == owner.display_name) & (
        _listings.c.owner_avatar_url.is_not_distinct_from(owner.avatar_url)
    )
    newer = (
        update(_listings)
        .where(_listings.c.profile_id == owner.user_id, _listings.c.owner_version < owner.version)
        .values(
            owner_display_name=owner.display_name,
            owner_avatar_url=owner.avatar_url,
            owner_version=owner.version,
            version=_listings.c.version + case((shown, 0), else_=1),
        )
    )
    return cast("CursorResult[object]", session.execute(newer)).rowcount


# ---- slugs ----


def is_slug_free(session: Session, *, slug: str, listing_id: UUID) -> bool:
    """Whether no other listing has or had this slug."""
    has = exists().where(_listings.c.slug == slug, _listings.c.id != listing_id)
    had = exists().where(_slugs.c.slug == slug, _slugs.c.listing_id != listing_id)
    return bool(session.scalar(select(~has & ~had)))


def keep_slug(session: Session, listing: ServiceListing) -> None:
    """See to it that the present slug leads to this listing for ever."""
    values = {"slug": listing.slug, "listing_id": listing.id, "profile_id": listing.profile_id}
    session.execute(insert(_slugs).values(values).on_conflict_do_nothing())


# ---- audit ----


def add_audit_entry(
    session: Session,
    *,
    actor_id: UUID,
    action: str,
    thing: str,
    now: datetime,
    acting_role: Role | None = None,
    details: Mapping[str, str | int] | None = None,
) -> None:
    entry = AuditEntry(
        id=uuid4(),
        actor_id=actor_id,
        acting_role=acting_role,
        action=action,
        thing=thing,
        request_id=request_id.get(),
        created_at=now,
        details=dict(details or {}),
    )
    session.add(entry)
