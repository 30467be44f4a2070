"""The public door on one machine: Envoy, as the gateway's own command runs it."""

from pathlib import Path

from cas_local.http_server import HttpServer
from cas_local.ports import HOST, Ports
from cas_local.process import Process, installed
from cas_local.services import issuer_settings
from cas_local.settings import inherited

PREFIX = "CAS_GATEWAY_"


def gateway(ports: Ports, *, log: Path) -> HttpServer:
    """Give the gateway, not started; told to stop, it finishes the requests under way."""
    settings = {
        "HOST": HOST,
        "PORT": str(ports.gateway),
        "ADMIN_PORT": str(ports.gateway_admin),
        "REDIS_PORT": str(ports.redis),
        **issuer_settings(ports),
        **{f"{service.upper()}_URL": f"http://{HOST}:{port}" for service, port in ports.rest.items()},
    }
    process = Process(
        "gateway",
        [*installed("cas-gateway"), "serve"],
        log=log,
        environment=inherited(PREFIX) | {PREFIX + name: value for name, value in settings.items()},
    )
    return HttpServer(process, health_url=f"http://{HOST}:{ports.gateway_admin}/ready")
