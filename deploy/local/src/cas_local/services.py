"""The services of this system: another one is another entry here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cas_local.ports import HOST, Ports
from cas_local.process import installed

DRAIN_DELAY = "PT0S"  # the gateway stops first, so nobody has to notice that a service is going


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service: where it listens unless the ports are taken, and what it must be told of the others."""

    name: str
    rest_port: int
    grpc_port: int
    health_path: str = "/health/ready"
    asks: tuple[str, ...] = ()  # services it calls by gRPC
    watches: tuple[str, ...] = ()  # services whose health it reports
    keys: tuple[str, ...] = ()  # settings that are 32 secret bytes
    worker: bool = False  # whether it has one, as another process
    mails: bool = False  # whether it sends any
    files: bool = False  # whether it keeps any
    program: tuple[str, ...] = ()  # instead of the command cas-<name>

    @property
    def prefix(self) -> str:
        """What the names of its settings begin with."""
        return f"CAS_{self.name.upper()}_"

    def command(self, *words: str) -> list[str]:
        """Write its command line for ``serve``, ``migrate`` or another of its commands."""
        return [*(self.program or installed(f"cas-{self.name}")), *words]


SERVICES = (
    Service(
        name="auth",
        rest_port=8101,
        grpc_port=9101,
        asks=("account",),
        keys=("ENCRYPTION_KEY",),
        worker=True,
        mails=True,
    ),
    Service(
        name="account",
        rest_port=8102,
        grpc_port=9102,
        files=True,
        asks=("auth", "onboarding", "listings"),
        watches=("auth", "onboarding", "listings"),
    ),
    Service(name="onboarding", rest_port=8103, grpc_port=9103, asks=("account",)),
    Service(name="listings", rest_port=8104, grpc_port=9104, asks=("account",), worker=True, files=True),
)


def health_url(service: Service, ports: Ports) -> str:
    """Give the address which answers 200 once the service is ready."""
    return f"http://{HOST}:{ports.rest[service.name]}{service.health_path}"


def issuer_settings(ports: Ports) -> dict[str, str]:
    """Give the settings which say whose tokens are good."""
    return {
        "ISSUER": f"http://localhost:{ports.gateway}/auth/v1",
        "JWKS_URL": f"http://{HOST}:{ports.rest['auth']}/auth/v1/.well-known/jwks.json",
    }


def mail_settings(service: Service, ports: Ports) -> dict[str, str]:
    """Give the settings which send a service's mails to the sink, each under its full name."""
    settings = {
        "SMTP_HOST": HOST,
        "SMTP_PORT": str(ports.smtp),
        "SMTP_SECURITY": "none",
        "MAIL_SENDER": "no-reply@cas.test",
    }
    return {service.prefix + name: value for name, value in settings.items()} if service.mails else {}


def file_settings(service: Service, ports: Ports, folder: Path) -> dict[str, str]:
    """Give the settings which say where a service keeps its files and where browsers find them, under full names."""
    settings = {
        "STORAGE_URL": (folder / service.name).as_uri(),
        "MEDIA_URL": f"http://localhost:{ports.gateway}/media/",
    }
    return {service.prefix + name: value for name, value in settings.items()} if service.files else {}


def watch_settings(service: Service, services: Mapping[str, Service], ports: Ports) -> dict[str, str]:
    """Give the settings of a service that reports the health of others: where each is, and who has a worker."""
    if not service.watches:
        return {}
    urls = {f"HEALTH_{peer.upper()}_URL": health_url(services[peer], ports) for peer in service.watches}
    return {**urls, "WORKERS": json.dumps([peer for peer in service.watches if services[peer].worker])}


def environment_of(
    service: Service,
    *,
    services: Mapping[str, Service],
    ports: Ports,
    database_url: str,
    redis_url: str,
    revocations_url: str,
    keys: Mapping[str, str],
) -> dict[str, str]:
    """Give the settings of one service, each under its full name.

    :param keys: the secret of every setting in ``service.keys``
    """
    settings = {
        "ENVIRONMENT": "development",
        "DRAIN_DELAY": DRAIN_DELAY,
        "HOST": HOST,
        "REST_PORT": str(ports.rest[service.name]),
        "GRPC_PORT": str(ports.grpc[service.name]),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REVOCATIONS_URL": revocations_url,
        **issuer_settings(ports),
        **{f"{peer.upper()}_GRPC": f"{HOST}:{ports.grpc[peer]}" for peer in service.asks},
        **watch_settings(service, services, ports),
        **keys,
    }
    return {service.prefix + name: value for name, value in settings.items()}
