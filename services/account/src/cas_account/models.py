"""Tables of the account schema, and the ways their rows may change."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.orm.attributes import flag_modified

from cas_account.domain.erasure import Receipt
from cas_account.domain.pictures import PLACES, PicturePlace, shows
from cas_account.domain.profile import (
    BIO_LENGTH,
    Identity,
    ProfileChanges,
    Values,
    merge_preferences,
)
from cas_account.domain.roles import Role, RoleNotHeld
from cas_fields.money import CURRENCY
from cas_fields.reading import instant, same_json
from cas_fields.zones import DEFAULT_TIMEZONE
from cas_kit.db import NAMING_CONVENTION, text_enum
from cas_kit.errors import FieldProblem, ValidationFailed
from cas_kit.idempotency import idempotency_table
from cas_kit.outbox import outbox_table

Document: TypeAlias = dict[str, Any]  # `domain.reading.Json` in it, whose recursion SQLAlchemy cannot resolve
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Version = Annotated[int, mapped_column(BigInteger, default=1, server_default=text("1"))]
Words = Annotated[str, mapped_column(Text)]
MaybeEmpty = Annotated[str, mapped_column(Text, default="", server_default="")]


class Base(DeclarativeBase):
    """Base of this service's tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


@dataclass(frozen=True, slots=True)
class PictureChange:
    """What became of a profile that shows another picture.

    :param columns: that changed.
    :param released: what the keys of files begin with that it no longer shows, by the name of the picture.
    """

    columns: Set[str]
    released: Mapping[str, str]


class Profile(Base):
    """The one row per user (docs/spec/domain.md 3.1)."""

    __tablename__ = "profiles"
    __table_args__ = (
        CheckConstraint(
            "CASE WHEN cardinality(roles) = 0 THEN active_role IS NULL "
            "ELSE active_role IS NOT NULL AND active_role = ANY (roles) END",
            name="active_role_is_held",
        ),
        CheckConstraint("onboarding_completed - roles = '{}'::jsonb", name="completed_roles_are_held"),
        CheckConstraint("roles <@ ARRAY['tutor', 'client', 'agent']", name="roles_are_known"),
        CheckConstraint(f"char_length(bio) <= {BIO_LENGTH}", name="bio_length"),
        Index("idx_profiles_email", "email"),
        Index("ix_profiles_roles", "roles", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[Words]
    email_verified: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    phone_verified: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    display_name: Mapped[MaybeEmpty]
    first_name: Mapped[MaybeEmpty]
    last_name: Mapped[MaybeEmpty]
    bio: Mapped[MaybeEmpty]
    categories: Mapped[MaybeEmpty]
    achievements: Mapped[MaybeEmpty]
    avatar_url: Mapped[MaybeEmpty]
    custom_picture_url: Mapped[MaybeEmpty]
    cover_photo_url: Mapped[MaybeEmpty]
    avatar_storage_path: Mapped[MaybeEmpty]
    cover_storage_path: Mapped[MaybeEmpty]
    phone: Mapped[MaybeEmpty]
    country: Mapped[MaybeEmpty]
    city: Mapped[MaybeEmpty]
    timezone: Mapped[str] = mapped_column(Text, default=DEFAULT_TIMEZONE, server_default=DEFAULT_TIMEZONE)
    preferences: Mapped[Document] = mapped_column(JSONB, default=dict, server_default=text("'{}'"))
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default=text("'{}'"))
    active_role: Mapped[Words | None]
    onboarding_completed: Mapped[dict[str, str]] = mapped_column(
        JSONB, default=dict, server_default=text("'{}'")
    )
    agent_id: Mapped[str] = mapped_column(Text, unique=True)
    version: Mapped[Version]
    created_at: Mapped[Instant]
    updated_at: Mapped[Instant]
    last_seen_at: Mapped[Instant]
    # When the token was issued that the e-mail is from.
    identity_as_of: Mapped[Instant | None]
    # From then on nobody sees it, its owner included (docs/spec/domain.md 8.3).
    erasing_at: Mapped[Instant | None]

    @classmethod
    def of(cls, identity: Identity, *, agent_id: str, now: datetime) -> "Profile":
        """The profile of somebody who was never here before."""
        return cls(
            id=identity.user_id,
            email=identity.email,
            email_verified=identity.email_verified,
            display_name=identity.display_name,
            identity_as_of=identity.issued_at,
            agent_id=agent_id,
            created_at=now,
            updated_at=now,
            last_seen_at=now,
        )

    def recognise(self, identity: Identity, *, now: datetime) -> Set[str]:
        """Take over what a token knows: the e-mail unless another one knew it later, and a name while there is none.

        :returns: the names of the columns that changed.
        """
        known: dict[str, object] = {"display_name": self.display_name or identity.display_name}
        if identity.email and self._is_current(identity):
            known |= {"email": identity.email, "email_verified": identity.email_verified}
            self.identity_as_of = identity.issued_at
        changed = self._write(known, now=now)
        self.last_seen_at = now
        return changed

    def _is_current(self, identity: Identity) -> bool:
        """Sessions refresh at different times: a token that is seen for the first time may be older than the last."""
        if self.identity_as_of is None:
            return True
        return identity.issued_at is not None and identity.issued_at >= self.identity_as_of

    def change(self, changes: ProfileChanges, *, now: datetime) -> Set[str]:
        """Write what the owner typed; returns the names of the columns that changed.

        :raises ValidationFailed: the display name would be lost, or the preferences grow too large.
        :raises RoleNotHeld: the role to switch to was not gained yet.
        """
        values = changes.values
        if self.display_name and values.get("display_name") == "":
            raise ValidationFailed.of(
                [FieldProblem("display_name", "cannot be empty once it is set", "missing")]
            )
        if "preferences" in values:
            values = values | {"preferences": merge_preferences(self.preferences, values["preferences"])}
        if changes.active_role is not None:
            if changes.active_role not in self.roles:
                raise RoleNotHeld
            values = values | {"active_role": changes.active_role.value}
        values = self._without_strange_uploads(self._with_avatar_gone(values), changes.uploads)
        return self._write(values, now=now)

    def _with_avatar_gone(self, values: Values) -> Values:
        """An uploaded picture stands in two columns: whoever clears the first one means both, or says otherwise."""
        uploaded = shows(self.custom_picture_url, self.avatar_storage_path)
        if uploaded and values.get("avatar_url") == "" and self.avatar_url == self.custom_picture_url:
            return {"custom_picture_url": "", **values}
        return values

    def _without_strange_uploads(self, values: Values, uploads: Set[str]) -> Values:
        """Only uploading shows an upload: the address of one that is not shown is an old one, or another user's."""
        strange = {
            column
            for place in PLACES
            for column in uploads & set(place.url_columns)
            if not shows(str(values[column]), getattr(self, place.path_column))
        }
        return {name: value for name, value in values.items() if name not in strange}

    def show(self, place: PicturePlace, *, url: str, path: str, now: datetime) -> PictureChange:
        """Show another picture in this place, or none."""
        before: str = getattr(self, place.path_column)
        changed = self._write({**dict.fromkeys(place.url_columns, url), place.path_column: path}, now=now)
        return PictureChange(changed, released={place.name: before} if before not in {"", path} else {})

    def release(self) -> Mapping[str, str]:
        """Forget the files that no address of this profile shows any more.

        :returns: what their keys begin with, by the name of the picture.
        """
        released: dict[str, str] = {}
        for place in PLACES:
            path: str = getattr(self, place.path_column)
            if path and not any(shows(getattr(self, column), path) for column in place.url_columns):
                setattr(self, place.path_column, "")
                released[place.name] = path
        return released

    def complete_onboarding(self, role: Role, *, bio: str, completed_at: datetime, now: datetime) -> bool:
        """Hold this role, active from now on, its onboarding stamped; says whether the role is a new one.

        The one place that adds a role, so that completed, held and active never disagree.

        :param bio: fills an empty one.
        """
        gained = role not in self.roles
        values = {
            "roles": [*self.roles, role.value] if gained else self.roles,
            "active_role": role.value,
            "onboarding_completed": self.onboarding_completed | {role.value: instant(completed_at)},
            "bio": self.bio or bio,
        }
        self._write(values, now=now)
        return gained

    def _write(self, values: Mapping[str, object], *, now: datetime) -> Set[str]:
        changed = {name: value for name, value in values.items() if not same_json(getattr(self, name), value)}
        for name, value in changed.items():
            setattr(self, name, value)
            flag_modified(self, name)  # SQLAlchemy would take true for 1
        if changed:
            self.version += 1
            self.updated_at = now
        return changed.keys()


class RoleDetails(Base):
    """The template of one user in one role (docs/spec/domain.md 4.1).

    `fields` holds the stored values as `domain.professional_info` defines them: amounts of money in minor units of
    `currency`, unset fields absent. `entry_ids` holds the taxonomy ids of its texts.
    """

    __tablename__ = "role_details"
    __table_args__ = (Index("idx_role_profile_type", "profile_id", "role_type", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    profile_id: Mapped[UUID] = mapped_column(ForeignKey("profiles.id", ondelete="CASCADE"))
    role_type: Mapped[Role] = mapped_column(text_enum(Role, name="role_type"))
    fields: Mapped[Document] = mapped_column(JSONB, default=dict)
    entry_ids: Mapped[Document] = mapped_column(JSONB, default=dict)
    currency: Mapped[str] = mapped_column(Text, default=CURRENCY, server_default=CURRENCY)
    version: Mapped[Version]
    created_at: Mapped[Instant]
    updated_at: Mapped[Instant]

    def write(self, fields: Values, *, entry_ids: Values, now: datetime) -> bool:
        """Store these fields; says whether they differ from what was stored."""
        if same_json(self.fields, fields):
            return False
        self.fields, self.entry_ids = fields, entry_ids
        flag_modified(self, "fields")  # SQLAlchemy would take true for 1
        self.version += 1
        self.updated_at = now
        return True


class AppliedCompletion(Base):
    """A completed onboarding that took effect; it never does so twice."""

    __tablename__ = "applied_completions"

    completion_id: Mapped[UUID] = mapped_column(primary_key=True)
    profile_id: Mapped[UUID] = mapped_column(ForeignKey("profiles.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role] = mapped_column(text_enum(Role, name="role"))
    applied_at: Mapped[Instant]


class ErasedUser(Base):
    """A user who is gone and is never created again, from the moment their erasure began."""

    __tablename__ = "erased_users"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[Instant]


class Erasure(Base):
    """What it takes until an erased user is gone everywhere; `finished_at` is None until then."""

    __tablename__ = "erasures"
    __table_args__ = (
        Index("ix_erasures_unfinished", "begun_at", postgresql_where=text("finished_at IS NULL")),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("erased_users.user_id"), primary_key=True)
    deletion_id: Mapped[UUID] = mapped_column(unique=True)
    begun_at: Mapped[Instant]
    finished_at: Mapped[Instant | None]


class ErasurePart(Base):
    """What one service has to remove of an erased user; with its receipt once it has."""

    __tablename__ = "erasure_parts"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("erasures.user_id"), primary_key=True)
    part: Mapped[str] = mapped_column(Text, primary_key=True)
    rows: Mapped[int] = mapped_column(default=0, server_default="0")
    objects: Mapped[int] = mapped_column(default=0, server_default="0")
    finished_at: Mapped[Instant | None]

    def finish(self, receipt: Receipt, *, now: datetime) -> bool:
        """Keep the receipt; false when there was one before."""
        if self.finished_at is not None:
            return False
        self.rows, self.objects, self.finished_at = receipt.rows, receipt.objects, now
        return True


class AuditEntry(Base):
    """Who did what to which thing, without personal text; rows are never changed (a trigger refuses it)."""

    __tablename__ = "audit_log"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    actor: Mapped[UUID]
    acting_role: Mapped[Role | None] = mapped_column(text_enum(Role, name="acting_role"))
    action: Mapped[Words]
    thing: Mapped[Words]
    request_id: Mapped[Words]
    at: Mapped[Instant]
    details: Mapped[Document] = mapped_column(JSONB)


outbox_messages = outbox_table(Base.metadata)
idempotency_keys = idempotency_table(Base.metadata)
