"""Tables of the listings schema, and the ways their rows may change."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.orm.attributes import flag_modified

from cas_fields.reading import same_json
from cas_kit.db import text_enum
from cas_kit.idempotency import idempotency_table
from cas_listings.domain.fields import FIELDS
from cas_listings.domain.images import ImageState
from cas_listings.domain.listing import Fields, beside, check_publishable, copied_title, merge
from cas_listings.domain.owner import Owner
from cas_listings.domain.roles import Role
from cas_listings.domain.states import (
    Action,
    DeletionNotAllowed,
    Status,
    allowed_actions,
    leads_to,
    refusal,
)
from cas_listings.domain.visits import Counted
from cas_listings.models.images import ListingImage
from cas_listings.models.schema import (
    Base,
    Count,
    Document,
    EntryIds,
    Instant,
    Pence,
    Texts,
    Words,
    outbox,
)
from cas_listings.models.search import listing_search

__all__ = [
    "AuditEntry",
    "Base",
    "ErasedUser",
    "ListingImage",
    "ListingMark",
    "ListingSlug",
    "ServiceListing",
    "VisitorKey",
    "idempotency_keys",
    "listing_search",
    "outbox",
]


class ServiceListing(Base):
    """An offer or a demand (docs/spec/domain.md 6.1).

    Amounts of money are minor units of `currency`. The columns `..._ids` hold the taxonomy id of each text of a list,
    in its order, null where there is none. Counters are written by statements of their own, never through this class.
    The slug is nobody else's because `ListingSlug` says so.
    """

    __tablename__ = "service_listings"
    __table_args__ = (
        CheckConstraint("char_length(title) <= 200", name="title_length"),
        CheckConstraint("char_length(description) <= 2000", name="description_length"),
        CheckConstraint("hourly_rate BETWEEN 0 AND 1000000", name="hourly_rate"),
        CheckConstraint(
            "hourly_rate_min BETWEEN 0 AND 1000000 AND hourly_rate_max BETWEEN 0 AND 1000000 "
            "AND hourly_rate_min <= hourly_rate_max",
            name="hourly_rate_range",
        ),
        CheckConstraint("free_trial = (trial_duration_minutes IS NOT NULL)", name="trial"),
        CheckConstraint("location_type IN ('online', 'in_person', 'hybrid')", name="location_type"),
        CheckConstraint("least(view_count, inquiry_count, booking_count) >= 0", name="counts"),
        CheckConstraint(
            "(status = 'archived') = (archived_at IS NOT NULL) AND (archived_at IS NULL) = (deletable_at IS NULL)",
            name="archived",
        ),
        CheckConstraint(
            "(published_at IS NULL) = (last_published_at IS NULL) "
            "AND (published_at IS NOT NULL OR status IN ('draft', 'archived'))",
            name="published",
        ),
        Index("ix_service_listings_owner", "profile_id", text("created_at DESC"), text("id DESC")),
        Index(
            "ix_service_listings_newest",
            text("published_at DESC"),
            text("id DESC"),
            postgresql_where=text("status = 'published'"),
        ),
        # For searches in the order of these; together with the index of what is searched.
        Index(
            "ix_service_listings_views",
            text("view_count DESC"),
            "id",
            postgresql_where=text("status = 'published'"),
        ),
        Index(
            "ix_service_listings_bookings",
            text("booking_count DESC"),
            "id",
            postgresql_where=text("status = 'published'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    profile_id: Mapped[UUID]
    created_as_role: Mapped[Role] = mapped_column(text_enum(Role, name="created_as_role"))
    status: Mapped[Status] = mapped_column(text_enum(Status, name="status"))
    title: Mapped[Words]
    description: Mapped[Words]
    subjects: Mapped[Texts]
    subject_ids: Mapped[EntryIds]
    levels: Mapped[Texts]
    level_ids: Mapped[EntryIds]
    languages: Mapped[Texts]
    language_ids: Mapped[EntryIds]
    specializations: Mapped[Texts]
    specialization_ids: Mapped[EntryIds]
    teaching_methods: Mapped[Texts]
    teaching_method_ids: Mapped[EntryIds]
    qualifications: Mapped[Texts]
    academic_qualifications: Mapped[Texts]
    professional_qualifications: Mapped[Texts]
    teaching_experience: Mapped[Words | None]
    teaching_experience_id: Mapped[Words | None]
    hourly_rate: Mapped[Pence]
    hourly_rate_min: Mapped[Pence]
    hourly_rate_max: Mapped[Pence]
    currency: Mapped[Words]
    pricing_packages: Mapped[list[Document]] = mapped_column(JSONB)
    free_trial: Mapped[bool]
    trial_duration_minutes: Mapped[int | None]
    location_type: Mapped[Words]
    location_address: Mapped[Words | None]
    location_city: Mapped[Words | None]
    location_country: Mapped[Words | None]
    location_postcode: Mapped[Words | None]
    timezone: Mapped[Words]
    availability: Mapped[Document | None] = mapped_column(JSONB(none_as_null=True))
    unavailability: Mapped[Document | None] = mapped_column(JSONB(none_as_null=True))
    availability_windows: Mapped[Document | None] = mapped_column(JSONB(none_as_null=True))
    availability_slots: Mapped[Texts]
    video_url: Mapped[Words | None]
    tags: Mapped[Texts]
    response_time: Mapped[Words | None]
    slug: Mapped[str] = mapped_column(Text)
    view_count: Mapped[Count]
    inquiry_count: Mapped[Count]
    booking_count: Mapped[Count]
    created_from_template: Mapped[bool]
    owner_display_name: Mapped[str] = mapped_column(Text, default="", server_default="")
    owner_avatar_url: Mapped[Words | None]
    owner_version: Mapped[Count]
    version: Mapped[int] = mapped_column(BigInteger, default=1, server_default=text("1"))
    created_at: Mapped[Instant]
    updated_at: Mapped[Instant]
    published_at: Mapped[Instant | None]
    last_published_at: Mapped[Instant | None]
    archived_at: Mapped[Instant | None]
    deletable_at: Mapped[Instant | None]

    images: Mapped[list[ListingImage]] = relationship(
        order_by=ListingImage.position, cascade="all, delete-orphan", passive_deletes=True
    )

    @classmethod
    def draft(
        cls, listing_id: UUID, *, owner: Owner, role: Role, fields: Fields, now: datetime
    ) -> "ServiceListing":
        """A new listing that nobody but its owner sees."""
        listing = cls(
            id=listing_id,
            profile_id=owner.user_id,
            created_as_role=role,
            status=Status.DRAFT,
            created_from_template=False,
            owner_display_name=owner.display_name,
            owner_avatar_url=owner.avatar_url,
            owner_version=owner.version,
            created_at=now,
            updated_at=now,
            images=[],
        )
        listing.write(fields)
        return listing

    def copy(self, listing_id: UUID, *, now: datetime) -> "ServiceListing":
        """A draft with everything the owner wrote here, and its pictures but for those that failed."""
        owner = Owner(
            user_id=self.profile_id,
            display_name=self.owner_display_name,
            avatar_url=self.owner_avatar_url,
            version=self.owner_version,
        )
        fields = self.fields | {"title": copied_title(self.title)}
        copy = ServiceListing.draft(
            listing_id, owner=owner, role=self.created_as_role, fields=fields, now=now
        )
        copy.created_from_template = self.created_from_template
        kept = [image for image in self.images if image.state is not ImageState.FAILED]
        copy.arrange([image.copy(now=now) for image in kept])
        return copy

    @property
    def fields(self) -> Fields:
        """What its owner wrote, by field name."""
        return {name: getattr(self, name) for name in FIELDS}

    def allowed_actions(self, *, now: datetime) -> tuple[Action, ...]:
        """What the owner may do with it now."""
        return allowed_actions(self.status, deletable_at=self.deletable_at, now=now)

    def edit(self, values: Fields, *, now: datetime) -> bool:
        """Write fields over the present ones; says whether anything changed.

        :param values: by field name, None to clear.
        :raises IllegalTransition: it is archived.
        :raises ValidationFailed: bounds are out of order, or it is published and could not be published any more.
        """
        self._demand(Action.EDIT, now=now)
        fields = merge(self.fields, values)
        if self.status is Status.PUBLISHED:
            check_publishable(fields)
        return self.write(fields)

    def write(self, fields: Fields) -> bool:
        """Store these fields and what follows from them; says whether they differ from what was stored."""
        wanted = fields | beside(fields)
        changed = {name: value for name, value in wanted.items() if not same_json(getattr(self, name), value)}
        for name, value in changed.items():
            setattr(self, name, value)
            flag_modified(self, name)  # SQLAlchemy would take true for 1
        return not changed.keys().isdisjoint(fields)

    def go(self, action: Action, *, now: datetime, grace: timedelta) -> bool:
        """Publish, unpublish or archive; says whether the state changed. Where it is already, it stays.

        :param grace: how long an archived listing is kept before it may be deleted.
        :raises IllegalTransition: the present state does not allow it.
        :raises ValidationFailed: it cannot be published as it is.
        """
        target = leads_to(action)
        if self.status is target:
            return False
        self._demand(action, now=now)
        if target is Status.PUBLISHED:
            check_publishable(self.fields)
            self.published_at = self.published_at or now
            self.last_published_at = now
        if target is Status.ARCHIVED:
            self.archived_at, self.deletable_at = now, now + grace
        self.status = target
        return True

    def check_editable(self, *, now: datetime) -> None:
        """Hold a change of the pictures against the present state.

        :raises IllegalTransition: it is archived.
        """
        self._demand(Action.EDIT, now=now)

    def arrange(self, images: Sequence[ListingImage]) -> bool:
        """Have these pictures in this order, the cover first; says whether that is new."""
        changed = [*images] != [*self.images]
        for position, image in enumerate(images):
            image.position = position
        self.images = [*images]
        return changed

    def check_deletable(self, *, now: datetime) -> None:
        """Hold deletion against the present state.

        :raises DeletionNotAllowed: it has to be archived first, or for longer.
        """
        allowed = self.allowed_actions(now=now)
        if Action.DELETE not in allowed:
            raise DeletionNotAllowed(status=self.status, allowed=allowed, deletable_at=self.deletable_at)

    def advance(self, *, now: datetime) -> None:
        """Count one change of the whole."""
        self.version += 1
        self.updated_at = now

    def _demand(self, action: Action, *, now: datetime) -> None:
        allowed = self.allowed_actions(now=now)
        if action not in allowed:
            raise refusal(action, self.status, allowed=allowed)


class ListingSlug(Base):
    """A slug and the listing that it belongs to: a draft's own, or any that one has had since its first publication.

    The latter are never given to another one. No foreign key: they outlive a deleted listing.
    """

    __tablename__ = "listing_slugs"

    slug: Mapped[str] = mapped_column(Text, primary_key=True)
    listing_id: Mapped[UUID] = mapped_column(index=True)
    profile_id: Mapped[UUID] = mapped_column(index=True)


class ListingMark(Base):
    """Somebody viewed a listing or asked about it on this day, so that they are not counted again.

    `visitor` is the id of a user, or a hash whose key is gone soon after the day.
    """

    __tablename__ = "listing_marks"
    __table_args__ = (Index(None, "day"), Index(None, "visitor"))

    listing_id: Mapped[UUID] = mapped_column(
        ForeignKey("service_listings.id", ondelete="CASCADE"), primary_key=True
    )
    counted: Mapped[Counted] = mapped_column(text_enum(Counted, name="counted"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    visitor: Mapped[bytes] = mapped_column(primary_key=True)


class VisitorKey(Base):
    """The key under which visitors of a day are told apart: random, and removed when the day is over."""

    __tablename__ = "visitor_keys"

    day: Mapped[date] = mapped_column(primary_key=True)
    key: Mapped[bytes]


class ErasedUser(Base):
    """A user who is gone; nothing of theirs is created again."""

    __tablename__ = "erased_users"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[Instant]


class AuditEntry(Base):
    """Who did what to which thing, without personal text; rows are never changed (a trigger refuses it)."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "actor_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    actor_id: Mapped[UUID]
    acting_role: Mapped[Role | None] = mapped_column(text_enum(Role, name="acting_role"))
    action: Mapped[Words]
    thing: Mapped[Words]
    request_id: Mapped[Words]
    created_at: Mapped[Instant]
    details: Mapped[Document] = mapped_column(JSONB)


idempotency_keys = idempotency_table(Base.metadata)
