"""What the environment decides about the auth service."""

import base64
import binascii
import os
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from cas_kit.settings import Environment, ServiceSettings

ENCRYPTION_KEY_BYTES = 32
RateLimit = Annotated[str, Field(pattern=r"^[1-9]\d*/([1-9]\d* )?(second|minute|hour|day)s?$")]


def _in_development(validated: dict[str, Any]) -> bool:
    return validated.get("environment") is Environment.DEVELOPMENT


class SmtpSecurity(StrEnum):
    """How the connection to the mail server is encrypted: from its first byte, after STARTTLS, or not at all."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


GOOGLE = "google"
ProviderName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{1,31}$")]
# Ways to sign in that are no OpenID Connect provider, and how the protocol names some.
RESERVED_PROVIDERS = frozenset(
    {"anonymous", "anonymous_users", "email", "phone", "saml", "sso", "web3", GOOGLE}
)


class OidcProvider(BaseModel):
    """An OpenID Connect provider people may sign in with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(pattern=r"^https?://[^\s?#]+$")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr = Field(min_length=1)
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    # Apps of ours that get ID tokens by themselves, such as those for phones.
    app_client_ids: tuple[str, ...] = ()
    # Whether its word that an address is verified counts. Not where its users may claim any address.
    vouches_for_email: bool = True

    @property
    def client_ids(self) -> frozenset[str]:
        """For whom an ID token may have been issued."""
        return frozenset({self.client_id, *self.app_client_ids})

    @property
    def is_plain(self) -> bool:
        """Whether everybody on the way can read along."""
        return self.issuer.startswith("http://")


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CAS_AUTH_")

    rest_port: int = 8101
    grpc_port: int = 9101

    # 32 bytes as base64. Signing keys are encrypted and refresh tokens are signed under keys derived from it:
    # whoever has it can sign in as anybody, and without it the signing keys are lost.
    encryption_key: SecretStr

    # The account service, which has whoever an administrator deletes forgotten everywhere; None where there is none.
    account_grpc: str | None = None

    # Where people go after a link or a provider, unless they asked for an allowed address.
    site_url: str = "http://localhost:3000"
    # Further addresses, as a JSON list; `*` stands for anything but `.`, `/` and `:`, `**` for anything.
    redirect_urls: tuple[str, ...] = ()
    # A mailed link shows a page with a button, so that mail scanners that follow links use nothing up.
    link_confirmation_page: bool = True

    signup_enabled: bool = True
    anonymous_enabled: bool = False
    manual_linking_enabled: bool = True
    # Trust an address without a confirmation mail. Never where strangers sign up.
    email_auto_confirm: bool = Field(default_factory=_in_development)
    # A new address is only taken when the old one agrees.
    secure_email_change: bool = True
    password_min_length: int = Field(default=8, ge=6, le=128)
    # Only a session younger than a day changes the password without a mailed code.
    password_change_requires_reauthentication: bool = False
    password_change_requires_current: bool = False
    # Sets of characters of each of which a password has at least one, as a JSON list.
    password_required_characters: tuple[str, ...] = ()
    # Refuse common passwords; and, where an address of the HIBP range API is set, those seen in breaches.
    refuse_common_passwords: bool = True
    pwned_passwords_url: str | None = None

    # Programs of the operator that are asked (docs/spec/auth-protocol.md 4), each with the secrets that sign what it is
    # sent: `v1,whsec_<base64>`, several separated by `|` while one replaces another.
    before_user_created_hook_url: str | None = None
    before_user_created_hook_secrets: SecretStr | None = None
    customize_access_token_hook_url: str | None = None
    customize_access_token_hook_secrets: SecretStr | None = None
    send_email_hook_url: str | None = None
    send_email_hook_secrets: SecretStr | None = None

    # Mailed links and codes.
    otp_lifetime: timedelta = Field(default=timedelta(hours=1), le=timedelta(days=1))
    otp_length: int = Field(default=6, ge=6, le=10)
    # How often one address gets a mail of one kind that it asked for.
    mail_interval: timedelta = timedelta(seconds=60)

    # Who writes, and through which server.
    mail_brand: str = Field(default="CAS", min_length=1, max_length=40)
    mail_sender: str | None = None
    mail_support_address: str | None = None
    smtp_host: str | None = None
    smtp_port: int = 587
    smtp_security: SmtpSecurity = SmtpSecurity.STARTTLS
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    # Trust these authorities instead of the system's.
    smtp_ca_file: Path | None = None
    # For each answer of the server; a whole mail has 50 s.
    smtp_timeout: timedelta = Field(default=timedelta(seconds=10), le=timedelta(seconds=30))
    # Mails that one worker sends at once, each in a process of its own.
    worker_concurrency: int = Field(default=2, ge=1)

    # Clients refresh 90 s before the end and verify offline until then: much shorter or longer serves nobody.
    access_token_lifetime: timedelta = Field(default=timedelta(hours=1), ge=timedelta(minutes=5))
    # How long an old refresh token still gets the current one: covers answers that were lost on the way.
    refresh_reuse_interval: timedelta = timedelta(seconds=10)
    # Sessions end this long after they began, or after their last refresh; or after they began when their user has a
    # second factor and did not prove it. Checked at refresh.
    session_timebox: timedelta | None = None
    session_inactivity: timedelta | None = None
    session_low_aal_timeout: timedelta | None = None
    # Signing in elsewhere ends the sessions from before, at their next refresh.
    session_single_per_user: bool = False

    # Signing in with Google: off without a client id. Another issuer stands in for it on a machine without Internet.
    google_client_id: str = ""
    google_client_secret: SecretStr | None = None
    google_app_client_ids: tuple[str, ...] = ()
    google_issuer: str = "https://accounts.google.com"
    # Any other OpenID Connect providers, as a JSON object by name.
    oidc_providers: dict[ProviderName, OidcProvider] = Field(default_factory=dict)
    # Second factors by an authenticator app; what the app calls us, the host of `site_url` unless it is set.
    mfa_totp_enroll_enabled: bool = True
    mfa_totp_verify_enabled: bool = True
    mfa_totp_issuer: str | None = Field(default=None, max_length=64)

    # Whose tokens administer users: values of the `role` claim.
    admin_roles: tuple[str, ...] = ("service_role", "supabase_admin")

    # Each running hash takes one core and 19 MiB. One core stays free for everybody else.
    hash_concurrency: int = Field(default_factory=lambda: max(1, (os.cpu_count() or 1) - 1), ge=1)
    # Callers beyond this are refused at once. Every one waits in a request thread, of which there are 40.
    hash_waiting: int = Field(default=16, ge=0, le=32)

    # Proxies of ours that append to X-Forwarded-For; 0 takes the address of the connection.
    trusted_proxy_hops: int = Field(default=1, ge=0)

    # Defaults per address: docs/spec/auth-protocol.md 4.
    signup_limit_per_ip: RateLimit = "30/5 minutes"
    sign_in_limit_per_ip: RateLimit = "150/5 minutes"
    # Fewer than 100 guesses an hour reach the hasher for one account, from however many addresses: of strangers, of
    # somebody in a network its owner uses, and by signing up once more.
    signup_limit_per_account: RateLimit = "10/hour"
    sign_in_limit_per_account_and_network: RateLimit = "10/15 minutes"
    sign_in_limit_per_account_for_strangers: RateLimit = "40/hour"
    mail_limit_per_ip: RateLimit = "30/5 minutes"
    verify_limit_per_ip: RateLimit = "30/5 minutes"
    anonymous_limit_per_ip: RateLimit = "30/hour"
    factor_limit_per_user: RateLimit = "15/minute"
    # One guess in 333,333 is right: at this rate it takes five months to have even odds.
    factor_verify_limit_per_user: RateLimit = "60/hour"
    update_limit_per_user: RateLimit = "30/5 minutes"
    # With a stolen access token passwords could be tried by changing to them: the right one is refused as the same.
    password_change_limit_per_user: RateLimit = "10/hour"  # noqa: S105  a limit

    @property
    def allows_test_domains(self) -> bool:
        """Whether addresses under .test, which no mail can reach, may sign up."""
        return self.environment is not Environment.PRODUCTION

    @property
    def providers(self) -> Mapping[str, OidcProvider]:
        """The providers people may sign in with, by name."""
        if not self.google_client_id:
            return self.oidc_providers
        google = OidcProvider(
            issuer=self.google_issuer,
            client_id=self.google_client_id,
            client_secret=self.google_client_secret or SecretStr(""),
            app_client_ids=self.google_app_client_ids,
        )
        return {GOOGLE: google, **self.oidc_providers}

    @model_validator(mode="after")
    def check_providers(self) -> Self:
        """Names that mean something else, one issuer twice, or secrets over an open line would be mistakes."""
        if reserved := RESERVED_PROVIDERS & self.oidc_providers.keys():
            raise ValueError(f"oidc_providers cannot be named {sorted(reserved)}")
        issuers = Counter(provider.issuer for provider in self.providers.values())
        if repeated := [issuer for issuer, count in issuers.items() if count > 1]:
            raise ValueError(f"oidc_providers: {repeated} would have several names")
        plain = [name for name, provider in self.providers.items() if provider.is_plain]
        if plain and self.environment is Environment.PRODUCTION:
            raise ValueError(f"the issuer of {plain} must be an https address")
        return self

    @model_validator(mode="after")
    def check_mail(self) -> Self:
        """Refuse half a mail server, and a password that everybody on the way could read."""
        if self.smtp_host and not self.mail_sender:
            raise ValueError("smtp_host needs mail_sender, the address that mails come from")
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("smtp_username and smtp_password go together")
        is_plain = self.smtp_password is not None and self.smtp_security is SmtpSecurity.NONE
        if is_plain and self.environment is Environment.PRODUCTION:
            raise ValueError("smtp_security none would send smtp_password in the clear")
        return self

    @field_validator("encryption_key")
    @classmethod
    def check_encryption_key(cls, key: SecretStr) -> SecretStr:
        """Refuse to start with a key that is not 32 bytes of base64."""
        try:
            size = len(base64.b64decode(key.get_secret_value(), validate=True))
        except binascii.Error as error:
            raise ValueError("is not base64") from error
        if size != ENCRYPTION_KEY_BYTES:
            raise ValueError(
                f"must be {ENCRYPTION_KEY_BYTES} bytes as base64, for instance of `openssl rand -base64 32`"
            )
        return key
