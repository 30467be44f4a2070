"""Signed-in devices."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cas_auth.domain.audit import Origin
from cas_auth.domain.sessions import (
    REAUTHENTICATED_FOR,
    AssuranceLevel,
    AuthMethod,
    Expiry,
    RefreshVerdict,
    ReuseCause,
    SessionLimits,
    judge_refresh,
    reuse_causes,
)
from cas_auth.models.schema import Base, Instant, String
from cas_auth.models.users import User
from cas_kit.db import text_enum


class UserSession(Base):
    """One signed-in device. Its refresh tokens are numbered; only the number of the newest is kept."""

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "user_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    # The second factor that was proven last.
    factor_id: Mapped[UUID | None]
    aal: Mapped[AssuranceLevel] = mapped_column(text_enum(AssuranceLevel, name="aal"))
    amr: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    refresh_counter: Mapped[int] = mapped_column(BigInteger, default=0)
    # Refresh tokens below this number were spent when a second factor was proven.
    first_counter: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    refreshed_at: Mapped[Instant]
    ip: Mapped[str | None] = mapped_column(INET)
    user_agent: Mapped[String | None]
    tokens_until: Mapped[Instant | None]
    created_at: Mapped[Instant]

    user: Mapped[User] = relationship(lazy="raise")

    @classmethod
    def start(
        cls, user: User, method: AuthMethod, *, session_id: UUID, origin: Origin, now: datetime
    ) -> "UserSession":
        """A new session of `user`, proven by `method`."""
        user.last_sign_in_at = now
        return cls(
            id=session_id,
            user_id=user.id,
            aal=AssuranceLevel.AAL1,
            amr=[{"method": method, "timestamp": int(now.timestamp())}],
            refresh_counter=0,
            refreshed_at=now,
            ip=origin.ip,
            user_agent=origin.device,
            created_at=now,
        )

    def step_up(self, factor_id: UUID, method: AuthMethod, *, now: datetime) -> None:
        """Take down that a second factor was proven; the refresh tokens from before are spent."""
        self.aal = AssuranceLevel.AAL2
        self.factor_id = factor_id
        self._forget(method)
        self.amr = [{"method": method, "timestamp": int(now.timestamp())}, *self.amr]
        # By two, as the protocol says: a number one behind the newest is always forgiven.
        self.refresh_counter += 2
        self.first_counter = self.refresh_counter
        self.refreshed_at = now

    def step_down(self, method: AuthMethod) -> None:
        """Be proven by the first factor alone: the second one is gone."""
        self.aal = AssuranceLevel.AAL1
        self.factor_id = None
        self._forget(method)

    def _forget(self, method: AuthMethod) -> None:
        self.amr = [entry for entry in self.amr if entry["method"] != method]

    @property
    def is_fully_proven(self) -> bool:
        """Whether its user proved all they can: a second factor, where they have one."""
        return self.aal is AssuranceLevel.AAL2 or not self.user.has_second_factor

    def is_older_than(self, age: timedelta, now: datetime) -> bool:
        """Whether its user proved who they are longer ago."""
        return now - self.created_at > age

    def is_recovery(self, now: datetime) -> bool:
        """Whether its user has just come by a recovery mail, to choose a password instead of one they forgot."""
        came_by_it = any(entry["method"] == AuthMethod.RECOVERY for entry in self.amr)
        return came_by_it and not self.is_older_than(REAUTHENTICATED_FOR, now)

    def note_access_token(self, *, good_until: datetime) -> None:
        """Remember until when access tokens of this session are good, should it end before."""
        self.tokens_until = max(good_until, self.tokens_until or good_until)

    def expiry(self, limits: SessionLimits, *, user: User, now: datetime) -> Expiry | None:
        """Why it lasts no longer; None while it does.

        :param user: whose session it is.
        """
        return limits.exceeded(
            began_at=self.created_at,
            renewed_at=self.refreshed_at,
            lacks_factor=self.aal is AssuranceLevel.AAL1 and user.has_second_factor,
            now=now,
        )

    def present(
        self, counter: int, *, origin: Origin, now: datetime, reuse_interval: timedelta
    ) -> RefreshVerdict:
        """Judge the refresh token of this number, and move on to the next one where it is the newest."""
        verdict = judge_refresh(
            counter,
            first=self.first_counter,
            current=self.refresh_counter,
            rotated_at=self.refreshed_at,
            now=now,
            reuse_interval=reuse_interval,
        )
        if verdict is RefreshVerdict.ROTATE:
            self.refresh_counter += 1
            self.refreshed_at = now
            self.ip, self.user_agent = origin.ip, origin.device
        return verdict

    def reuse_causes(
        self, counter: int, *, now: datetime, reuse_interval: timedelta
    ) -> tuple[ReuseCause, ...]:
        """Why the refresh token of this number, which is not the newest, was good."""
        is_young = now - self.refreshed_at <= reuse_interval
        return reuse_causes(counter, current=self.refresh_counter, is_young=is_young)


class RevokedSession(Base):
    """A session that ended while access tokens of it may still be valid."""

    __tablename__ = "revoked_sessions"
    __table_args__ = (Index(None, "until"),)

    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    until: Mapped[Instant]
