"""What clients send and get. A field that is null counts as absent; unknown fields are ignored."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel

from cas_auth.credentials.tokens import Grant, ProviderTokens
from cas_auth.domain.pkce import Challenge
from cas_auth.models import Factor, Identity, User

WEAK_PASSWORD_HINT = "This password is easy to guess. Choose another one."  # noqa: S105  a sentence

# ---- in ----


class ChallengeIn(BaseModel):
    """What binds a mailed link to the client that asked for it; neither, or both."""

    code_challenge: str | None = None
    code_challenge_method: str | None = None

    @property
    def challenge(self) -> Challenge | None:
        """The challenge of these fields.

        :raises InvalidRequest: one is missing or malformed.
        """
        return Challenge.read(self.code_challenge, self.code_challenge_method)


class SignUpIn(ChallengeIn):
    email: str | None = None
    phone: str | None = None
    password: str | None = None
    data: dict[str, Any] | None = None


class RecoverIn(ChallengeIn):
    email: str | None = None


class OtpIn(ChallengeIn):
    email: str | None = None
    phone: str | None = None
    create_user: bool | None = None
    data: dict[str, Any] | None = None


class ResendIn(ChallengeIn):
    type: str | None = None
    email: str | None = None
    phone: str | None = None


class VerifyIn(BaseModel):
    """A code with its address, or the token of a link."""

    type: str | None = None
    email: str | None = None
    phone: str | None = None
    token: str | None = None
    token_hash: str | None = None


class TokenIn(BaseModel):
    """The fields of every grant; which of them count depends on `grant_type`."""

    email: str | None = None
    phone: str | None = None
    password: str | None = None
    refresh_token: str | None = None
    auth_code: str | None = None
    code_verifier: str | None = None
    provider: str | None = None
    id_token: str | None = None
    access_token: str | None = None
    nonce: str | None = None
    client_id: str | None = None
    issuer: str | None = None
    link_identity: bool | None = None


class LinkIn(BaseModel):
    """The query of a mailed link."""

    token: str = ""
    type: str = ""
    redirect_to: str | None = None


class UserUpdateIn(ChallengeIn):
    email: str | None = None
    phone: str | None = None
    password: str | None = None
    current_password: str | None = None
    nonce: str | None = None
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


class FactorOut(BaseModel):
    id: UUID
    created_at: datetime
    updated_at: datetime
    status: str
    friendly_name: str | None = None
    factor_type: str
    last_challenged_at: datetime | None = None

    @classmethod
    def of(cls, factor: Factor) -> Self:
        """The protocol's view of this factor."""
        return cls(
            id=factor.id,
            created_at=factor.created_at,
            updated_at=factor.updated_at,
            status=factor.status,
            friendly_name=factor.friendly_name,
            factor_type=factor.factor_type,
            last_challenged_at=factor.last_challenged_at,
        )


class UserOut(BaseModel):
    id: UUID
    aud: str
    role: str
    email: str
    email_confirmed_at: datetime | None = None
    phone: str
    phone_confirmed_at: datetime | None = None
    invited_at: datetime | None = None
    confirmation_sent_at: datetime | None = None
    confirmed_at: datetime | None = None
    recovery_sent_at: datetime | None = None
    new_email: str | None = None
    email_change_sent_at: datetime | None = None
    reauthentication_sent_at: datetime | None = None
    last_sign_in_at: datetime | None = None
    app_metadata: dict[str, Any]
    user_metadata: dict[str, Any]
    factors: list[FactorOut] | None = None
    identities: list[IdentityOut]
    created_at: datetime
    updated_at: datetime
    banned_until: datetime | None = None
    deleted_at: datetime | None = None
    is_anonymous: bool

    @classmethod
    def of(cls, user: User, *, audience: str) -> Self:
        """The protocol's view of this user."""
        return cls(
            id=user.id,
            aud=audience,
            role=user.role,
            email=user.email or "",
            email_confirmed_at=user.email_confirmed_at,
            phone=user.phone or "",
            phone_confirmed_at=user.phone_confirmed_at,
            invited_at=user.invited_at,
            confirmation_sent_at=user.confirmation_sent_at,
            confirmed_at=user.confirmed_at,
            recovery_sent_at=user.recovery_sent_at,
            new_email=user.new_email,
            email_change_sent_at=user.email_change_sent_at,
            reauthentication_sent_at=user.reauthentication_sent_at,
            last_sign_in_at=user.last_sign_in_at,
            app_metadata=user.app_metadata,
            user_metadata=user.user_metadata,
            factors=[FactorOut.of(factor) for factor in user.factors] or None,
            identities=[IdentityOut.of(identity) for identity in user.identities],
            created_at=user.created_at,
            updated_at=user.updated_at,
            banned_until=user.banned_until,
            deleted_at=user.deleted_at,
            is_anonymous=user.is_anonymous,
        )


class PasswordAdviceOut(BaseModel):
    message: str = ""
    reasons: list[str]

    @classmethod
    def of(cls, reasons: Sequence[str]) -> Self | None:
        """What is wrong with the password that was used; None when nothing is."""
        return cls(message=WEAK_PASSWORD_HINT, reasons=list(reasons)) if reasons else None


class SessionOut(BaseModel):
    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    expires_at: int
    refresh_token: str
    user: UserOut
    provider_token: str | None = None
    provider_refresh_token: str | None = None
    weak_password: PasswordAdviceOut | None = None

    @classmethod
    def of(cls, grant: Grant, *, access_token: str, audience: str) -> Self:
        """The protocol's view of this grant."""
        provider = grant.provider_tokens or ProviderTokens()
        return cls(
            access_token=access_token,
            token_type="bearer",  # noqa: S106  a scheme name
            expires_in=int(grant.lifetime.total_seconds()),
            expires_at=int(grant.expires_at.timestamp()),
            refresh_token=grant.refresh_token,
            user=UserOut.of(grant.user, audience=audience),
            provider_token=provider.access_token,
            provider_refresh_token=provider.refresh_token,
            weak_password=PasswordAdviceOut.of(grant.weak_password),
        )


class ProviderUrlOut(BaseModel):
    url: str


class NothingOut(BaseModel):
    """The answer to what is answered the same for everybody."""


class HalfChangedOut(BaseModel):
    """One of two addresses agreed to a change."""

    msg: str
    code: Literal["200"]


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


class DiscoveryOut(BaseModel):
    """What verifiers of our tokens need (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    response_types_supported: list[str]
    subject_types_supported: list[str]
    id_token_signing_alg_values_supported: list[str]
    claims_supported: list[str]
    code_challenge_methods_supported: list[str]


class JwksOut(BaseModel):
    keys: list[dict[str, Any]]
