"""What the environment decides for the onboarding service."""

from datetime import timedelta

from pydantic_settings import SettingsConfigDict

from cas_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CAS_ONBOARDING_")

    rest_port: int = 8103
    grpc_port: int = 9103

    # No default: whoever forgets to say where it is would reach something else, or nothing.
    account_grpc: str

    # docs/spec/domain.md 5.2: answers nobody came back to are not kept for ever.
    abandoned_after: timedelta = timedelta(days=30)
    housekeeping_every: timedelta = timedelta(hours=1)
