"""What a signed-in client gets: an access token that any service can check, and a refresh token."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import jwt

from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.credentials.keys import KeyRing
from cas_auth.credentials.refresh_tokens import RefreshToken, RefreshTokens
from cas_auth.domain.sessions import ReuseCause
from cas_auth.models import User, UserSession
from cas_kit.tokens import LEEWAY

PROVIDER_TOKENS = "provider tokens"  # what they are sealed for


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTokens:
    """What a provider gave us to act for the user there; handed to the client once, kept nowhere."""

    access_token: str | None = None
    refresh_token: str | None = None

    def sealed(self, encryption_key: EncryptionKey, *, name: str) -> bytes:
        """These tokens as the database may hold them until the client comes for them."""
        plaintext = json.dumps([self.access_token, self.refresh_token]).encode()
        return encryption_key.seal(plaintext, purpose=PROVIDER_TOKENS, name=name)

    @classmethod
    def unseal(cls, sealed: bytes | None, encryption_key: EncryptionKey, *, name: str) -> Self | None:
        """The tokens that `sealed` holds; None when there are none.

        :raises WrongEncryptionKey: they were sealed under another encryption key.
        """
        if sealed is None:
            return None
        access_token, refresh_token = json.loads(
            encryption_key.unseal(sealed, purpose=PROVIDER_TOKENS, name=name)
        )
        return cls(access_token=access_token, refresh_token=refresh_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The right to act as `user` until `expires_at`, and to renew it; the edge has `claims` signed once it is durable.

    :param reuse_causes: why the refresh token is the current one once more; none where it is a new one.
    :param weak_password: why the password that was just used should be changed; of `length`, `characters`, `pwned`.
    """

    user: User
    session: UserSession
    claims: Mapping[str, Any]
    lifetime: timedelta
    expires_at: datetime
    refresh_token: str
    reuse_causes: Sequence[ReuseCause] = ()
    provider_tokens: ProviderTokens | None = None
    weak_password: Sequence[str] = ()

    @property
    def rotated(self) -> bool:
        """Whether the refresh token is a new one."""
        return not self.reuse_causes


class TokenIssuer:
    """Says what tokens say, and signs them with the current key."""

    def __init__(
        self, *, keys: KeyRing, refresh_tokens: RefreshTokens, issuer: str, audience: str, lifetime: timedelta
    ) -> None:
        self.keys = keys
        self.refresh_tokens = refresh_tokens
        self._issuer = issuer
        self._audience = audience
        self._lifetime = lifetime

    def grant(
        self, session: UserSession, user: User, *, now: datetime, reuse_causes: Sequence[ReuseCause] = ()
    ) -> Grant:
        """Fresh tokens for this session, not signed yet; the session remembers how long they are good."""
        expires_at = now + self._lifetime
        session.note_access_token(good_until=expires_at + LEEWAY)
        return Grant(
            user=user,
            session=session,
            claims=self._standard(now, expires_at) | _claims(session, user),
            lifetime=self._lifetime,
            expires_at=expires_at,
            refresh_token=self.refresh_tokens.write(RefreshToken(session.id, session.refresh_counter)),
            reuse_causes=reuse_causes,
        )

    def service_token(self, role: str, *, now: datetime, lifetime: timedelta) -> str:
        """A token for programs of ours that administer users: it speaks of no user."""
        return self.sign(self._standard(now, now + lifetime) | {"role": role})

    def sign(self, claims: Mapping[str, Any]) -> str:
        """The access token that says this."""
        key = self.keys.current
        return jwt.encode(dict(claims), key.signer, algorithm=key.algorithm, headers={"kid": key.kid})

    def _standard(self, now: datetime, expires_at: datetime) -> dict[str, Any]:
        issued = int(now.timestamp())
        return {
            "iss": self._issuer,
            "aud": self._audience,
            "iat": issued,
            "nbf": issued,
            "exp": int(expires_at.timestamp()),
        }


def _claims(session: UserSession, user: User) -> dict[str, Any]:
    """Who and what the token speaks of (docs/spec/auth-protocol.md 2.1)."""
    return {
        "sub": str(user.id),
        "role": user.role,
        "email": user.email or "",
        "email_verified": user.email_confirmed_at is not None,
        "phone": user.phone or "",
        "app_metadata": user.app_metadata,
        "user_metadata": user.user_metadata,
        "aal": session.aal,
        "amr": session.amr,
        "session_id": str(session.id),
        "is_anonymous": user.is_anonymous,
    }
