"""The gateway under test: an Envoy of our own, or the one CAS_GATEWAY_URL names."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import HttpUrl
from pydantic_settings import BaseSettings, SettingsConfigDict

from .client import Client
from .envoys import running_envoy, settings_for, wait_until_keys_are_known
from .tokens import SigningKey
from .upstream import Upstream, running_upstream


class Outside(BaseSettings):
    """CAS_GATEWAY_URL: a gateway somebody else runs, in front of the real services."""

    model_config = SettingsConfigDict(env_prefix="CAS_GATEWAY_", extra="ignore")

    url: HttpUrl | None = None


@pytest.fixture(scope="session")
def outside() -> str | None:
    url = Outside().url
    return str(url) if url else None


@pytest.fixture(scope="session")
def key() -> SigningKey:
    """What the auth service signs with."""
    return SigningKey("first")


@pytest.fixture(scope="session")
def services(key: SigningKey) -> Iterator[Upstream]:
    with running_upstream() as upstream:
        upstream.keys.append(key.public_jwk)
        yield upstream


@pytest.fixture(scope="session")
def own_gateway(
    outside: str | None, services: Upstream, key: SigningKey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client | None]:
    if outside:
        yield None
        return
    with running_envoy(tmp_path_factory.mktemp("gateway"), settings_for(services)) as client:
        wait_until_keys_are_known(client, key)
        yield client


@pytest.fixture
def gateway(outside: str | None, own_gateway: Client | None) -> Client:
    """A gateway that keeps the contract, whoever runs it and whatever is behind it."""
    if own_gateway:
        return own_gateway
    url = urlsplit(str(outside))
    return Client(str(url.hostname), url.port or 80)


@pytest.fixture
def upstream(services: Upstream, own_gateway: Client | None) -> Upstream:
    """The services behind our own gateway, nothing received yet."""
    if own_gateway is None:
        pytest.skip("the services behind the outside gateway do not tell what they received")
    services.received.clear()
    return services


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path
