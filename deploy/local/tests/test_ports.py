"""Ports are chosen below the range of outgoing connections, and a busy one is named."""

import os
import socket

import pytest

from cas_local.errors import PortTaken
from cas_local.ports import FREE_PORTS, free_port, internal_port, is_free, public_port


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_port_lies_below_the_ephemeral_range():
    assert FREE_PORTS.stop <= 32768
    assert is_free(free_port())


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
