"""Ports are chosen below the range of outgoing connections, and a busy one is named."""

import os
import socket
import subprocess
import sys

import pytest

from cas_local.errors import PortTaken
from cas_local.ports import FREE_PORTS, free_port, internal_port, is_free, public_port

GIVE_PORTS = (
    "from cas_local.ports import free_port; print(*(free_port() for _ in range(100)), flush=True); input()"
)


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_port_lies_below_the_ephemeral_range():
    assert FREE_PORTS.stop <= 32768
    assert is_free(free_port())


def test_a_port_is_not_given_again_before_its_server_could_listen():
    ports = [free_port() for _ in range(100)]
    assert len(set(ports)) == len(ports)


def test_a_port_is_given_to_one_process_only():
    givers = [
        subprocess.Popen(
            [sys.executable, "-c", GIVE_PORTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    ports = [port for giver in givers for port in giver.stdout.readline().split()]
    for giver in givers:
        giver.communicate("\n")
    assert len(ports) == 400
    assert len(set(ports)) == len(ports)


def test_a_busy_internal_port_is_replaced_and_its_owner_named(taken):
    said = []
    chosen = internal_port("Redis", taken, say=said.append)
    assert chosen != taken
    assert is_free(chosen)
    assert f"Port {taken} (Redis) is taken by pid {os.getpid()} (" in said[0]
    assert str(chosen) in said[0]


def test_a_free_internal_port_is_taken_silently():
    port = free_port()
    assert internal_port("Redis", port, say=pytest.fail) == port


def test_a_busy_gateway_port_is_an_error_that_says_how_to_choose_another(taken):
    with pytest.raises(PortTaken, match=rf"pid {os.getpid()} .*CAS_LOCAL_GATEWAY_PORT={taken + 10}"):
        public_port(taken)
