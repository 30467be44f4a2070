"""A service as a process: it starts readably, and it stops without cutting anything off."""

import json
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from cas_kit.service import run_command
from cas_kit.settings import Environment, ServiceSettings
from cas_kit.testing import until
from cas_local.ports import free_port

PROGRAM = Path(__file__).with_name("small_service.py")


class Small:
    """One process of the small service."""

    def __init__(self, folder, database_url, redis_url, **changes):
        self.folder = folder
        self.rest_port, self.grpc_port = free_port(), free_port()
        settings = {
            "environment": "test",
            "rest_port": self.rest_port,
            "grpc_port": self.grpc_port,
            "database_url": database_url,
            "redis_url": redis_url,
            "folder": folder,
            "drain_delay": "PT0.5S",
            **changes,
        }
        self.environment = {
            f"CAS_SMALL_{name.upper()}": str(value) for name, value in settings.items() if value is not None
        }
        self.log = folder / "log"
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.rest_port}"

    def run(self, *arguments):
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, PROGRAM, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self):
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, PROGRAM, "serve"], env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        until(lambda: self.process.poll() is not None or self.ready(), within=30)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def ready(self):
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    def listens(self):
        try:
            httpx.get(f"{self.url}/health/live", timeout=10)
        except httpx.ConnectError:
            return False
        return True

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def held(self):
        """How many requests and calls wait for their release."""
        return len(list(self.folder.glob("held-*")))

    def release(self):
        (self.folder / "release").touch()

    def events(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()


@pytest.fixture
def make_small(tmp_path, database_urls, redis_server):
    made = []

    def make(**changes):
        made.append(Small(tmp_path, database_urls["kit"], redis_server.url(), **changes))
        return made[-1]

    yield make
    for small in made:
        small.kill()


class TestDrain:
    def test_loses_no_request_however_busy(self, make_small):
        """Clients keep calling over open connections until they are told to go away; not one call fails."""
        small = make_small(drain_delay="PT1S").start()
        told, answered = threading.Event(), []

        def call_rest():
            with httpx.Client(base_url=small.url, timeout=10) as client:
                for _ in range(100_000):
                    answer = client.get("/plain")
                    answered.append(answer.status_code)
                    if answer.headers.get("connection") == "close":
                        return

        def call_grpc():
            with grpc.insecure_channel(f"127.0.0.1:{small.grpc_port}") as channel:
                echo = channel.unary_unary("/small.v1.Small/Echo")
                while not told.is_set():
                    answered.append(echo(b"x", timeout=10))

        with ThreadPoolExecutor(5) as pool:
            callers = [pool.submit(call) for call in [call_rest] * 3 + [call_grpc] * 2]
            until(lambda: len(answered) > 200)
            small.terminate()
            until(lambda: not small.ready())
            told.set()
            failed = [error for caller in callers if (error := caller.exception(20))]
        assert failed == []
        assert set(answered) == {200, b"x"}
        assert small.process.wait(20) == 0

    def test_lets_running_work_finish_after_the_doors_are_shut(self, make_small):
        small = make_small().start()
        with ThreadPoolExecutor(1) as pool, grpc.insecure_channel(f"127.0.0.1:{small.grpc_port}") as channel:
            request = pool.submit(httpx.get, f"{small.url}/hold", timeout=30)
            call = channel.unary_unary("/small.v1.Small/Hold").future(b"", timeout=30)
            until(lambda: small.held() == 2)
            small.terminate()
            until(lambda: not small.listens())
            assert small.process.poll() is None
            small.release()
            assert request.result(20).json() == "held"
            assert call.result(20) == b"held"
        assert small.process.wait(20) == 0

    def test_answers_while_it_says_that_it_is_not_ready_and_ends_at_the_second_signal(self, make_small):
        """However long the drain was to take, and although a request still runs."""
        small = make_small(drain_delay="PT60S", drain_timeout="PT60S").start()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(httpx.get, f"{small.url}/hold", timeout=60)
            until(small.held)
            small.terminate()
            until(lambda: not small.ready())
            assert httpx.get(f"{small.url}/health/ready").json()["code"] == "unavailable"
            assert httpx.get(f"{small.url}/health/live").status_code == 200
            assert httpx.get(f"{small.url}/plain").status_code == 200
            small.terminate()
            assert small.process.wait(15) == 1
            assert running.exception(10) or running.result().status_code >= 500

    def test_gives_up_on_requests_after_its_time(self, make_small):
        small = make_small(drain_delay="PT0S", drain_timeout="PT0.1S").start()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(httpx.get, f"{small.url}/hold", timeout=60)
            until(small.held)
            small.terminate()
            assert small.process.wait(15) == 1, "something was cut off"
            assert running.exception(10) or running.result().status_code >= 500


@pytest.fixture(scope="class")
def one_life(tmp_path_factory, database_urls, redis_server):
    """A process from start to stop: what it logged and left behind."""
    small = Small(tmp_path_factory.mktemp("life"), database_urls["kit"], redis_server.url())
    try:
        small.start()
        httpx.get(f"{small.url}/crash", headers={"X-Request-Id": "request-9"})
        until((small.folder / "worked").exists)
        small.process.send_signal(signal.SIGINT)
        assert small.process.wait(20) == 0
        yield small
    finally:
        small.kill()


class TestLife:
    def test_prepares_serves_drains_and_closes(self, one_life):
        assert (one_life.folder / "prepared").exists()
        assert (one_life.folder / "closed").exists()
        names = [event["event"] for event in one_life.events()]
        assert [name for name in names if name.startswith("service_")] == [
            "service_started",
            "service_draining",
            "service_stopped",
        ]

    def test_tells_background_work_when_to_end(self, one_life):
        assert (one_life.folder / "heard-the-stop").exists()

    def test_background_work_that_crashes_is_logged_and_started_again(self, one_life):
        crashes = [event for event in one_life.events() if event["event"] == "background_work_crashed"]
        assert [(crash["work"], crash["level"]) for crash in crashes] == [("flaky", "error")]
        assert "the job's own trouble" in crashes[0]["exception"]

    def test_logs_one_json_object_per_line(self, one_life):
        events = one_life.events()
        assert all({"event", "level", "service", "timestamp"} <= event.keys() for event in events)
        assert {event["service"] for event in events} == {"small"}
        assert any(event.get("logger") == "uvicorn.error" for event in events)
        ours = [event for event in events if event.get("request_id") == "request-9"]
        assert [event["event"] for event in ours] == [
            "two\r\nlines and \x1b[31mcolour",
            "event\nof two lines",
            "request_crashed",
            "request_answered",
        ]
        assert "first line\nsecond line" in ours[2]["exception"]
        assert "\x1b" not in one_life.log.read_text()


class TestStart:
    def test_fails_when_a_port_is_taken(self, make_small):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            for port in ("rest_port", "grpc_port"):
                ended = make_small(**{port: taken.getsockname()[1]}).run("serve")
                assert ended.returncode not in {0, -signal.SIGKILL}
                assert "in use" in ended.stdout or "bind" in ended.stderr


class TestCommand:
    @pytest.fixture
    def run(self, monkeypatch, capsys):
        """Run a command in this process up to its refusal; returns the exit status and what it said."""
        for name, value in {
            "REST_PORT": "1",
            "GRPC_PORT": "1",
            "DATABASE_URL": "postgresql://",
            "REDIS_URL": "redis://",
        }.items():
            monkeypatch.setenv(f"CAS_KIT_TEST_{name}", value)

        def refused(*arguments):
            with pytest.raises(SystemExit) as ended:
                run_command(name="kit", package="x", settings=Settings, build=_never, arguments=arguments)
            return ended.value.code, capsys.readouterr().err

        return refused

    def test_says_what_is_wrong_with_the_environment(self, run, monkeypatch):
        monkeypatch.delenv("CAS_KIT_TEST_DATABASE_URL")
        monkeypatch.setenv("CAS_KIT_TEST_REST_PORT", "hunter2")
        message, _ = run("serve")
        lines = message.splitlines()
        assert lines[0] == "cas-kit cannot start, the environment is wrong:"
        assert {line.partition(":")[0].strip() for line in lines[1:]} == {
            "CAS_KIT_TEST_DATABASE_URL",
            "CAS_KIT_TEST_REST_PORT",
        }
        assert "hunter2" not in message, "a value may be a secret"

    def test_refuses_a_default_secret_in_production_which_is_the_default(self, run):
        message, _ = run("serve")
        assert message.splitlines()[1:] == [
            "  secret still has its development default; set it in the environment"
        ]

    def test_accepts_a_secret_of_its_own(self, run, monkeypatch):
        monkeypatch.setenv("CAS_KIT_TEST_SECRET", "a real one")
        assert Settings().environment is Environment.PRODUCTION

    def test_knows_its_commands(self, run):
        status, said = run("dance")
        assert status == 2
        assert "retry-parked" in said

    def test_runs_a_command_of_the_service_with_what_follows_it(self, make_small):
        small = make_small()
        ended = small.run("greet", "Ada", "--time", "evening")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout == f"Good evening, Ada in {small.folder.name}\n"

    def test_tells_why_a_command_failed(self, make_small):
        ended = make_small().run("greet", "nobody")
        assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "There is nobody to greet.\n")

    def test_explains_every_command(self, make_small):
        told = make_small().run("--help").stdout
        assert all(word in told for word in ("serve requests", "say something nice"))
        assert "--time" in make_small().run("greet", "--help").stdout

    def test_prints_the_openapi_document(self, make_small):
        ended = make_small().run("openapi")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert set(json.loads(ended.stdout)["paths"]) == {"/plain", "/hold", "/crash"}


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CAS_KIT_TEST_", frozen=True)

    secret: SecretStr = SecretStr("only-for-development")


def _never(settings):
    raise AssertionError("a command that is refused builds nothing")
