"""What the environment decides for the gateway, read once and passed down."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cas_kit.issuers import TrustedIssuer, check_issuers

CHECKOUT = Path(__file__).parents[2]


class Settings(BaseSettings):
    """The defaults run the whole system on one machine. Lists of words are written with commas, others as JSON.

    :raises pydantic.ValidationError: a value has the wrong form.
    """

    model_config = SettingsConfigDict(env_prefix="CAS_GATEWAY_", frozen=True, extra="ignore")

    # Defaults that are good in production too; `cas-gateway kong` wants every other placeholder said.
    good_anywhere: ClassVar[frozenset[str]] = frozenset(
        {"audience", "other_issuers", "user_limit", "ip_limit"}
    )

    kong_file: Path = CHECKOUT / "kong.yml"

    # ---- the placeholders of kong.yml ----
    auth_url: str = "http://127.0.0.1:8101"
    account_url: str = "http://127.0.0.1:8102"
    onboarding_url: str = "http://127.0.0.1:8103"
    listings_url: str = "http://127.0.0.1:8104"
    hosts: Annotated[list[str], NoDecode] = ["localhost", "127.0.0.1"]
    origins: Annotated[list[str], NoDecode] = ["http://localhost:3000", "http://127.0.0.1:3000"]
    issuer: str = "http://localhost:8000/auth/v1"
    audience: str = "authenticated"
    # Whose tokens are good beside our own: what the services are told (libs/kit/README.md).
    trusted_issuers: Annotated[tuple[TrustedIssuer, ...], NoDecode] = ()
    # Requests a minute of one user to one service. An auto-saving wizard sends one a second and a tab; five is a loop.
    user_limit: int = Field(default=300, ge=1)
    # Requests a minute of one address to one service's public calls: a classroom of forty behind one address may
    # sign in at the same minute, ten calls each, three times over. Guessing passwords is limited by the auth service.
    ip_limit: int = Field(default=1200, ge=1)
    redis_host: str = "127.0.0.1"
    redis_port: int = 26379
    # The public keys Kong shall accept, as the auth service publishes them; Envoy fetches them itself.
    jwks_file: Path | None = None
    # The same of other issuers, by their name.
    trusted_jwks_files: Annotated[dict[str, Path], NoDecode] = {}

    # ---- Envoy alone ----
    host: str = "127.0.0.1"
    port: int = 8000
    admin_port: int = 8001
    jwks_url: str = "http://127.0.0.1:8101/auth/v1/.well-known/jwks.json"
    # The authorities behind https addresses of keys, as PEM; the public ones when it is not set.
    jwks_ca_file: Path | None = None
    workers: int = Field(default=2, ge=1)
    # Requests under way when the gateway is told to stop may take this long.
    drain_timeout: timedelta = timedelta(seconds=15)

    @field_validator("hosts", "origins", mode="before")
    @classmethod
    def split_at_commas(cls, value: object) -> object:
        """The environment and the command line know only text."""
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("trusted_issuers", "trusted_jwks_files", mode="before")
    @classmethod
    def read_json(cls, value: object) -> object:
        """The environment and the command line know only text."""
        try:
            return json.loads(value) if isinstance(value, str) else value
        except json.JSONDecodeError as error:
            raise ValueError("is not JSON") from error

    @model_validator(mode="after")
    def check_trusted_issuers(self) -> Self:
        """Two sources of keys for one issuer, or another word for our own, would be a mistake."""
        check_issuers(self.trusted_issuers, own=self.issuer, audience=self.audience)
        return self

    @property
    def other_issuers(self) -> list[TrustedIssuer]:
        """The trusted ones but for our own, each once: of two entries, that with published keys."""
        entries = sorted(self.trusted_issuers, key=lambda entry: entry.secret is None)
        return list({entry.issuer: entry for entry in entries if entry.issuer != self.issuer}.values())
