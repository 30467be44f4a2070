"""The embedded stack without limits, and naive services beside it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.load import wait_for
from cas_local.ports import free_port
from cas_local.process import Process
from cas_local.stack import Stack

PASSWORD = "correct horse battery staple"
# One machine sends everything; limits have tests of their own.
GENEROUS_LIMITS = {
    "CAS_AUTH_SIGNUP_LIMIT_PER_IP": "1000000/minute",
    "CAS_AUTH_SIGN_IN_LIMIT_PER_IP": "1000000/minute",
    "CAS_GATEWAY_IP_LIMIT": "1000000",
    "CAS_GATEWAY_USER_LIMIT": "1000000",
}


@contextmanager
def generous_stack(folder: Path) -> Iterator[Stack]:
    """The whole system, with room for a load generator."""
    os.environ |= GENEROUS_LIMITS  # noqa: TID251
    with Stack(folder / "data") as stack:
        yield stack


@contextmanager
def naive_server(module: str, stack: Stack, folder: Path) -> Iterator[tuple[str, int]]:
    """Run a naive service in a database of its own; its address and process id."""
    port = free_port()
    name = module.rpartition(".")[2]
    with stack.postgres.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    environment = {
        "DATABASE_URL": stack.postgres.url(name),
        "JWKS_URL": f"{stack.urls['auth']}/auth/v1/.well-known/jwks.json",
        "ISSUER": f"{stack.url}/auth/v1",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    command = [sys.executable, "-m", "uvicorn", f"{module}:app", "--port", str(port)]
    server = Process(name, command, log=folder / f"{name}.log", environment=environment)
    url = f"http://127.0.0.1:{port}"
    server.start()
    try:
        wait_for(f"{url}/openapi.json")
        yield url, server.pid
    finally:
        server.stop()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has signed up."""

    email: str
    token: str

    @property
    def bearer(self) -> dict[str, list[str]]:
        """The headers of their requests."""
        return {"Authorization": [f"Bearer {self.token}"]}


def sign_up(stack: Stack, number: int) -> Person:
    """A new person."""
    credentials = {"email": f"bench{number}@example.com", "password": PASSWORD}
    answer = httpx.post(f"{stack.url}/auth/v1/signup", json=credentials, timeout=10).raise_for_status()
    return Person(credentials["email"], answer.json()["access_token"])
