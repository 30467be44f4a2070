"""The smallest service of the house, run as a process of its own by test_service.py."""

import logging
import sys
import threading
from argparse import ArgumentParser, Namespace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import grpc
import structlog
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from cas_kit import rest
from cas_kit.db import Database
from cas_kit.rpc import RpcServer
from cas_kit.service import Background, Command, Periodic, Service, run_command
from cas_kit.settings import ServiceSettings
from cas_kit.testing import Issuer, until
from cas_kit.tokens import TokenVerifier


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CAS_SMALL_", frozen=True, extra="ignore")

    folder: Path
    secret: SecretStr = SecretStr("only-for-development")


def build(settings: Settings) -> Service:
    database = Database(settings, application_name="small")
    readiness = rest.Readiness()
    verifier = TokenVerifier(issuer=settings.issuer, audience=settings.audience, keys=Issuer())
    return Service(
        app=rest.create_app(
            title="Small",
            version="1",
            routers=[_routes(settings.folder)],
            dependencies=rest.Dependencies(database=database, verifier=verifier),
            readiness=readiness,
        ),
        rpc=RpcServer(lambda server: _register(server, settings.folder)),
        readiness=readiness,
        background=[Background("listener", _listener(settings.folder))],
        periodic=[Periodic("flaky", timedelta(milliseconds=10), _flaky_job(settings.folder))],
        prepare=(settings.folder / "prepared").touch,
        close=[database.dispose, (settings.folder / "closed").touch],
    )


def _hold(folder: Path) -> None:
    """Answer only when the test says so."""
    (folder / f"held-{uuid4()}").touch()
    until((folder / "release").exists, within=30)


def _routes(folder: Path) -> rest.APIRouter:
    routes = rest.router(tags=["small"])

    @routes.get("/plain")
    def plain() -> rest.Response:
        return rest.json_response({})

    @routes.get("/hold")
    def hold() -> rest.Response:
        _hold(folder)
        return rest.json_response("held")

    @routes.get("/crash")
    def crash() -> rest.Response:
        logging.getLogger("library").warning("two\r\nlines and \x1b[31mcolour")
        structlog.get_logger("small").info("event\nof two lines", field="a\r\nb")
        raise RuntimeError("first line\nsecond line")

    return routes


def _register(server: grpc.Server, folder: Path) -> None:
    def hold(request: bytes, context: grpc.ServicerContext) -> bytes:
        _hold(folder)
        return b"held"

    methods = {
        "Echo": grpc.unary_unary_rpc_method_handler(lambda request, context: request),
        "Hold": grpc.unary_unary_rpc_method_handler(hold),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("small.v1.Small", methods)])


def _flaky_job(folder: Path):
    """Crashes the first time it runs."""

    def work() -> None:
        crashed = folder / "crashed"
        if not crashed.exists():
            crashed.touch()
            raise RuntimeError("the job's own trouble")
        (folder / "worked").touch()

    return work


def _listener(folder: Path):
    """Goes on until the service stops."""

    def listen(stop: threading.Event) -> None:
        stop.wait()
        (folder / "heard-the-stop").touch()

    return listen


def _greet(settings: Settings, options: Namespace) -> None:
    if options.whom == "nobody":
        sys.exit("There is nobody to greet.")
    sys.stdout.write(f"Good {options.time}, {options.whom} in {settings.folder.name}\n")


def _greeting_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("whom")
    parser.add_argument("--time", choices=["morning", "evening"], default="morning")


if __name__ == "__main__":
    run_command(
        name="small",
        package="small_service",
        settings=Settings,
        build=build,
        commands=[Command("greet", "say something nice", _greet, _greeting_arguments)],
    )
