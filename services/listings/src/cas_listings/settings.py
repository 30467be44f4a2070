"""What the environment decides for the listings service."""

from datetime import timedelta

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from cas_kit.settings import StorageSettings


class Settings(StorageSettings):
    """Read from `CAS_LISTINGS_...`."""

    model_config = SettingsConfigDict(env_prefix="CAS_LISTINGS_")

    rest_port: int = 8104
    grpc_port: int = 9104

    # No default: whoever forgets to say where it is would reach something else, or nothing.
    account_grpc: str

    # docs/spec/domain.md 6.4: how long an archived listing can be regretted.
    deletion_grace: timedelta = timedelta(days=5)
    # Proxies in front of this service, each of which appends one address to X-Forwarded-For.
    trusted_proxy_hops: int = Field(default=1, ge=0)
    # Of one visitor: far more than anybody reads, and far less than a program that wants to be counted.
    view_limit: str = "120/minute"
    inquiry_limit: str = "30/minute"

    # A copy of the database for searches to read; the database itself when it is not set.
    search_database_url: SecretStr | None = None
    # Of one statement of a search; a person has stopped waiting by then.
    search_timeout: timedelta = timedelta(milliseconds=500)
    # Results are counted up to here; nobody pages further, and counting is most of what a broad search costs.
    search_exact_total: int = 10_000
    # How often the index is compared with the listings: a few seconds of one core at a million of them.
    search_repair_every: timedelta = timedelta(minutes=1)

    # Addresses of pictures begin with this.
    media_url: str = "http://localhost:8000/media/"
    # Beside WebP, which every browser shows: smaller files for some ten times the computing.
    images_in_avif: bool = False
    # Pictures that one worker processes at once, each with a processor of its own and 768 MB at most.
    worker_concurrency: int = Field(default=2, ge=1)

    housekeeping_every: timedelta = timedelta(hours=1)
