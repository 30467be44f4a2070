"""What a signed-in client gets: an access token that any service can check, and a refresh token."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt

from cas_auth.credentials.keys import KeyRing
from cas_auth.credentials.refresh_tokens import RefreshToken, RefreshTokens
from cas_auth.domain import TOKEN_ROLE
from cas_auth.models import User, UserSession
from cas_kit.issuers import Algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The right to act as `user` until `expires_at`, and to renew it.

    :param rotated: the refresh token is a new one, not the current one once more.
    """

    user: User
    session: UserSession
    access_token: str
    lifetime: timedelta
    expires_at: datetime
    refresh_token: str
    rotated: bool = True


class TokenIssuer:
    """Signs tokens with the current key."""

    def __init__(
        self, *, keys: KeyRing, refresh_tokens: RefreshTokens, issuer: str, audience: str, lifetime: timedelta
    ) -> None:
        self.keys = keys
        self.refresh_tokens = refresh_tokens
        self._issuer = issuer
        self._audience = audience
        self._lifetime = lifetime

    def grant(self, session: UserSession, user: User, *, now: datetime, rotated: bool = True) -> Grant:
        """Fresh tokens for this session."""
        expires_at = now + self._lifetime
        return Grant(
            user=user,
            session=session,
            access_token=self._sign(_claims(session, user), now=now, expires_at=expires_at),
            lifetime=self._lifetime,
            expires_at=expires_at,
            refresh_token=self.refresh_tokens.write(RefreshToken(session.id, session.refresh_counter)),
            rotated=rotated,
        )

    def _sign(self, claims: dict[str, Any], *, now: datetime, expires_at: datetime) -> str:
        issued = int(now.timestamp())
        standard = {"iss": self._issuer, "aud": self._audience, "iat": issued, "nbf": issued}
        key = self.keys.current
        return jwt.encode(
            {**standard, "exp": int(expires_at.timestamp()), **claims},
            key.private_key,
            algorithm=Algorithm.ES256,
            headers={"kid": key.kid},
        )


def _claims(session: UserSession, user: User) -> dict[str, Any]:
    """Who and what the token speaks of (docs/spec/auth-protocol.md 2.1)."""
    return {
        "sub": str(user.id),
        "role": TOKEN_ROLE,
        "email": user.email or "",
        "email_verified": user.email_confirmed_at is not None,
        "phone": user.phone or "",
        "app_metadata": user.app_metadata,
        "user_metadata": user.user_metadata,
        "aal": session.aal,
        "amr": session.amr,
        "session_id": str(session.id),
        "is_anonymous": False,
    }
