"""Ports on the loopback interface: which are free, and who holds one that is not."""

import random
import socket

import psutil

HOST = "127.0.0.1"
# Below 32768, where Linux begins to hand out ports for outgoing connections: none of those can take ours.
FREE_PORTS = range(20000, 32000)


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
    """Pick a free port at random, so that several stacks starting at once seldom meet."""
    return next(port for port in random.sample(FREE_PORTS, len(FREE_PORTS)) if is_free(port))


def owner_of(port: int) -> str:
    """Say who listens on the port: pid and command where the system tells them."""
    try:
        listening = [
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        ]
    except psutil.AccessDenied:
        listening = []
    pid = next((pid for pid in listening if pid), None)
    if pid is None:
        return "a process of another user"
    try:
        return f"pid {pid} ({' '.join(psutil.Process(pid).cmdline()[:6])})"
    except psutil.Error:
        return f"pid {pid}"
