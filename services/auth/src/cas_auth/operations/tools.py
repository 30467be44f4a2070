"""What operations work with beside the database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from pydantic import SecretStr

from cas_auth.clients.hooks import Hook
from cas_auth.clients.oidc import OidcClient, clients_of
from cas_auth.clients.pwned_passwords import PwnedPasswords
from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.credentials.keys import KeyRing
from cas_auth.credentials.one_time import OneTimeSecrets
from cas_auth.credentials.passwords import PasswordHasher
from cas_auth.credentials.refresh_tokens import RefreshTokens
from cas_auth.credentials.tokens import Grant, TokenIssuer
from cas_auth.credentials.totp import TotpSecrets
from cas_auth.domain.refusals import HookFailed
from cas_auth.domain.sessions import SessionLimits
from cas_auth.settings import Settings
from cas_kit.tokens import MAX_TOKEN_BYTES


@dataclass(frozen=True, slots=True)
class Tools:
    """The rules of this installation, and the means to prove and grant identity."""

    settings: Settings
    encryption_key: EncryptionKey
    hasher: PasswordHasher
    issuer: TokenIssuer
    one_time: OneTimeSecrets
    totp: TotpSecrets
    pwned_passwords: PwnedPasswords | None = None
    before_user_created: Hook | None = None
    customize_access_token: Hook | None = None
    providers: Mapping[str, OidcClient] = field(default_factory=dict)
    new_id: Callable[[], UUID] = uuid4

    @classmethod
    def of(cls, settings: Settings, keys: KeyRing) -> "Tools":
        """The tools these settings ask for."""
        encryption_key = EncryptionKey(settings.encryption_key)
        return cls(
            settings=settings,
            encryption_key=encryption_key,
            hasher=PasswordHasher(concurrency=settings.hash_concurrency, waiting=settings.hash_waiting),
            issuer=TokenIssuer(
                keys=keys,
                refresh_tokens=RefreshTokens(encryption_key),
                issuer=settings.issuer,
                audience=settings.audience,
                lifetime=settings.access_token_lifetime,
            ),
            one_time=OneTimeSecrets(encryption_key, code_length=settings.otp_length),
            pwned_passwords=PwnedPasswords(settings.pwned_passwords_url)
            if settings.pwned_passwords_url
            else None,
            totp=TotpSecrets(encryption_key),
            providers=clients_of(settings.providers, redirect_uri=f"{settings.issuer}/callback"),
            before_user_created=_hook(
                "before-user-created",
                settings.before_user_created_hook_url,
                settings.before_user_created_hook_secrets,
            ),
            customize_access_token=_hook(
                "customize-access-token",
                settings.customize_access_token_hook_url,
                settings.customize_access_token_hook_secrets,
            ),
        )

    @property
    def session_limits(self) -> SessionLimits:
        """How long sessions last here."""
        return SessionLimits(
            timebox=self.settings.session_timebox,
            inactivity=self.settings.session_inactivity,
            low_aal=self.settings.session_low_aal_timeout,
        )

    def access_token(self, grant: Grant) -> str:
        """The signed access token of a grant that is durable by now. Not inside a transaction: a hook may be asked.

        :raises DomainError: the hook refuses, is broken or does not answer in time.
        """
        if self.customize_access_token is None:
            return self.issuer.sign(grant.claims)
        token = self.issuer.sign(_customized(self.customize_access_token, grant.claims))
        if len(token) > MAX_TOKEN_BYTES:
            raise HookFailed(f"output claims make an access token of more than {MAX_TOKEN_BYTES} bytes")
        return token

    def close(self) -> None:
        """Close the connections to hooks."""
        for hook in (self.before_user_created, self.customize_access_token):
            if hook is not None:
                hook.close()


# What a hook cannot change: whose token it is and how long it is good. The others it has to leave in their place
# (docs/spec/auth-protocol.md 2.1).
FIXED_CLAIMS = frozenset({"iss", "sub", "session_id", "iat", "nbf", "exp"})
REQUIRED_CLAIMS = frozenset({"aud", "email", "phone", "role", "aal", "is_anonymous"})


def _customized(hook: Hook, claims: Mapping[str, Any]) -> Mapping[str, Any]:
    amr = claims["amr"]
    answer = hook.call(
        {
            "user_id": claims["sub"],
            "claims": dict(claims),
            "authentication_method": amr[0]["method"] if amr else "",
        }
    )
    wanted = answer.get("claims")
    if not isinstance(wanted, dict) or not wanted.keys() >= REQUIRED_CLAIMS:
        raise HookFailed("output claims do not conform to the expected schema")
    return wanted | {name: claims[name] for name in FIXED_CLAIMS}


def _hook(name: str, url: str | None, secrets: SecretStr | None) -> Hook | None:
    return Hook(name=name, url=url, secrets=secrets or SecretStr("")) if url else None
