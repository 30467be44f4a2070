"""Tables of the onboarding service."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cas_kit.db import NAMING_CONVENTION, text_enum
from cas_kit.idempotency import idempotency_table
from cas_kit.outbox import Outbox, outbox_table
from cas_onboarding.domain.roles import Role


class Base(DeclarativeBase):
    """Base of this service's tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class OnboardingProgress(Base):
    """Saved wizard answers of one user in one role (docs/spec/domain.md 5.1)."""

    __tablename__ = "onboarding_progress"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="pk_onboarding"),
        UniqueConstraint("profile_id", "role_type"),
        CheckConstraint("current_step BETWEEN 1 AND 5", name="current_step"),
        CheckConstraint("furthest_step BETWEEN current_step AND 5", name="furthest_step"),
        CheckConstraint("jsonb_typeof(step_data) = 'object'", name="step_data"),
        CheckConstraint(
            "is_complete = (completed_at IS NOT NULL) AND is_complete = (completion_id IS NOT NULL)",
            name="completion",
        ),
        Index("idx_progress_profile", "profile_id"),
        Index("idx_progress_role", "role_type"),
        Index("idx_progress_complete", "is_complete"),
        # The purge looks for what nobody touched.
        Index("idx_progress_abandoned", "updated_at", postgresql_where=text("NOT is_complete")),
    )

    id: Mapped[UUID] = mapped_column(default=uuid4)
    profile_id: Mapped[UUID]
    role_type: Mapped[Role] = mapped_column(text_enum(Role, name="role_type"))
    current_step: Mapped[int] = mapped_column(server_default="1")
    furthest_step: Mapped[int] = mapped_column(server_default="1")
    step_data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    is_complete: Mapped[bool] = mapped_column(server_default=text("false"))
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    completion_id: Mapped[UUID | None]
    client_session: Mapped[str] = mapped_column(Text, server_default="")
    client_revision: Mapped[int | None] = mapped_column(BigInteger)
    past_sessions: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    # A trigger renews it on every update.
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ErasedUser(Base):
    """A user who is gone: nothing of theirs is kept again."""

    __tablename__ = "erased_users"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class AuditEntry(Base):
    """What happened, for ever: a trigger refuses updates and deletions. No personal texts."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "actor_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    # None: the service itself.
    actor_id: Mapped[UUID | None]
    acting_role: Mapped[Role | None] = mapped_column(text_enum(Role, name="acting_role"))
    action: Mapped[str] = mapped_column(Text)
    thing: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


outbox = Outbox(outbox_table(Base.metadata))
idempotency_keys = idempotency_table(Base.metadata)
