"""Ports on the loopback interface: which are free, and who holds one that is not."""

import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path

import psutil

from cas_local.errors import PortTaken

HOST = "127.0.0.1"
# Below 32768, where Linux begins to hand out ports for outgoing connections: none of those can take ours.
FREE_PORTS = range(20000, 32000)
BLOCK = 200  # ports of one process: many times what a stack needs, and blocks for sixty processes
COMMAND_LENGTH = 80


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where everything listens; everything derived from a port is derived from here."""

    gateway: int
    gateway_admin: int
    postgres: int
    redis: int
    smtp: int
    mail: int
    rest: dict[str, int]
    grpc: dict[str, int]


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Pick a free port that nobody else is given who asks here, in this process or another.

    Whoever is given a port listens on it only later: that it is free now would not keep two from the same one.
    """
    return next(port for port in _own_ports() if is_free(port))


@cache
def _own_ports() -> Iterator[int]:
    """Claim a block of ports for as long as this process lives: whoever holds its first port has the others.

    :raises PortTaken: when every block is claimed
    """
    blocks = range(FREE_PORTS.start, FREE_PORTS.stop, BLOCK)
    for first in random.sample(blocks, len(blocks)):
        claim = socket.socket()
        try:
            claim.bind((HOST, first))
        except OSError:
            claim.close()
        else:
            claim.detach()  # held until the process ends
            return cycle(range(first + 1, first + BLOCK))
    raise PortTaken(f"No ports are left between {FREE_PORTS.start} and {FREE_PORTS.stop}.")


def internal_port(name: str, preferred: int, *, say: Callable[[str], None]) -> int:
    """Take the preferred port, or another free one when somebody listens there; 0 means any."""
    if preferred == 0:
        return free_port()
    if is_free(preferred):
        return preferred
    chosen = free_port()
    say(f"Port {preferred} ({name}) is taken by {owner_of(preferred)}: using {chosen}.")
    return chosen


def public_port(preferred: int) -> int:
    """Take the gateway's port, which people have bookmarked, and never another; 0 means any.

    :raises PortTaken: when somebody listens there
    """
    if preferred == 0:
        return free_port()
    if not is_free(preferred):
        raise PortTaken(
            f"Port {preferred} (gateway) is taken by {owner_of(preferred)}. "
            f"Stop it, or choose another: CAS_LOCAL_GATEWAY_PORT={preferred + 10}"
        )
    return preferred


def owner_of(port: int) -> str:
    """Say who listens on the port: pid and command where the system tells them."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        connections = []
    pids = [c.pid for c in connections if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port]
    pid = next((pid for pid in pids if pid), None)
    if pid is None:
        return "a process of another user"
    try:
        program, *arguments = psutil.Process(pid).cmdline()
        return f"pid {pid} ({' '.join([Path(program).name, *arguments])[:COMMAND_LENGTH].strip()})"
    except (psutil.Error, ValueError):  # it has ended, or has no command line any more
        return f"pid {pid}"
