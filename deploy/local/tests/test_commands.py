"""Running a stack in the foreground, and asking about it from elsewhere."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys

import httpx
import pytest

from cas_local import commands
from cas_local.errors import CannotRun
from cas_local.ports import free_port
from cas_local.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "stack", gateway_port=0)


@pytest.fixture
def running(supervised, settings, eventually):
    """A supervised stack, once it is healthy: its process, its output and its state file."""
    process, output = supervised()
    state_file = settings.data / "stack.json"
    eventually(lambda: state_file.exists() or process.poll() is not None)
    assert process.poll() is None, output.read_text()
    return process, output, json.loads(state_file.read_text())


def url_of(state, name):
    return next(part["url"] for part in state["parts"] if part["name"] == name)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_stops_everything(running, settings, running_on, stop):
    process, output, _ = running
    process.send_signal(stop)
    assert process.wait(timeout=60) == 0
    assert not running_on(settings.data)
    assert not (settings.data / "stack.json").exists()
    assert output.read_text().endswith("Stopped.\n")


def test_nothing_survives_a_killed_supervisor(running, settings, running_on, eventually):
    process, _, _ = running
    assert len(running_on(settings.data)) > 5
    process.kill()
    process.wait()
    eventually(lambda: not running_on(settings.data))
    assert commands.status(settings) == 0


def test_a_crashed_service_ends_the_run_with_its_last_words(running, settings, running_on):
    process, output, state = running
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url_of(state, 'notes')}/crash")
    assert process.wait(timeout=60) == 1
    assert "notes ended with code 7" in output.read_text()
    assert '{"event": "asked_to_crash"}' in output.read_text().partition("ended with code")[2]
    assert not running_on(settings.data)


def test_a_failed_start_ends_with_a_code_and_a_reason(supervised, settings, running_on):
    process, output = supervised("migrate-fails")
    assert process.wait(timeout=60) == 1
    assert "notes cannot migrate: the reason" in output.read_text()
    assert not running_on(settings.data)


def test_a_stop_during_the_start_stops_everything(supervised, settings, running_on, eventually):
    process, output = supervised()
    eventually(lambda: "postgres ready" in output.read_text() or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert not running_on(settings.data)


def test_tells_progress_addresses_and_the_demo_login(running):
    _, output, state = running
    text = output.read_text()
    assert "postgres ready" in text
    assert f"gateway     {url_of(state, 'gateway')}" in text
    assert f"mail        {url_of(state, 'mail')}" in text
    assert "demo@example.com" in text


def test_prints_logs_behind_the_name_of_their_part(running, eventually):
    _, output, state = running
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url_of(state, 'notes')}/crash")
    eventually(lambda: 'notes        | {"event": "asked_to_crash"}' in output.read_text())


def test_status_tells_what_runs_and_down_stops_it(running, settings, running_on, capsys):
    process, _, state = running
    commands.status(settings)
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in told] == [[part["name"], "healthy"] for part in state["parts"]]
    commands.down(settings)
    assert process.wait(timeout=10) == 0
    assert not running_on(settings.data)
    commands.down(settings)
    assert capsys.readouterr().out == "Stopped.\nNot running.\n"


def test_runs_a_command_of_a_service_with_its_settings(running, settings, capfd):
    _, _, state = running
    assert commands.execute(settings, service="notes", words=["show-settings"]) == 0
    shown = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert shown["CAS_NOTES_REST_PORT"] == url_of(state, "notes").rpartition(":")[2]
    assert shown["CAS_NOTES_DATABASE_URL"]
    with pytest.raises(CannotRun, match="There is no service letters; there are auth, notes"):
        commands.execute(settings, service="letters", words=[])


def test_runs_no_command_while_nothing_runs(settings):
    with pytest.raises(CannotRun, match="Not running"):
        commands.execute(settings, service="notes", words=["show-settings"])


def test_the_state_with_its_secrets_is_for_its_owner(running, settings):
    assert stat.S_IMODE((settings.data / "stack.json").stat().st_mode) == 0o600


def test_reset_deletes_the_data_only_when_sure(running, settings, monkeypatch):
    process, _, _ = running
    (settings.data / "mine.txt").touch()
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert commands.reset(settings, sure=False) == 1
    assert process.poll() is None
    assert commands.reset(settings, sure=True) == 0
    process.wait(timeout=10)
    assert [path.name for path in settings.data.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("command", ["run", "up"])
def test_a_busy_gateway_port_is_told_in_one_sentence(tmp_path, command):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        port = listener.getsockname()[1]
        answer = cas_local(command, data=tmp_path / "stack", gateway_port=port)
    assert answer.returncode == 1
    told = (answer.stdout + answer.stderr).strip().splitlines()
    assert told[-1].startswith(f"Port {port} (gateway) is taken by pid {os.getpid()} (")
    assert told[-1].endswith(f"CAS_LOCAL_GATEWAY_PORT={port + 10}")


def test_a_gateway_port_that_is_no_number_is_told_in_one_sentence(tmp_path):
    answer = cas_local("status", data=tmp_path, gateway_port="eighty")
    assert answer.returncode == 1
    assert answer.stderr.strip() == "CAS_LOCAL_GATEWAY_PORT must be a number, not 'eighty'."


def cas_local(command, *, data, gateway_port):
    settings = {"CAS_LOCAL_DATA": str(data), "CAS_LOCAL_GATEWAY_PORT": str(gateway_port)}
    return subprocess.run(
        [sys.executable, "-m", "cas_local.main", command],
        env=os.environ | settings,  # noqa: TID251
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
