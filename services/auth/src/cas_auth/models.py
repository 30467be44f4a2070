"""The tables of the auth service, and the state changes of their rows."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy import (
    Identity as Numbered,
)
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from cas_auth import domain
from cas_auth.domain import AssuranceLevel, AuditAction, AuthMethod, KeyState, RefreshVerdict
from cas_kit.db import NAMING_CONVENTION, text_enum

String = Annotated[str, mapped_column(Text)]
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Document = Annotated[dict[str, Any], mapped_column(JSONB)]


class Base(DeclarativeBase):
    """Base of this service's tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class User(Base):
    """Somebody who can sign in."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[String | None] = mapped_column(unique=True)
    email_confirmed_at: Mapped[Instant | None]
    phone: Mapped[String | None] = mapped_column(unique=True)
    phone_confirmed_at: Mapped[Instant | None]
    password_hash: Mapped[String | None]
    app_metadata: Mapped[Document]
    app_roles_version: Mapped[int] = mapped_column(BigInteger, default=0)
    user_metadata: Mapped[Document]
    last_sign_in_at: Mapped[Instant | None]
    banned_until: Mapped[Instant | None]
    created_at: Mapped[Instant]
    updated_at: Mapped[Instant]

    identities: Mapped[list["Identity"]] = relationship(
        back_populates="user", order_by="Identity.created_at", lazy="raise", passive_deletes=True
    )

    @classmethod
    def pretended(cls, *, user_id: UUID, email: str, user_metadata: dict[str, Any], now: datetime) -> "User":
        """Nobody: looks like a user who just signed up, but has no identity. Never stored."""
        return cls(
            id=user_id,
            email=email,
            app_metadata=domain.email_app_metadata(),
            user_metadata=user_metadata,
            created_at=now,
            updated_at=now,
            identities=[],
        )

    @property
    def confirmed_at(self) -> datetime | None:
        """When the first of the user's addresses was confirmed."""
        return min(filter(None, (self.email_confirmed_at, self.phone_confirmed_at)), default=None)

    @property
    def display_name(self) -> str:
        """What the user calls themselves; empty when they never said."""
        names = (self.user_metadata.get(key) for key in ("full_name", "name"))
        return next((name for name in names if isinstance(name, str) and name), "")

    def is_banned(self, now: datetime) -> bool:
        """Whether the user may not use this service at the moment."""
        return self.banned_until is not None and self.banned_until > now

    def change_password(self, password_hash: str, *, now: datetime) -> None:
        """Sign in with another password from now on."""
        self.password_hash = password_hash
        self.updated_at = now

    def change_email(self, email: str, *, now: datetime) -> None:
        """Take a new address that needs no further confirmation; it may belong to somebody else."""
        self.email = email
        self.email_confirmed_at = self.updated_at = now
        for identity in self.identities:
            if identity.provider == domain.Provider.EMAIL:
                identity.change_email(email, now=now)

    def merge_metadata(self, changes: Mapping[str, Any], *, now: datetime) -> None:
        """Lay `changes` over the user's own metadata.

        :raises InvalidRequest: the result is too large.
        """
        self.user_metadata = domain.merge_metadata(self.user_metadata, changes)
        self.updated_at = now

    def set_app_roles(
        self, roles: list[str], active_role: str | None, *, version: int, now: datetime
    ) -> bool:
        """Carry these roles in tokens from now on; false when a version as new was seen before."""
        if version <= self.app_roles_version:
            return False
        self.app_metadata = {**self.app_metadata, "roles": roles, "active_role": active_role}
        self.app_roles_version = version
        self.updated_at = now
        return True


class Identity(Base):
    """One way a user proves who they are: an address of their own, or an account elsewhere."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("provider", "provider_id"), Index(None, "user_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    provider: Mapped[String]
    provider_id: Mapped[String]
    identity_data: Mapped[Document]
    last_sign_in_at: Mapped[Instant | None]
    created_at: Mapped[Instant]
    updated_at: Mapped[Instant]

    user: Mapped[User] = relationship(back_populates="identities", lazy="raise")

    def change_email(self, email: str, *, now: datetime) -> None:
        """Follow the user's address."""
        self.identity_data = {**self.identity_data, "email": email, "email_verified": True}
        self.updated_at = now


class UserSession(Base):
    """One signed-in device. Its refresh tokens are numbered; only the number of the newest is kept."""

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "user_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    aal: Mapped[AssuranceLevel] = mapped_column(text_enum(AssuranceLevel, name="aal"))
    amr: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    refresh_counter: Mapped[int] = mapped_column(BigInteger, default=0)
    refreshed_at: Mapped[Instant]
    created_at: Mapped[Instant]

    user: Mapped[User] = relationship(lazy="raise")

    @classmethod
    def start(cls, user: User, method: AuthMethod, *, session_id: UUID, now: datetime) -> "UserSession":
        """A new session of `user`, proven by `method`."""
        user.last_sign_in_at = now
        return cls(
            id=session_id,
            user_id=user.id,
            aal=AssuranceLevel.AAL1,
            amr=[{"method": method, "timestamp": int(now.timestamp())}],
            refresh_counter=0,
            refreshed_at=now,
            created_at=now,
        )

    def present(self, counter: int, *, now: datetime, reuse_interval: timedelta) -> RefreshVerdict:
        """Judge the refresh token of this number, and move on to the next one where it is the newest."""
        verdict = domain.judge_refresh(
            counter,
            current=self.refresh_counter,
            rotated_at=self.refreshed_at,
            now=now,
            reuse_interval=reuse_interval,
        )
        if verdict is RefreshVerdict.ROTATE:
            self.refresh_counter += 1
            self.refreshed_at = now
        return verdict


class StoredSigningKey(Base):
    """A signing key, encrypted; the public half follows from it."""

    __tablename__ = "signing_keys"

    kid: Mapped[String] = mapped_column(primary_key=True)
    state: Mapped[KeyState] = mapped_column(text_enum(KeyState, name="state"))
    sealed_private_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Instant]


Index(
    "uq_signing_keys_current",
    StoredSigningKey.state,
    unique=True,
    postgresql_where=StoredSigningKey.state == KeyState.CURRENT,
)


class AuditEntry(Base):
    """Something that happened. A trigger refuses to change or delete entries; only ip and user_agent can be blanked."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "actor_id"), Index(None, "created_at"))

    id: Mapped[int] = mapped_column(BigInteger, Numbered(always=True), primary_key=True)
    actor_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    action: Mapped[AuditAction] = mapped_column(text_enum(AuditAction, name="action"))
    request_id: Mapped[String]
    ip: Mapped[str | None] = mapped_column(INET)
    user_agent: Mapped[String | None]
    created_at: Mapped[Instant]
