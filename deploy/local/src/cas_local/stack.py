"""The whole system: started in order, watched, and stopped in the opposite order whatever happens."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Protocol, Self

from cas_local.credentials import Credentials, load_credentials
from cas_local.gateway import gateway
from cas_local.http_server import Awaited, HttpServer, stop_together, wait_until_ready
from cas_local.lock import hold, turn
from cas_local.mail_sink import mail_sink
from cas_local.ports import HOST, Ports, internal_port, public_port
from cas_local.postgres import PostgresServer
from cas_local.process import Process
from cas_local.provision import provision
from cas_local.redis import RedisServer
from cas_local.services import SERVICES, Service, environment_of, file_settings, health_url, mail_settings
from cas_local.settings import inherited
from cas_local.worker import Worker

POSTGRES_PORT = 25432
REDIS_PORT = 26379
REVOCATIONS_DATABASE = 15  # all services share it; each has one of its own, counted from 0
ADMIN_PORT = 8001
SMTP_PORT = 1025
MAIL_PORT = 8025
MIGRATE_SECONDS = 300.0
STARTING = Path(tempfile.gettempdir()) / f"cas-local-{os.getuid()}.starting"


class Server(Protocol):
    """What every part of a stack can do."""

    @property
    def process(self) -> Process: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Stack:
    """PostgreSQL, Redis, a mail sink, every service with its worker, and the gateway; a context manager.

    Start it from a thread which lives as long as the stack: its programs die with that thread.

    :param data: made when missing; holds the data, the secrets and the logs
    :param gateway_port: None picks free ports for everything; else everything prefers its own port
    :param durable: False trades safety against a crash for speed: tests only
    :param say: told of progress, one line at a time
    """

    ports: Ports  # chosen by start()
    credentials: Credentials  # read by start()
    postgres: PostgresServer  # made by start()
    environments: dict[str, dict[str, str]]  # of each service, by its name; made by start()

    def __init__(
        self,
        data: Path,
        *,
        services: Sequence[Service] = SERVICES,
        gateway_port: int | None = None,
        durable: bool = True,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.data = data.absolute()
        self.services = {service.name: service for service in services}
        self.servers: dict[str, Server] = {}
        self._gateway_port = gateway_port
        self._durable = durable
        self._say = say
        self._began = time.monotonic()
        self._cleanup = ExitStack()

    @property
    def url(self) -> str:
        """The gateway's address, as browsers and the tokens' issuer spell it."""
        return f"http://localhost:{self.ports.gateway}"

    @property
    def urls(self) -> dict[str, str]:
        """The address of every part, by name and without passwords."""
        return {
            "gateway": self.url,
            **{name: f"http://{HOST}:{port}" for name, port in self.ports.rest.items()},
            "postgres": f"postgresql://{HOST}:{self.ports.postgres}/cas",
            "redis": f"redis://{HOST}:{self.ports.redis}",
            "mail": f"http://{HOST}:{self.ports.mail}",
            **{_worker_name(service): "" for service in self.services.values() if service.worker},
        }

    @property
    def pids(self) -> dict[str, int]:
        """The process id of every part that runs, by name."""
        return {name: server.process.pid for name, server in self.servers.items() if server.process.pid}

    @property
    def logs(self) -> dict[str, Path]:
        """The log file of every part, by name."""
        return {name: server.process.log for name, server in self.servers.items()}

    def start(self) -> None:
        """Start everything and wait until all of it is healthy; on failure nothing is left running.

        :raises ProgramFailed: when a part ends or does not become ready; the text carries its last log lines
        :raises PortTaken: when the gateway's port is
        :raises AlreadyRunning: when another stack uses the data folder
        """
        with self._turn(), ExitStack() as cleanup:
            self._began = time.monotonic()
            self._prepare(cleanup)
            self.environments = self._start_stores(cleanup)
            self._migrate(cleanup)
            self._serve(cleanup)
            self.require_running()  # whoever answered may have been another stack's
            self._cleanup = cleanup.pop_all()

    def stop(self) -> None:
        """Stop the gateway, then the services, then the stores; harmless when nothing runs."""
        self._say("Stopping ...")
        self._cleanup.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kill(self, name: str) -> None:
        """End one part as a crash would, without warning."""
        self.servers[name].process.kill()

    def restart(self, name: str) -> None:
        """Stop one part if it runs, start it and wait until it is ready, on the same port."""
        self.servers[name].stop()
        self.servers[name].start()

    def require_running(self) -> None:
        """Do nothing while every part runs.

        :raises ProgramFailed: when one has ended
        """
        for server in self.servers.values():
            server.process.require_running()

    def _prepare(self, cleanup: ExitStack) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        cleanup.enter_context(hold(self.data / "lock"))
        shutil.rmtree(self.data / "logs", ignore_errors=True)
        (self.data / "logs").mkdir()
        self.ports = self._choose_ports()
        self.credentials = load_credentials(self.data / "secrets.json", tuple(self.services.values()))

    def _turn(self) -> AbstractContextManager[None]:
        """Two stacks that prefer the same ports would both find them free while neither listens yet."""
        anywhere = self._gateway_port is None
        return nullcontext() if anywhere else turn(STARTING, say=self._say)

    def _choose_ports(self) -> Ports:
        anywhere = self._gateway_port is None

        def internal(name: str, preferred: int) -> int:
            return internal_port(name, 0 if anywhere else preferred, say=self._say)

        return Ports(
            gateway=public_port(self._gateway_port or 0),
            gateway_admin=internal("gateway admin", ADMIN_PORT),
            postgres=internal("PostgreSQL", POSTGRES_PORT),
            redis=internal("Redis", REDIS_PORT),
            smtp=internal("SMTP", SMTP_PORT),
            mail=internal("mail", MAIL_PORT),
            rest={name: internal(name, service.rest_port) for name, service in self.services.items()},
            grpc={name: internal(f"{name} gRPC", s.grpc_port) for name, s in self.services.items()},
        )

    def _start_stores(self, cleanup: ExitStack) -> dict[str, dict[str, str]]:
        """Start PostgreSQL and Redis; give the environment of each service."""
        self.postgres = PostgresServer(
            self.data / "postgres", port=self.ports.postgres, durable=self._durable, log=self._log("postgres")
        )
        redis = RedisServer(self.data / "redis", port=self.ports.redis, log=self._log("redis"))
        self.servers = {"postgres": self.postgres, "redis": redis}
        for name, server in self.servers.items():
            cleanup.callback(server.stop)
            server.start()
            self._report(f"{name} ready")
        database_urls = provision(self.postgres.url(), self.credentials.database_passwords)
        return {
            service.name: mail_settings(service, self.ports)
            | file_settings(service, self.ports, self.data / "files")
            | inherited(service.prefix)
            | environment_of(
                service,
                services=self.services,
                ports=self.ports,
                database_url=database_urls[service.name],
                redis_url=redis.url(number),
                revocations_url=redis.url(REVOCATIONS_DATABASE),
                keys=self.credentials.keys[service.name],
            )
            for number, service in enumerate(self.services.values())
        }

    def _migrate(self, cleanup: ExitStack) -> None:
        """Bring every schema up to date, all at once."""
        jobs = [self._program(service, "migrate") for service in self.services.values()]
        for job in jobs:
            cleanup.callback(job.kill)
            job.start()
        for job in jobs:
            job.finish(within=MIGRATE_SECONDS)
        self._report("migrations applied")

    def _serve(self, cleanup: ExitStack) -> None:
        """Start the rest at the same time; it stops in turn: the gateway, the services, where their mails go."""
        services: dict[str, Awaited] = {
            name: HttpServer(self._program(service, "serve"), health_url=health_url(service, self.ports))
            for name, service in self.services.items()
        }
        workers = {
            _worker_name(service): Worker(self._program(service, "worker"))
            for service in self.services.values()
            if service.worker
        }
        sink = mail_sink(self.ports, log=self._log("mail"))
        door = gateway(self.ports, log=self._log("gateway"))
        cleanup.callback(sink.stop)
        cleanup.callback(stop_together, [*services.values(), *workers.values()])
        cleanup.callback(door.stop)
        started: dict[str, Awaited] = {"mail": sink, **services, **workers, "gateway": door}
        self.servers |= started
        for server in started.values():
            server.launch()
        wait_until_ready(started.values(), say_ready=lambda name: self._report(f"{name} ready"))

    def _program(self, service: Service, verb: str) -> Process:
        name = {"serve": service.name, "worker": _worker_name(service)}.get(verb, f"{service.name} {verb}")
        return Process(
            name,
            service.command(verb),
            log=self._log(_worker_name(service) if verb == "worker" else service.name),
            environment=self.environments[service.name],
        )

    def _log(self, name: str) -> Path:
        return self.data / "logs" / f"{name}.log"

    def _report(self, what: str) -> None:
        self._say(f"{what} {time.monotonic() - self._began:.1f} s")


def _worker_name(service: Service) -> str:
    return f"{service.name}-worker"
