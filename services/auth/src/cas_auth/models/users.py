"""Who can sign in."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cas_auth.domain.accounts import (
    TOKEN_ROLE,
    Agreement,
    Provider,
    email_app_metadata,
    email_identity_data,
    merge_metadata,
    phone_identity_data,
    with_providers,
)
from cas_auth.domain.bans import LONGEST_BAN
from cas_auth.domain.external_accounts import ExternalAccount, followed
from cas_auth.domain.refusals import InvalidRequest
from cas_auth.models.identities import Identity
from cas_auth.models.schema import Base, Document, Instant, String

if TYPE_CHECKING:
    from cas_auth.models.factors import Factor


class User(Base):
    """Somebody who can sign in."""

    __tablename__ = "users"
    # Pages of the admin list, newest first; and addresses by how they begin.
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index("ix_users_email_pattern", "email", postgresql_ops={"email": "text_pattern_ops"}),
        Index(None, "new_email", postgresql_where=text("new_email IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[String | None] = mapped_column(unique=True)
    email_confirmed_at: Mapped[Instant | None]
    phone: Mapped[String | None] = mapped_column(unique=True)
    phone_confirmed_at: Mapped[Instant | None]
    password_hash: Mapped[String | None]
    role: Mapped[String] = mapped_column(default=TOKEN_ROLE, server_default=TOKEN_ROLE)
    is_anonymous: Mapped[bool] = mapped_column(default=False, server_default=false())
    new_email: Mapped[String | None]
    # Who agreed to the new address so far: an `Agreement`.
    new_email_confirmations: Mapped[int] = mapped_column(default=0, server_default="0")
    app_metadata: Mapped[Document]
    app_roles_version: Mapped[int] = mapped_column(BigInteger, default=0)
    user_metadata: Mapped[Document]
    invited_at: Mapped[Instant | None]
    confirmation_sent_at: Mapped[Instant | None]
    recovery_sent_at: Mapped[Instant | None]
    email_change_sent_at: Mapped[Instant | None]
    reauthentication_sent_at: Mapped[Instant | None]
    last_sign_in_at: Mapped[Instant | None]
    deleted_at: Mapped[Instant | None]
    banned_until: Mapped[Instant | None]
    created_at: Mapped[Instant]
    updated_at: Mapped[Instant]

    identities: Mapped[list[Identity]] = relationship(
        back_populates="user",
        order_by="Identity.created_at",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
    factors: Mapped[list["Factor"]] = relationship(
        back_populates="user",
        order_by="Factor.created_at",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )

    @classmethod
    def pretended(cls, *, user_id: UUID, email: str, user_metadata: dict[str, Any], now: datetime) -> "User":
        """Nobody: looks like a user who just signed up, but has no identity. Never stored."""
        return cls(
            id=user_id,
            email=email,
            role=TOKEN_ROLE,
            is_anonymous=False,
            app_metadata=email_app_metadata(),
            user_metadata=user_metadata,
            confirmation_sent_at=now,
            created_at=now,
            updated_at=now,
            identities=[],
            factors=[],
        )

    @classmethod
    def anonymous(cls, *, user_id: UUID, user_metadata: dict[str, Any], now: datetime) -> "User":
        """Somebody who says nothing of who they are, until they take an address or link an account."""
        return cls(
            id=user_id,
            role=TOKEN_ROLE,
            is_anonymous=True,
            app_metadata={},
            user_metadata=user_metadata,
            created_at=now,
            updated_at=now,
            identities=[],
            factors=[],
        )

    @classmethod
    def blank(cls, *, user_id: UUID, now: datetime) -> "User":
        """Somebody of whom an administrator will say who they are."""
        return cls(
            id=user_id,
            role=TOKEN_ROLE,
            is_anonymous=False,
            app_metadata={},
            user_metadata={},
            created_at=now,
            updated_at=now,
            identities=[],
            factors=[],
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

    @property
    def has_second_factor(self) -> bool:
        """Whether a password alone does not prove everything about them."""
        return any(factor.is_verified for factor in self.factors)

    def is_banned(self, now: datetime) -> bool:
        """Whether the user may not use this service at the moment."""
        return self.banned_until is not None and self.banned_until > now

    def change_password(self, password_hash: str, *, now: datetime) -> None:
        """Sign in with another password from now on; a change of address that was begun with the old one is off."""
        self.password_hash = password_hash
        self.new_email, self.new_email_confirmations = None, 0
        self.updated_at = now

    def confirm_email(self, *, now: datetime) -> None:
        """The user reads the mail of their address."""
        self.email_confirmed_at = self.updated_at = now
        for identity in self.identities:
            if identity.provider == Provider.EMAIL and self.email:
                identity.change_email(self.email, now=now)

    def ask_for_email(self, email: str, *, now: datetime) -> None:
        """Wait until those concerned agree to another address."""
        self.new_email = email
        self.new_email_confirmations = 0
        self.email_change_sent_at = self.updated_at = now

    def is_changing_email(self, email: str) -> bool:
        """Whether the user waits to leave this address or to get it."""
        return self.new_email is not None and email in {self.email, self.new_email}

    def agree_to_email_change(self, agreement: Agreement, *, needed: Agreement, now: datetime) -> bool:
        """Take down that an address agrees; whether all that are needed have."""
        self.new_email_confirmations |= agreement
        self.updated_at = now
        return Agreement(self.new_email_confirmations) & needed == needed

    def change_email(self, email: str, *, identity_id: UUID, now: datetime) -> None:
        """Take a new address that needs no further confirmation; it may belong to somebody else.

        :param identity_id: of the identity of a user who signed in without an address so far.
        """
        self.email = email
        self.email_confirmed_at = self.updated_at = now
        self.new_email, self.new_email_confirmations = None, 0
        self.is_anonymous = False
        own = [identity for identity in self.identities if identity.provider == Provider.EMAIL]
        if not own:
            self.identities.append(Identity.of_email(self.id, email, identity_id=identity_id, now=now))
            self._name_providers()
        for identity in own:
            identity.change_email(email, now=now)

    def assign_email(self, email: str, *, identity_id: UUID, now: datetime) -> None:
        """Take the address an administrator says is theirs, as confirmed as the one before; it may be somebody else's.

        :param identity_id: of the identity of a user who had no address so far.
        """
        self.email, self.updated_at = email, now
        self.new_email, self.new_email_confirmations = None, 0
        data = email_identity_data(self.id, email, verified=self.email_confirmed_at is not None)
        self._assign_identity(Provider.EMAIL, data, identity_id=identity_id, now=now)

    def assign_phone(self, phone: str, *, identity_id: UUID, now: datetime) -> None:
        """Take the number an administrator says is theirs, as `assign_email` does."""
        self.phone, self.updated_at = phone, now
        data = phone_identity_data(self.id, phone, verified=self.phone_confirmed_at is not None)
        self._assign_identity(Provider.PHONE, data, identity_id=identity_id, now=now)

    def confirm_phone(self, *, now: datetime) -> None:
        """The user answers at their number."""
        self.phone_confirmed_at = self.updated_at = now
        for identity in self.identities:
            if identity.provider == Provider.PHONE:
                identity.identity_data = {**identity.identity_data, "phone_verified": True}
                identity.updated_at = now

    def ban_until(self, instant: datetime | None, *, now: datetime) -> None:
        """Keep the user out until then; None lets them in."""
        self.banned_until = instant
        self.updated_at = now

    def close(self, now: datetime) -> None:
        """Let nobody sign in as this user again: they are about to be erased."""
        self.ban_until(now + LONGEST_BAN, now=now)

    def retire(self, now: datetime) -> None:
        """Keep nothing but the id, by which others know that there was somebody."""
        self.email = self.phone = self.password_hash = self.new_email = None
        self.email_confirmed_at = self.phone_confirmed_at = self.last_sign_in_at = None
        self.invited_at = self.confirmation_sent_at = self.recovery_sent_at = None
        self.email_change_sent_at = self.reauthentication_sent_at = None
        self.new_email_confirmations = 0
        self.app_metadata, self.user_metadata, self.role = {}, {}, TOKEN_ROLE
        self.deleted_at = self.deleted_at or now
        self.updated_at = now

    def merge_app_metadata(self, changes: Mapping[str, Any], *, now: datetime) -> None:
        """Lay `changes` over what tokens say of the user.

        :raises InvalidRequest: the result is too large.
        """
        self.app_metadata = merge_metadata(self.app_metadata, changes, beside=self.user_metadata)
        self.updated_at = now

    def _assign_identity(
        self, provider: Provider, data: dict[str, Any], *, identity_id: UUID, now: datetime
    ) -> None:
        for identity in self.identities:
            if identity.provider == provider:
                identity.identity_data = {**identity.identity_data, **data}
                identity.updated_at = now
                return
        self.identities.append(Identity.own(self.id, provider, data, identity_id=identity_id, now=now))
        self._name_providers()

    def add_account(self, account: ExternalAccount, *, identity_id: UUID, now: datetime) -> Identity:
        """Let the user sign in with this account too."""
        identity = Identity.of_account(self.id, account, identity_id=identity_id, now=now)
        self.identities.append(identity)
        self._name_providers()
        self._follow({}, account.data)
        self.updated_at = now
        return identity

    def meet_account(self, account: ExternalAccount, *, now: datetime) -> Identity:
        """Take down what the provider says today of an account the user has signed in with before."""
        identity = self._identity_of(account)
        self._follow(identity.identity_data, account.data)
        identity.identity_data = dict(account.data)
        identity.last_sign_in_at = identity.updated_at = self.updated_at = now
        return identity

    def start_over_with(self, account: ExternalAccount, *, now: datetime) -> None:
        """The address is proven by this account of the user's, and nothing else of them is.

        Somebody else may have signed up with the address first, and must have no way in.
        """
        proven = self._identity_of(account)
        self.password_hash = self.phone = self.phone_confirmed_at = None
        self.new_email, self.new_email_confirmations = None, 0
        self.identities = [proven]
        self.factors = []
        self.user_metadata = {}
        self._follow({}, proven.identity_data)
        self._name_providers()
        self.email_confirmed_at = self.updated_at = now

    def distrust_claims(self, *, identity_id: UUID, now: datetime) -> None:
        """Nobody has proven the address yet, and whoever does may not be the one who came with it before.

        A password of somebody else, or their account at a provider, must not open what becomes the owner's.

        :param identity_id: of the identity of a user who has none after that.
        """
        self.password_hash = None
        self.identities = [known for known in self.identities if known.provider in set(Provider)]
        if not self.identities and self.email:
            data = email_identity_data(self.id, self.email, verified=False)
            self.identities = [Identity.own(self.id, Provider.EMAIL, data, identity_id=identity_id, now=now)]
        self._name_providers()
        self.updated_at = now

    def drop_identity(self, identity: Identity, *, now: datetime) -> None:
        """Sign in with this identity no more; the address follows one of those that stay.

        The new address may belong to somebody else.
        """
        self.identities.remove(identity)
        self._name_providers()
        if identity.provider == Provider.EMAIL:
            self.password_hash = None
        if identity.provider == Provider.PHONE:
            self.phone = self.phone_confirmed_at = None
        left = [known.verified_email for known in self.identities]
        if self.email not in left:
            self.email = next(filter(None, left), None)
            self.email_confirmed_at = now if self.email else None
        self.updated_at = now

    def take_address(self, email: str, *, now: datetime) -> None:
        """Have an address that a provider vouches for, which may belong to somebody else."""
        self.email = email
        self.email_confirmed_at = self.updated_at = now
        self.new_email, self.new_email_confirmations = None, 0

    def _identity_of(self, account: ExternalAccount) -> Identity:
        return next(known for known in self.identities if known.is_of(account))

    def _name_providers(self) -> None:
        self.app_metadata = with_providers(self.app_metadata, [known.provider for known in self.identities])

    def _follow(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Nobody is kept from signing in because their metadata is full."""
        with suppress(InvalidRequest):
            changes = followed(self.user_metadata, before=before, after=after)
            self.user_metadata = merge_metadata(self.user_metadata, changes, beside=self.app_metadata)

    def merge_metadata(self, changes: Mapping[str, Any], *, now: datetime) -> None:
        """Lay `changes` over the user's own metadata.

        :raises InvalidRequest: the result is too large.
        """
        self.user_metadata = merge_metadata(self.user_metadata, changes, beside=self.app_metadata)
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
