"""The whole system, with small programs for the services and a real PostgreSQL, Redis and gateway."""

import smtplib
import stat
from email.message import EmailMessage

import httpx
import psycopg
import pytest

from cas_local.errors import AlreadyRunning, ProgramFailed
from cas_local.http_server import is_healthy


def settings_of(stack, name):
    return httpx.get(stack.urls[name]).json()["settings"]


class TestHealthyStack:
    @pytest.fixture
    def stack(self, small_stack):
        with small_stack() as stack:
            yield stack

    def test_tells_each_service_where_everything_is(self, stack):
        settings = settings_of(stack, "notes")
        assert settings["CAS_NOTES_ENVIRONMENT"] == "development"
        assert settings["CAS_NOTES_HOST"] == "127.0.0.1"
        assert settings["CAS_NOTES_REST_PORT"] == str(stack.ports.rest["notes"])
        assert settings["CAS_NOTES_GRPC_PORT"] == str(stack.ports.grpc["notes"])
        assert settings["CAS_NOTES_AUTH_GRPC"] == f"127.0.0.1:{stack.ports.grpc['auth']}"
        assert settings["CAS_NOTES_HEALTH_AUTH_URL"] == f"{stack.urls['auth']}/health/ready"
        assert settings["CAS_NOTES_ISSUER"] == f"{stack.url}/auth/v1"
        assert settings["CAS_NOTES_JWKS_URL"] == f"{stack.urls['auth']}/auth/v1/.well-known/jwks.json"
        assert not [name for name in settings if not name.startswith("CAS_NOTES_")]

    def test_gives_services_one_redis_for_revocations_and_each_one_of_its_own(self, stack):
        settings = {
            name: {
                key.removeprefix(f"CAS_{name.upper()}_"): value
                for key, value in settings_of(stack, name).items()
            }
            for name in ("auth", "notes")
        }
        assert settings["auth"]["REVOCATIONS_URL"] == settings["notes"]["REVOCATIONS_URL"]
        assert (
            len({value for each in settings.values() for key, value in each.items() if "REDIS" in key}) == 2
        )

    def test_gives_each_service_a_database_login_that_works(self, stack):
        for name in ("auth", "notes"):
            url = settings_of(stack, name)[f"CAS_{name.upper()}_DATABASE_URL"]
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                assert connection.execute("SELECT current_user, current_schema()").fetchone() == (
                    f"cas_{name}",
                    name,
                )

    def test_answers_through_the_gateway(self, stack):
        answer = httpx.get(f"{stack.url}/auth/v1/settings")
        assert answer.json()["pid"] == stack.pids["auth"]

    def test_sends_the_mails_of_those_who_write_some_to_the_sink(self, stack):
        assert not [name for name in settings_of(stack, "auth") if "SMTP" in name or "MAIL" in name]
        settings = settings_of(stack, "notes")
        assert settings["CAS_NOTES_SMTP_SECURITY"] == "none"
        mail = EmailMessage()
        mail["From"] = settings["CAS_NOTES_MAIL_SENDER"]
        mail["To"] = "ada@example.com"
        mail["Subject"] = "Hello"
        with smtplib.SMTP(settings["CAS_NOTES_SMTP_HOST"], int(settings["CAS_NOTES_SMTP_PORT"])) as server:
            server.send_message(mail)
        (shown,) = httpx.get(f"{stack.urls['mail']}/api/messages").json()
        assert (shown["subject"], shown["to"]) == ("Hello", ["ada@example.com"])

    def test_tells_who_reports_their_health_which_services_have_a_worker(self, stack):
        assert settings_of(stack, "notes")["CAS_NOTES_WORKERS"] == '["notes"]'
        assert "CAS_AUTH_WORKERS" not in settings_of(stack, "auth")

    def test_runs_a_worker_where_a_service_has_one(self, stack):
        assert "auth-worker" not in stack.pids
        before = stack.pids["notes-worker"]
        stack.kill("notes-worker")
        with pytest.raises(ProgramFailed, match="notes-worker ended with code -9"):
            stack.require_running()
        stack.restart("notes-worker")
        assert stack.pids["notes-worker"] != before
        assert stack.logs["notes-worker"].read_text().count("worker_started") == 2

    def test_restarts_a_killed_service_on_its_port(self, stack):
        before = stack.pids["notes"]
        stack.kill("notes")
        assert "notes" not in stack.pids
        with pytest.raises(ProgramFailed, match=r"notes ended with code -9(.|\n)*serve"):
            stack.require_running()
        stack.restart("notes")
        stack.require_running()
        assert httpx.get(stack.urls["notes"]).json()["pid"] == stack.pids["notes"] != before

    @pytest.mark.parametrize("name", ["postgres", "redis", "mail", "gateway"])
    def test_restarts_every_other_part_after_a_kill(self, stack, name):
        stack.kill(name)
        stack.restart(name)
        stack.require_running()

    def test_refuses_a_second_stack_on_the_same_data(self, stack, small_stack):
        with pytest.raises(AlreadyRunning, match="Already running as pid"):
            small_stack().start()
        assert is_healthy(stack.urls["notes"])

    def test_keeps_secrets_for_their_owner(self, stack):
        assert stat.S_IMODE((stack.data / "secrets.json").stat().st_mode) == 0o600


def test_data_and_secrets_survive_a_restart(small_stack, running_on):
    with small_stack() as stack:
        key = settings_of(stack, "auth")["CAS_AUTH_KEY"]
        with stack.postgres.connect("cas") as connection:
            connection.execute("CREATE TABLE notes.kept AS SELECT 1 AS one")
    assert not running_on(stack.data)
    with small_stack() as stack, stack.postgres.connect("cas") as connection:
        assert connection.execute("SELECT one FROM notes.kept").fetchone() == (1,)
        assert settings_of(stack, "auth")["CAS_AUTH_KEY"] == key


@pytest.mark.parametrize("verb", ["migrate", "serve", "worker"])
def test_a_start_that_fails_half_way_leaves_nothing_running(small_stack, running_on, verb):
    stack = small_stack(f"{verb}-fails")
    with pytest.raises(ProgramFailed, match=f"notes cannot {verb}: the reason"):
        stack.start()
    assert not running_on(stack.data)


def test_stopping_twice_or_before_the_start_is_harmless(small_stack):
    stack = small_stack()
    stack.stop()
    with stack:
        stack.stop()
    stack.stop()
