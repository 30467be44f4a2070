"""Second factors, and the challenges to use them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cas_auth.domain.factors import (
    CHALLENGE_LIFETIME,
    ENROLMENT_LIFETIME,
    MAX_CODE_ATTEMPTS,
    FactorStatus,
    FactorType,
)
from cas_auth.models.schema import Base, Instant, String
from cas_auth.models.users import User
from cas_kit.db import text_enum


class Factor(Base):
    """One more thing a user can prove, such as having their phone. It counts once it was proven for the first time.

    `last_step` is the newest time step whose code was used: no code of it, or of an older one, works again.
    """

    __tablename__ = "factors"
    __table_args__ = (UniqueConstraint("user_id", "friendly_name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    factor_type: Mapped[FactorType] = mapped_column(text_enum(FactorType, name="factor_type"))
    status: Mapped[FactorStatus] = mapped_column(text_enum(FactorStatus, name="status"))
    friendly_name: Mapped[String | None]
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    last_challenged_at: Mapped[Instant | None]
    created_at: Mapped[Instant]
    updated_at: Mapped[Instant]

    user: Mapped[User] = relationship(back_populates="factors", lazy="raise")

    @classmethod
    def totp(
        cls, factor_id: UUID, *, sealed_secret: bytes, friendly_name: str | None, now: datetime
    ) -> "Factor":
        """An authenticator app that its user has yet to set up."""
        return cls(
            id=factor_id,
            factor_type=FactorType.TOTP,
            status=FactorStatus.UNVERIFIED,
            friendly_name=friendly_name,
            sealed_secret=sealed_secret,
            created_at=now,
            updated_at=now,
        )

    @property
    def is_verified(self) -> bool:
        """Whether its user has proven it before."""
        return self.status is FactorStatus.VERIFIED

    def makes_way_for(self, friendly_name: str | None, now: datetime) -> bool:
        """Whether its enrolment was begun and given up, as one of this name begins."""
        is_old = now - self.created_at > ENROLMENT_LIFETIME
        return not self.is_verified and (is_old or self.friendly_name == friendly_name)

    def use(self, step: int | None) -> bool:
        """Use up the time step a code belongs to; false when there is none, or it was used before."""
        if step is None or (self.last_step is not None and step <= self.last_step):
            return False
        self.last_step = step
        return True

    def verify(self, now: datetime) -> None:
        """Count from now on."""
        self.status = FactorStatus.VERIFIED
        self.updated_at = now


class FactorChallenge(Base):
    """The chance to prove a factor, from one address, for a few minutes, with a few guesses."""

    __tablename__ = "factor_challenges"
    __table_args__ = (Index(None, "factor_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    factor_id: Mapped[UUID] = mapped_column(ForeignKey(Factor.id, ondelete="CASCADE"))
    ip: Mapped[str | None] = mapped_column(INET)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[Instant]

    @property
    def expires_at(self) -> datetime:
        """When it is too late to answer it."""
        return self.created_at + CHALLENGE_LIFETIME

    def is_from(self, ip: str | None) -> bool:
        """Whether it was asked for from this address."""
        return (None if self.ip is None else str(self.ip)) == ip

    def is_open(self, now: datetime) -> bool:
        """Whether it may still be answered."""
        return now <= self.expires_at and self.attempts < MAX_CODE_ATTEMPTS
