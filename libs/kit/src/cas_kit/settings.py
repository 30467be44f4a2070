"""What the environment decides for every service, read once and passed down."""

from datetime import timedelta
from enum import StrEnum
from typing import Self

from pydantic import Field, RedisDsn, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from cas_kit.issuers import TrustedIssuer, check_issuers


class Environment(StrEnum):
    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class ServiceSettings(BaseSettings):
    """The settings all services have; a service subclasses it with its own prefix.

    :raises pydantic.ValidationError: a value is missing or wrong, or a secret still has its default in production.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    environment: Environment = Environment.PRODUCTION
    log_level: str = "INFO"

    host: str = "127.0.0.1"
    rest_port: int
    grpc_port: int

    database_url: SecretStr
    # Two below the role's CONNECTION LIMIT leaves room for a migration and a person with psql.
    database_pool_size: int = Field(default=10, ge=1)
    # A request that waits longer than this for a connection is better refused: the queue only grows.
    database_pool_timeout: timedelta = timedelta(milliseconds=250)

    redis_url: RedisDsn
    # Where the auth service says which sessions have ended: the same for all services; redis_url when it is not set.
    revocations_url: RedisDsn | None = None

    issuer: str = "http://localhost:8000/auth/v1"
    audience: str = "authenticated"
    jwks_url: str = "http://127.0.0.1:8101/auth/v1/.well-known/jwks.json"
    # Whose tokens are good beside our own, as a JSON list (docs/adr/0015).
    trusted_issuers: tuple[TrustedIssuer, ...] = ()

    # Load balancers need this long to see that the service is no longer ready (docs/adr/0012).
    drain_delay: timedelta = timedelta(seconds=2)
    drain_timeout: timedelta = timedelta(seconds=10)

    @property
    def revocations(self) -> str:
        """The Redis that all services share."""
        return str(self.revocations_url or self.redis_url)

    @model_validator(mode="after")
    def check_trusted_issuers(self) -> Self:
        """Two sources of keys for one issuer, or another word for our own, would be a mistake."""
        check_issuers(self.trusted_issuers, own=self.issuer, audience=self.audience)
        return self

    @model_validator(mode="after")
    def refuse_default_secrets(self) -> Self:
        """A secret that stands in the source code protects nothing."""
        if self.environment is not Environment.PRODUCTION:
            return self
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, SecretStr) and value == field.default:
                raise ValueError(f"{name} still has its development default; set it in the environment")
        return self
