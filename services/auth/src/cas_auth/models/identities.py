"""How users prove who they are."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cas_auth.domain.accounts import Provider, email_identity_data
from cas_auth.domain.external_accounts import ExternalAccount
from cas_auth.models.schema import Base, Document, Instant, String

if TYPE_CHECKING:
    from cas_auth.models.users import User


class Identity(Base):
    """One way a user proves who they are: an address of their own, or an account elsewhere."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("provider", "provider_id"), Index(None, "user_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[String]
    provider_id: Mapped[String]
    identity_data: Mapped[Document]
    last_sign_in_at: Mapped[Instant | None]
    created_at: Mapped[Instant]
    updated_at: Mapped[Instant]

    user: Mapped["User"] = relationship(back_populates="identities", lazy="raise")

    @classmethod
    def of_email(cls, user_id: UUID, email: str, *, identity_id: UUID, now: datetime) -> "Identity":
        """The identity of somebody whose address is confirmed."""
        data = email_identity_data(user_id, email, verified=True)
        return cls.own(user_id, Provider.EMAIL, data, identity_id=identity_id, now=now)

    @classmethod
    def own(
        cls, user_id: UUID, provider: Provider, data: dict[str, Any], *, identity_id: UUID, now: datetime
    ) -> "Identity":
        """The identity of an address or a number: nobody but this service vouches for it."""
        return cls(
            id=identity_id,
            user_id=user_id,
            provider=provider,
            provider_id=str(user_id),
            identity_data=data,
            last_sign_in_at=now,
            created_at=now,
            updated_at=now,
        )

    @classmethod
    def of_account(
        cls, user_id: UUID, account: ExternalAccount, *, identity_id: UUID, now: datetime
    ) -> "Identity":
        """The identity of somebody who comes from a provider."""
        return cls(
            id=identity_id,
            user_id=user_id,
            provider=account.provider,
            provider_id=account.subject,
            identity_data=dict(account.data),
            last_sign_in_at=now,
            created_at=now,
            updated_at=now,
        )

    @property
    def verified_email(self) -> str | None:
        """The address somebody vouched for."""
        return self.identity_data.get("email") if self.identity_data.get("email_verified") else None

    def is_of(self, account: ExternalAccount) -> bool:
        """Whether it stands for this account."""
        return (self.provider, self.provider_id) == (account.provider, account.subject)

    def change_email(self, email: str, *, now: datetime) -> None:
        """Follow the user's address."""
        self.identity_data = {**self.identity_data, "email": email, "email_verified": True}
        self.updated_at = now
