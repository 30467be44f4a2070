"""What clients send and get. A field that is null counts as absent; unknown fields are ignored."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel

from cas_auth.credentials.tokens import Grant
from cas_auth.domain import TOKEN_ROLE
from cas_auth.models import Identity, User

# ---- in ----


class SignUpIn(BaseModel):
    email: str | None = None
    phone: str | None = None
    password: str | None = None
    data: dict[str, Any] | None = None


class TokenIn(BaseModel):
    """The fields of every grant; which of them count depends on `grant_type`."""

    email: str | None = None
    phone: str | None = None
    password: str | None = None
    refresh_token: str | None = None


class UserUpdateIn(BaseModel):
    email: str | None = None
    phone: str | None = None
    password: str | None = None
    data: dict[str, Any] | None = None
    app_metadata: dict[str, Any] | None = None


# ---- out; an optional field is left out when it has no value ----


class IdentityOut(BaseModel):
    identity_id: UUID
    id: str
    user_id: UUID
    identity_data: dict[str, Any]
    provider: str
    last_sign_in_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    email: str | None = None

    @classmethod
    def of(cls, identity: Identity) -> Self:
        """The protocol's view of this identity."""
        return cls(
            identity_id=identity.id,
            id=identity.provider_id,
            user_id=identity.user_id,
            identity_data=identity.identity_data,
            provider=identity.provider,
            last_sign_in_at=identity.last_sign_in_at,
            created_at=identity.created_at,
            updated_at=identity.updated_at,
            email=identity.identity_data.get("email"),
        )


class UserOut(BaseModel):
    id: UUID
    aud: str
    role: str
    email: str
    email_confirmed_at: datetime | None = None
    phone: str
    phone_confirmed_at: datetime | None = None
    confirmed_at: datetime | None = None
    last_sign_in_at: datetime | None = None
    app_metadata: dict[str, Any]
    user_metadata: dict[str, Any]
    identities: list[IdentityOut]
    created_at: datetime
    updated_at: datetime
    banned_until: datetime | None = None
    is_anonymous: bool

    @classmethod
    def of(cls, user: User, *, audience: str) -> Self:
        """The protocol's view of this user."""
        return cls(
            id=user.id,
            aud=audience,
            role=TOKEN_ROLE,
            email=user.email or "",
            email_confirmed_at=user.email_confirmed_at,
            phone=user.phone or "",
            phone_confirmed_at=user.phone_confirmed_at,
            confirmed_at=user.confirmed_at,
            last_sign_in_at=user.last_sign_in_at,
            app_metadata=user.app_metadata,
            user_metadata=user.user_metadata,
            identities=[IdentityOut.of(identity) for identity in user.identities],
            created_at=user.created_at,
            updated_at=user.updated_at,
            banned_until=user.banned_until,
            is_anonymous=False,
        )


class SessionOut(BaseModel):
    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    expires_at: int
    refresh_token: str
    user: UserOut

    @classmethod
    def of(cls, grant: Grant, *, audience: str) -> Self:
        """The protocol's view of this grant."""
        return cls(
            access_token=grant.access_token,
            token_type="bearer",  # noqa: S106  a scheme name
            expires_in=int(grant.lifetime.total_seconds()),
            expires_at=int(grant.expires_at.timestamp()),
            refresh_token=grant.refresh_token,
            user=UserOut.of(grant.user, audience=audience),
        )


class HealthOut(BaseModel):
    version: str
    name: str
    description: str


class SettingsOut(BaseModel):
    external: dict[str, bool]
    disable_signup: bool
    mailer_autoconfirm: bool
    phone_autoconfirm: bool
    sms_provider: str
    saml_enabled: bool
    saml_private_key_next_configured: bool
    passkeys_enabled: bool


class JwksOut(BaseModel):
    keys: list[dict[str, Any]]
