"""What the environment decides for the account service."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from cas_kit.settings import StorageSettings


class Settings(StorageSettings):
    """Read from `CAS_ACCOUNT_...`."""

    model_config = SettingsConfigDict(env_prefix="CAS_ACCOUNT_")

    rest_port: int = 8102
    grpc_port: int = 9102

    # Where the others are has no default: whoever forgets to say so would reach something else, or nothing.
    auth_grpc: str
    onboarding_grpc: str
    listings_grpc: str

    # Addresses of pictures that this platform serves itself begin with this.
    media_url: str = "http://localhost:8000/media/"

    # How many uploads are decoded at once: each takes a processor, and 768 MB at most.
    pictures_at_once: int = Field(default=2, ge=1)

    # What /api/health asks of the other core services.
    health_auth_url: str
    health_onboarding_url: str
    health_listings_url: str

    # The services that have a worker here: /api/health misses these, and no other.
    workers: tuple[str, ...] = ()

    housekeeping_every: timedelta = timedelta(hours=1)
