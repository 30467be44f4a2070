"""What the environment decides for every service, read once and passed down."""

import ssl
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, HttpUrl, RedisDsn, SecretStr, field_validator, model_validator
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

    # Certificates for gRPC between services, as PEM: all three, or none for plain text. Then the server demands a
    # certificate of this authority from whoever calls, and callers from the server (libs/kit/README.md).
    rpc_certificate_file: Path | None = None
    rpc_key_file: Path | None = None
    rpc_ca_file: Path | None = None

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
    def check_certificates(self) -> Self:
        """Half a set of certificates, or one that cannot be used, would only be noticed by the first call."""
        names = ("rpc_certificate_file", "rpc_key_file", "rpc_ca_file")
        files = {name: getattr(self, name) for name in names}
        if not any(files.values()):
            return self
        if missing := [name for name, file in files.items() if file is None]:
            raise ValueError(f"{', '.join(missing)} missing: set {', '.join(names)}, or none of them")
        for name, file in files.items():
            if not file.is_file():
                raise ValueError(f"{name}: there is no file {file}")
        _try_certificates(**files)
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


LOCAL_FOLDER = "file:storage"


class StorageSettings(ServiceSettings):
    """What a service that keeps files has beside (`cas_kit.storage`)."""

    # `file:folder`, `file:///absolute/folder` or `s3://bucket/prefix`.
    storage_url: str = LOCAL_FOLDER
    # Of an S3 that is not Amazon's. Without keys, those of the machine's own role are used.
    storage_endpoint: HttpUrl | None = None
    storage_region: str = "us-east-1"
    storage_access_key_id: str | None = None
    storage_secret_access_key: SecretStr | None = None

    @field_validator("storage_url")
    @classmethod
    def check_storage_url(cls, url: str) -> str:
        """Two kinds are known."""
        if not url.startswith(("file:", "s3://")):
            raise ValueError("must begin with file: or s3://")
        return url

    @model_validator(mode="after")
    def refuse_default_folder(self) -> Self:
        """Below whatever folder a service happens to start in, files get lost, or are seen by one replica only."""
        if self.environment is Environment.PRODUCTION and self.storage_url == LOCAL_FOLDER:
            raise ValueError("storage_url still has its development default; set it in the environment")
        return self


def _try_certificates(*, rpc_certificate_file: Path, rpc_key_file: Path, rpc_ca_file: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(rpc_ca_file)
    except OSError as error:
        raise ValueError(f"rpc_ca_file holds no certificate of an authority: {error}") from error
    try:
        context.load_cert_chain(rpc_certificate_file, rpc_key_file, password="")
    except OSError as error:
        raise ValueError(
            f"rpc_certificate_file and rpc_key_file are no certificate with its unencrypted key: {error}"
        ) from error
