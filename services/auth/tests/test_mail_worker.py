"""The service and its worker as real processes: kills and an emptied Redis lose no mail."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest
from redis import Redis
from services.auth.tests import mail_server
from sqlalchemy import func, select, text

from cas_auth.domain.mails import MailKind
from cas_auth.models import Mail, outbox_messages
from cas_auth.operations.mails import request_mail
from cas_kit.testing import until
from cas_local.ports import free_port

PEOPLE = [f"person-{number}@example.com" for number in range(6)]
PROGRAM = [sys.executable, "-c", "from cas_auth.main import main; main()"]


class System:
    """`cas-auth serve` and `cas-auth worker`, with one environment."""

    def __init__(self, settings, folder, server):
        self.rest_port = free_port()
        self.redis_url = str(settings.redis_url).rpartition("/")[0] + "/7"
        self.environment = {
            "CAS_AUTH_ENVIRONMENT": "test",
            "CAS_AUTH_REST_PORT": str(self.rest_port),
            "CAS_AUTH_GRPC_PORT": str(free_port()),
            "CAS_AUTH_DATABASE_URL": settings.database_url.get_secret_value(),
            "CAS_AUTH_REDIS_URL": self.redis_url,
            "CAS_AUTH_ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
            "CAS_AUTH_DRAIN_DELAY": "PT0S",
            "CAS_AUTH_SMTP_HOST": server.host,
            "CAS_AUTH_SMTP_PORT": str(server.port),
            "CAS_AUTH_SMTP_SECURITY": "none",
            "CAS_AUTH_MAIL_SENDER": "no-reply@tutors.example",
        }
        self.folder = folder
        self.processes = {}

    def start(self, verb):
        with (self.folder / f"{verb}.log").open("ab") as log:
            self.processes[verb] = subprocess.Popen(
                [*PROGRAM, verb],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.processes[verb]

    def is_ready(self):
        try:
            return httpx.get(f"http://127.0.0.1:{self.rest_port}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self, verb):
        process = self.processes.pop(verb)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def logged(self):
        return "".join(log.read_text() for log in self.folder.glob("*.log"))


@pytest.fixture
def mailbox():
    return mail_server.Mailbox()


@pytest.fixture
def system(desk, settings, tmp_path, mailbox):
    """Serving, without a worker yet; six people have an account."""
    for address in PEOPLE:
        desk.sign_up(address)
    with desk.database.transaction() as session:
        session.execute(outbox_messages.delete())
    with mail_server.serving(mailbox) as server:
        system = System(settings, tmp_path, server)
        with Redis.from_url(system.redis_url) as redis:
            redis.flushdb()
        system.start("serve")
        until(system.is_ready, within=60)
        yield system
        for verb in [*system.processes]:
            system.kill(verb)


@pytest.fixture
def request_all(desk):
    def request():
        with desk.database.transaction() as session:
            for address in PEOPLE:
                request_mail(
                    session, desk.tools, kind=MailKind.RECOVERY, address=address, now=datetime.now(UTC)
                )

    return request


@pytest.fixture
def waiting(desk):
    """How many mails are not sent yet."""

    def count():
        with desk.database.transaction() as session:
            return session.scalar(select(func.count()).select_from(Mail))

    return count


@pytest.fixture
def turn_the_clock_forward(desk):
    """Leases and delays are over."""

    def turn():
        with desk.database.transaction() as session:
            session.execute(text("UPDATE mails SET next_attempt_at = now() - interval '1 minute'"))

    return turn


def test_kills_and_an_emptied_redis_lose_no_mail(
    system, mailbox, request_all, waiting, turn_the_clock_forward
):
    mailbox.hold()
    request_all()
    system.start("worker")
    until(lambda: mailbox.held == 2, within=60)
    system.kill("worker")
    with Redis.from_url(system.redis_url) as redis:
        redis.flushdb()
    mailbox.release.set()
    assert waiting() == len(PEOPLE)

    turn_the_clock_forward()
    worker = system.start("worker")
    until(lambda: waiting() == 0, within=60)
    assert set(mailbox.addresses) == set(PEOPLE)
    assert len(mailbox.addresses) <= len(PEOPLE) + 2, "only those under way at the kill may come twice"

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert "@example.com" not in system.logged()
    assert "token=" not in system.logged()


@contextmanager
def full(redis_url):
    """Let Redis take nothing more."""
    with Redis.from_url(redis_url) as redis:
        before = redis.config_get("maxmemory")["maxmemory"]
        redis.config_set("maxmemory", 1)
        try:
            yield
        finally:
            redis.config_set("maxmemory", before)


def test_mails_asked_for_while_redis_is_full_are_sent_later(system, mailbox, request_all, waiting):
    """The relay can wake nobody until Redis has room again."""
    system.start("worker")
    until(lambda: "worker_started" in system.logged(), within=60)
    with full(system.redis_url):
        request_all()
        until(lambda: "outbox_delivery_failed" in system.logged(), within=20)
    until(lambda: waiting() == 0, within=60)
    assert sorted(mailbox.addresses) == PEOPLE


def test_a_worker_that_has_no_way_to_send_says_so(system):
    for name in ("SMTP_HOST", "MAIL_SENDER"):
        del system.environment[f"CAS_AUTH_{name}"]
    ended = subprocess.run(
        [*PROGRAM, "worker"], env=system.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(
        "cas-auth worker cannot start, it has no way to send mails: set CAS_AUTH_SMTP_HOST"
    )


def test_retry_mails_releases_what_was_given_up(system, mailbox, desk, request_all, waiting):
    request_all()
    with desk.database.transaction() as session:
        session.execute(text("UPDATE mails SET dead_at = now(), attempts = 32"))
    ended = subprocess.run(
        [*PROGRAM, "retry-mails"],
        env=system.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert '"count":6' in ended.stdout
    system.start("worker")
    until(lambda: waiting() == 0, within=60)
    assert sorted(mailbox.addresses) == PEOPLE
