"""Every SQL statement of the listings service.

Reads are built once at import, run in autocommit and return entities that belong to no session. What belongs to
somebody is asked for together with its owner: another person's draft is not found.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    CursorResult,
    Date,
    LargeBinary,
    Table,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    select,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from cas_kit.telemetry import request_id
from cas_listings.domain.own_listings import Selection, Sort
from cas_listings.domain.owner import Owner
from cas_listings.domain.roles import Role
from cas_listings.domain.states import Status
from cas_listings.domain.visits import Count, Counted, Visit
from cas_listings.models import (
    AuditEntry,
    ErasedUser,
    ListingMark,
    ListingSlug,
    ServiceListing,
    VisitorKey,
    idempotency_keys,
    outbox,
)

_listings = cast("Table", ServiceListing.__table__)
_slugs = cast("Table", ListingSlug.__table__)
_marks = cast("Table", ListingMark.__table__)
_visitor_keys = cast("Table", VisitorKey.__table__)

Reader = Connection | Session

_HOLD_NAME = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")
_LOCK_NAME = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
AT_ONCE = 200  # rows of an export in memory
_SHOWN_FIRST = (Status.PUBLISHED, Status.DRAFT, Status.UNPUBLISHED, Status.ARCHIVED)

_OWN = _listings.c.profile_id == bindparam("viewer")
_VISIBLE = select(_listings).where((_listings.c.status == Status.PUBLISHED) | _OWN)
_BY_ID = _VISIBLE.where(_listings.c.id == bindparam("listing_id"))
_BY_SLUG = _VISIBLE.join(_slugs, _slugs.c.listing_id == _listings.c.id).where(
    _slugs.c.slug == bindparam("slug")
)


# ---- reading ----


def find_listing(connection: Connection, *, listing_id: UUID, viewer: UUID | None) -> ServiceListing | None:
    """The listing, if it is published or the viewer's own."""
    row = connection.execute(_BY_ID, {"listing_id": listing_id, "viewer": viewer}).mappings().one_or_none()
    return ServiceListing(**row) if row else None


def find_listing_by_slug(connection: Connection, *, slug: str, viewer: UUID | None) -> ServiceListing | None:
    """The listing that has this slug now or had it once, if it is published or the viewer's own."""
    row = connection.execute(_BY_SLUG, {"slug": slug, "viewer": viewer}).mappings().one_or_none()
    return ServiceListing(**row) if row else None


def list_any(connection: Connection, *, listing_ids: Sequence[UUID]) -> list[ServiceListing]:
    """Listings by id, whosever they are and in whatever state: for other services."""
    found = select(_listings).where(_listings.c.id.in_(listing_ids))
    return [ServiceListing(**row) for row in connection.execute(found).mappings()]


# ---- somebody's own ----

_PERFORMANCE = (_listings.c.view_count.desc(), _listings.c.inquiry_count.desc())
_BY_STATUS = (case(*((_listings.c.status == status, place) for place, status in enumerate(_SHOWN_FIRST))),)
_NEWEST = (_listings.c.created_at.desc(), _listings.c.id.desc())
_ORDERS: Mapping[Sort, tuple[Any, ...]] = {
    Sort.RECENT: _NEWEST,
    Sort.PERFORMANCE: (*_PERFORMANCE, *_NEWEST),
    Sort.STATUS: (*_BY_STATUS, *_NEWEST),
}


def count_own(connection: Connection, *, owner: UUID, role: Role | None) -> dict[Status, int]:
    """How many listings somebody has in each state."""
    own = (
        select(_listings.c.status, func.count().label("number"))
        .where(*_own(owner, role))
        .group_by(_listings.c.status)
    )
    return dict.fromkeys(Status, 0) | {row.status: row.number for row in connection.execute(own)}


def list_own(connection: Connection, *, owner: UUID, selection: Selection) -> list[ServiceListing]:
    """A page of somebody's listings."""
    own = select(_listings).where(*_own(owner, selection.role))
    if selection.status is not None:
        own = own.where(_listings.c.status == selection.status)
    page = own.order_by(*_ORDERS[selection.sort]).limit(selection.limit).offset(selection.offset)
    return [ServiceListing(**row) for row in connection.execute(page).mappings()]


def _own(owner: UUID, role: Role | None) -> tuple[Any, ...]:
    own = (_listings.c.profile_id == owner,)
    return own if role is None else (*own, _listings.c.created_as_role == role)


# ---- writing ----


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


# ---- users ----


def hold_user(session: Session, *, user_id: UUID) -> None:
    """Keep the user from being erased until the transaction ends."""
    session.execute(_HOLD_NAME, {"name": _user_lock(user_id)})


def is_erased(reader: Reader, *, user_id: UUID) -> bool:
    """Whether the user is gone."""
    return bool(reader.execute(select(exists().where(ErasedUser.user_id == user_id))).scalar_one())


def lock_user(session: Session, *, user_id: UUID) -> None:
    """Wait until nothing of the user is being saved, and let nothing be until the transaction ends."""
    session.execute(_LOCK_NAME, {"name": _user_lock(user_id)})


def add_erased_user(session: Session, *, user_id: UUID, erased_at: datetime) -> None:
    """Remember that the user is gone."""
    session.add(ErasedUser(user_id=user_id, erased_at=erased_at))
    session.flush()


def delete_everything_of(session: Session, *, user_id: UUID) -> int:
    """Remove what holds data of the user; returns how many rows that were. The audit log stays."""
    owned = (
        delete(_listings).where(_listings.c.profile_id == user_id),
        delete(_slugs).where(_slugs.c.profile_id == user_id),
        delete(_marks).where(_marks.c.visitor == user_id.bytes),
        delete(outbox.table).where(outbox.table.c.payload["user_id"].astext == str(user_id)),
        delete(idempotency_keys).where(idempotency_keys.c.user_id == user_id),
    )
    return sum(cast("CursorResult[object]", session.execute(statement)).rowcount for statement in owned)


# ---- everything of a user ----


def export_listings(session: Session, *, owner: UUID) -> Iterator[ServiceListing]:
    """All listings of a user, the oldest first; read in portions."""
    own = select(ServiceListing).where(ServiceListing.profile_id == owner)
    ordered = own.order_by(ServiceListing.created_at, ServiceListing.id)
    yield from session.scalars(ordered.execution_options(yield_per=AT_ONCE))


def list_slugs(session: Session, *, listing_id: UUID) -> list[str]:
    """The slugs that belong to a listing."""
    own = select(ListingSlug.slug).where(ListingSlug.listing_id == listing_id).order_by(ListingSlug.slug)
    return list(session.scalars(own))


def list_activity(session: Session, *, user_id: UUID) -> Iterator[AuditEntry]:
    """What the user did, the oldest first; read in portions."""
    entries = select(AuditEntry).where(AuditEntry.actor_id == user_id)
    ordered = entries.order_by(AuditEntry.created_at, AuditEntry.id)
    yield from session.scalars(ordered.execution_options(yield_per=AT_ONCE))


def list_marks(session: Session, *, user_id: UUID) -> Iterator[ListingMark]:
    """Where the user was counted as a visitor, the oldest first; read in portions."""
    marks = select(ListingMark).where(ListingMark.visitor == user_id.bytes)
    ordered = marks.order_by(ListingMark.day, ListingMark.listing_id, ListingMark.counted)
    yield from session.scalars(ordered.execution_options(yield_per=AT_ONCE))


def _user_lock(user_id: UUID) -> str:
    return f"listings user {user_id}"


# ---- slugs ----


def claim_slug(session: Session, listing: ServiceListing, *, slug: str) -> bool:
    """Have this slug lead to the listing; False when it belongs to another one.

    Of two that want it at once, the second waits for what becomes of the first. Safe to repeat.
    """
    values = {"slug": slug, "listing_id": listing.id, "profile_id": listing.profile_id}
    claim = insert(_slugs).values(values).on_conflict_do_nothing().returning(_slugs.c.listing_id)
    has_it = select(_slugs.c.listing_id).where(_slugs.c.slug == slug)
    return session.scalar(select(claim.cte("claim").c.listing_id).union_all(has_it)) == listing.id


def release_slug(session: Session, *, slug: str, listing_id: UUID) -> None:
    """Let others have a slug that the public has never seen."""
    session.execute(delete(_slugs).where(_slugs.c.slug == slug, _slugs.c.listing_id == listing_id))


# ---- counting ----


def _count_once(counted: Counted, column: Column[int]) -> Any:
    """One statement that leaves the day's mark and counts it, so that neither is ever without the other."""
    counts = _listings.c.profile_id.is_distinct_from(bindparam("user_id")) & bindparam(
        "is_by_a_person", type_=Boolean
    )
    listing = (
        select(_listings.c.id, _listings.c.profile_id, column.label("before"), counts.label("counts"))
        .where(_listings.c.id == bindparam("listing_id"), _listings.c.status == Status.PUBLISHED)
        .cte("listing")
    )
    marked = select(
        listing.c.id,
        literal(counted.value),
        bindparam("day", type_=Date),
        bindparam("visitor", type_=LargeBinary),
    ).where(listing.c.counts)
    mark = (
        insert(_marks)
        .from_select([_marks.c.listing_id, _marks.c.counted, _marks.c.day, _marks.c.visitor], marked)
        .on_conflict_do_nothing()
        .returning(_marks.c.listing_id)
        .cte("mark")
    )
    increment = (
        update(_listings)
        .where(_listings.c.id == mark.c.listing_id)
        .values({column.name: column + 1})
        .returning(_listings.c.id, column.label("after"))
        .cte("increment")
    )
    return select(listing.c.profile_id, listing.c.before, increment.c.after).select_from(
        listing.outerjoin(increment, true())
    )


_COUNTERS = {Counted.VIEW: _listings.c.view_count, Counted.INQUIRY: _listings.c.inquiry_count}
_COUNT_ONCE = {counted: _count_once(counted, column) for counted, column in _COUNTERS.items()}


def count_visit(
    reader: Reader, *, counted: Counted, listing_id: UUID, visit: Visit, visitor: bytes, day: date
) -> Count | None:
    """Count a visit to a published listing, unless it was counted before; None when there is no such listing."""
    row = reader.execute(
        _COUNT_ONCE[counted],
        {
            "listing_id": listing_id,
            "user_id": visit.user_id,
            "is_by_a_person": visit.is_by_a_person,
            "day": day,
            "visitor": visitor,
        },
    ).one_or_none()
    if row is None:
        return None
    is_counted = row.after is not None
    return Count(counted=is_counted, total=row.after if is_counted else row.before, owner=row.profile_id)


def visitor_key(reader: Reader, *, day: date, fresh: bytes) -> bytes:
    """The key of a day, the same for everybody; `fresh` when the day has none yet."""
    reader.execute(insert(_visitor_keys).values(day=day, key=fresh).on_conflict_do_nothing())
    key: bytes = reader.execute(select(_visitor_keys.c.key).where(_visitor_keys.c.day == day)).scalar_one()
    return key


def delete_marks(connection: Connection, *, before: date, limit: int) -> int:
    """Remove some marks of days long gone; returns how many."""
    old = select(*_marks.primary_key).where(_marks.c.day < before).limit(limit)
    return connection.execute(delete(_marks).where(tuple_(*_marks.primary_key).in_(old))).rowcount


def delete_visitor_keys(connection: Connection, *, before: date) -> None:
    connection.execute(delete(_visitor_keys).where(_visitor_keys.c.day < before))


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
