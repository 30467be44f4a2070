"""What operations work with beside the database."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from cas_auth.clients.pwned_passwords import PwnedPasswords
from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.credentials.keys import KeyRing
from cas_auth.credentials.one_time import OneTimeSecrets
from cas_auth.credentials.passwords import PasswordHasher
from cas_auth.credentials.refresh_tokens import RefreshTokens
from cas_auth.credentials.tokens import Grant, TokenIssuer
from cas_auth.credentials.totp import TotpSecrets
from cas_auth.domain.sessions import SessionLimits
from cas_auth.settings import Settings


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
        """The signed access token of a grant that is durable by now. Not inside a transaction: hooks may be asked."""
        return self.issuer.sign(grant.claims)
