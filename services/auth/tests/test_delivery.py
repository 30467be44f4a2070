"""Sending what was asked for: every way it can go wrong, and that nothing is lost on any of them."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis import Redis
from services.auth.tests import hook_server, mail_server
from services.auth.tests.conftest import NOW
from sqlalchemy import update
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from cas_auth import metrics
from cas_auth.clients.smtp import MailNotTakenNow, MailRefused
from cas_auth.domain.mails import (
    LEASE,
    MAX_ATTEMPTS,
    MAX_UNFINISHED,
    MailKind,
    retry_delay,
)
from cas_auth.domain.refusals import TokenExpired
from cas_auth.models import Mail, User, outbox_messages
from cas_auth.operations import delivery, directory
from cas_auth.operations.carriers import HookCarrier, carrier_of
from cas_auth.operations.mails import MailData, request_mail
from cas_auth.repository.mails import MAIL_REQUESTED, retry_mails
from cas_auth.rest.schemas import UserOut
from cas_auth.tasks import MAIL_QUEUE, SEND_MAIL, WOKEN, sweep_mails, wake_for_mail
from cas_kit.db import Database
from cas_kit.outbox import Relay
from cas_kit.testing import until
from cas_kit.worker import create_celery, task_named

ADA = "ada@example.com"
SECRET = "whsec_bmV3LW5ldy1uZXctbmV3LW5ldw=="


class Post:
    """Mails on their way: the database as they see it, and the tries at sending them."""

    def __init__(self, desk):
        self.desk = desk
        self.database = desk.database

    def request(self, kind=MailKind.RECOVERY, address=ADA, user_id=None, at=NOW, **data):
        """Ask for a mail; returns its id."""
        mail_id = uuid4()
        tools = replace(self.desk.tools, new_id=lambda: mail_id)
        with self.database.transaction() as session:
            request_mail(
                session, tools, kind=kind, address=address, user_id=user_id, data=MailData(**data), now=at
            )
        return mail_id

    def send(self, carrier, mail_id, at=NOW, database=None):
        delivery.send_mail(database or self.database, self.desk.tools, carrier, mail_id=mail_id, now=at)

    def row(self, mail_id):
        with self.database.transaction() as session:
            return session.get(Mail, mail_id)

    def user(self, **columns):
        with self.database.transaction() as session:
            session.execute(update(User).where(User.email == ADA).values(**columns))


@pytest.fixture
def post(desk, ada):
    post = Post(desk)
    with desk.database.transaction() as session:
        session.execute(outbox_messages.delete())
    return post


@pytest.fixture
def mailbox():
    return mail_server.Mailbox()


@pytest.fixture
def smtp(mailbox, auth_settings):
    """A real mail server, and what hands mails to it."""
    with mail_server.serving(mailbox) as server:
        settings = auth_settings(
            smtp_host=server.host,
            smtp_port=server.port,
            smtp_security="none",
            mail_sender="no-reply@tutors.example",
            mail_brand="Tutors",
            mail_support_address="help@tutors.example",
        )
        yield carrier_of(settings, describe=lambda user: {})


class Failing:
    """Takes mails and fails with them, as often as it is told to; then forgets them."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.taken = 0

    def pack(self, letter, *, mail, now):
        def hand_over():
            self.taken += 1
            if self.failures:
                raise self.failures.pop(0)

        return hand_over


class TestSending:
    def test_writes_to_who_asked_and_forgets(self, post, smtp, mailbox):
        mail_id = post.request(redirect_to="http://localhost:3000/new")
        post.send(smtp, mail_id)
        (message,) = mailbox.messages
        assert (message["To"], message["Subject"]) == (ADA, "Choose a new password for Tutors")
        assert message["Message-ID"] == f"<{mail_id}.1@tutors.example>"
        assert post.row(mail_id) is None

    def test_carries_a_link_and_a_code_that_work(self, post, smtp, mailbox, desk):
        post.send(smtp, post.request())
        text = mailbox.messages[0].get_body(("plain",)).get_content()
        code = next(line.strip() for line in text.splitlines() if line.strip().isdecimal())
        grant = desk.verify(email=ADA, code=code, type="recovery")
        assert grant.user.email == ADA

    def test_writes_to_nobody_who_is_unknown_and_forgets_them_all_the_same(self, post, smtp, mailbox):
        mail_id = post.request(address="nobody@example.com")
        with capture_logs() as logs:
            post.send(smtp, mail_id)
        assert mailbox.mails == []
        assert post.row(mail_id) is None
        assert [line["event"] for line in logs] == ["mail_dropped"]

    def test_says_what_happened_without_naming_anybody(self, post, smtp):
        with capture_logs() as logs:
            post.send(smtp, post.request())
        assert [line["event"] for line in logs] == ["mail_sent"]
        assert "ada" not in str(logs).lower()

    def test_does_nothing_for_what_is_not_there(self, post, smtp, mailbox):
        post.send(smtp, uuid4())
        assert mailbox.mails == []

    def test_does_nothing_a_second_time(self, post, smtp, mailbox):
        mail_id = post.request()
        post.send(smtp, mail_id)
        post.send(smtp, mail_id)
        assert len(mailbox.mails) == 1

    def test_is_done_once_however_many_were_woken(self, post, smtp, mailbox):
        mail_id = post.request()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: post.send(smtp, mail_id), range(8)))
        assert len(mailbox.mails) == 1
        assert post.row(mail_id) is None

    def test_holds_no_connection_while_the_server_takes_its_time(self, post, settings, desk):
        only_one = settings.model_copy(update={"database_pool_size": 1})
        database = Database(only_one, application_name="one-connection")

        class Looking:
            def pack(self, letter, *, mail, now):
                return database.ping

        mail_id = post.request()
        post.send(Looking(), mail_id, database=database)
        database.dispose()
        assert post.row(mail_id) is None


class TestTemporaryFailure:
    def test_puts_the_mail_off_ever_longer(self, post):
        mail_id, now, delays = post.request(), NOW, []
        carrier = Failing(*[MailNotTakenNow("450 4.2.1")] * 4)
        for attempt in range(1, 5):
            post.send(carrier, mail_id, at=now)
            row = post.row(mail_id)
            assert (row.attempts, row.last_error, row.dead_at, row.unfinished) == (
                attempt,
                "450 4.2.1",
                None,
                0,
            )
            delays.append((row.next_attempt_at - now).total_seconds())
            post.send(carrier, mail_id, at=now)
            assert carrier.taken == attempt, "before its time"
            now = row.next_attempt_at
        assert all(10 <= delay / 2**index <= 12.5 for index, delay in enumerate(delays))
        post.send(carrier, mail_id, at=now)
        assert post.row(mail_id) is None

    def test_of_a_real_server_heals(self, post, smtp, mailbox):
        mailbox.answers["RCPT"] = "451 4.3.0 Later, ada@example.com"
        mail_id = post.request()
        with capture_logs() as logs:
            post.send(smtp, mail_id)
        assert mailbox.mails == []
        assert logs[0]["reason"] == "451 4.3.0"
        assert "ada" not in str(logs)
        mailbox.answers.clear()
        post.send(smtp, mail_id, at=post.row(mail_id).next_attempt_at)
        assert mailbox.messages[0]["Message-ID"] == f"<{mail_id}.2@tutors.example>"

    def test_leaves_only_the_newest_token_good(self, post, smtp, mailbox, desk):
        mailbox.answers["DATA"] = "hang up"
        mail_id = post.request()
        letters = []

        def spy(letter, *, mail, now):
            letters.append(letter)
            return smtp.pack(letter, mail=mail, now=now)

        post.send(type("Spy", (), {"pack": staticmethod(spy)}), mail_id)
        later = post.row(mail_id).next_attempt_at
        mailbox.answers.clear()
        post.send(type("Spy", (), {"pack": staticmethod(spy)}), mail_id, at=later)
        lost, arrived = letters
        with pytest.raises(TokenExpired):
            desk.verify(link=lost.link_token, type="recovery")
        assert desk.verify(link=arrived.link_token, type="recovery").user.email == ADA

    def test_is_given_up_after_about_a_day(self, post):
        mail_id, now = post.request(), NOW
        carrier = Failing(*[MailNotTakenNow("450")] * MAX_ATTEMPTS)
        for _ in range(MAX_ATTEMPTS):
            assert post.row(mail_id).dead_at is None
            post.send(carrier, mail_id, at=now)
            now = post.row(mail_id).next_attempt_at
        row = post.row(mail_id)
        assert row.dead_at is not None
        assert timedelta(hours=22) < row.dead_at - NOW < timedelta(hours=31)
        post.send(carrier, mail_id, at=now + timedelta(days=9))
        assert carrier.taken == MAX_ATTEMPTS

    def test_that_nobody_foresaw_is_reported_and_tried_again(self, post):
        mail_id = post.request()
        with pytest.raises(ZeroDivisionError):
            post.send(Failing(ZeroDivisionError("ada@example.com")), mail_id)
        row = post.row(mail_id)
        assert (row.last_error, row.dead_at) == ("ZeroDivisionError", None)
        assert row.next_attempt_at > NOW


class TestFinalFailure:
    def test_keeps_the_mail_for_a_person(self, post, smtp, mailbox):
        mailbox.answers["RCPT"] = "550 5.1.1 No such ada@example.com"
        mail_id = post.request()
        with capture_logs() as logs:
            post.send(smtp, mail_id)
        row = post.row(mail_id)
        assert (row.dead_at, row.last_error) == (NOW, "550 5.1.1")
        assert [(line["event"], line["log_level"]) for line in logs] == [("mail_given_up", "error")]
        assert "ada" not in str(logs)

    def test_is_undone_by_a_person(self, post, smtp, mailbox):
        mail_id = post.request()
        post.send(Failing(MailRefused("550")), mail_id)
        with post.database.transaction() as session:
            assert retry_mails(session, now=NOW) == 1
        post.send(smtp, mail_id)
        assert mailbox.addresses == [ADA]

    def test_of_an_address_nobody_can_write_to(self, post, smtp):
        broken = "ada@example..com"
        post.user(email=broken)
        mail_id = post.request(address=broken)
        post.send(smtp, mail_id)
        assert post.row(mail_id).dead_at == NOW


class TestInterruption:
    class Killed(BaseException):
        """What runs ends here, and nothing of ours gets another word."""

    def kill_once(self, post, mail_id, at):
        with pytest.raises(self.Killed):
            post.send(Failing(self.Killed()), mail_id, at=at)

    def test_leaves_the_mail_alone_for_as_long_as_somebody_may_be_at_it(self, post, smtp, mailbox):
        mail_id = post.request()
        self.kill_once(post, mail_id, at=NOW)
        post.send(smtp, mail_id, at=NOW + LEASE - timedelta(seconds=1))
        assert mailbox.mails == []
        post.send(smtp, mail_id, at=NOW + LEASE)
        assert mailbox.addresses == [ADA]

    def test_three_times_in_a_row_is_enough(self, post, smtp, mailbox):
        mail_id, now = post.request(), NOW
        for _ in range(MAX_UNFINISHED):
            self.kill_once(post, mail_id, at=now)
            now += LEASE
        with capture_logs() as logs:
            post.send(smtp, mail_id, at=now)
        assert mailbox.mails == []
        assert post.row(mail_id).dead_at == now
        assert logs[0]["event"] == "mail_given_up"

    def test_is_forgotten_when_a_try_ends_well_enough(self, post):
        mail_id, now = post.request(), NOW
        for _ in range(MAX_UNFINISHED - 1):
            self.kill_once(post, mail_id, at=now)
            now += LEASE
        post.send(Failing(MailNotTakenNow("450")), mail_id, at=now)
        assert post.row(mail_id).unfinished == 0

    def test_of_one_mail_does_not_delay_another(self, post, smtp, mailbox):
        poison = post.request(kind=MailKind.PASSWORD_CHANGED)
        neighbour = post.request(at=NOW + timedelta(milliseconds=1))
        self.kill_once(post, poison, at=NOW)
        post.send(smtp, neighbour, at=NOW + timedelta(milliseconds=2))
        assert mailbox.addresses == [ADA]

    def test_that_ends_late_does_not_disturb_who_came_after(self, post):
        """The first worker hung for longer than its lease; the second is at it when the first comes back."""
        mail_id, both_in = post.request(), threading.Barrier(2, timeout=10)
        first_done = threading.Event()

        class First:
            def pack(self, letter, *, mail, now):
                return lambda: (both_in.wait(), None)[1]

        class Second:
            def pack(self, letter, *, mail, now):
                def hand_over():
                    both_in.wait()
                    first_done.wait(10)
                    raise MailNotTakenNow("450")

                return hand_over

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(post.send, First(), mail_id, NOW)
            first.add_done_callback(lambda _: first_done.set())
            until(lambda: post.row(mail_id).attempts)
            second = pool.submit(post.send, Second(), mail_id, NOW + LEASE)
            first.result(20)
            second.result(20)
        row = post.row(mail_id)
        assert (row.attempts, row.last_error) == (2, "450")


class TestErasure:
    def test_takes_waiting_mails_along(self, post, ada, desk):
        by_address, by_id = post.request(), post.request(address="old@example.com", user_id=ada.user.id)
        other = post.request(address="bob@example.com")
        with desk.database.transaction() as session:
            directory.erase_user(session, user_id=ada.user.id, origin=desk.origin, now=NOW)
        assert post.row(by_address) is None
        assert post.row(by_id) is None
        assert post.row(other) is not None

    def test_between_two_steps_of_a_try_sends_nothing(self, post, ada, desk, smtp, mailbox):
        mail_id = post.request()
        claim = delivery._claim(desk.database, mail_id=mail_id, now=NOW)
        with desk.database.transaction() as session:
            directory.erase_user(session, user_id=ada.user.id, origin=desk.origin, now=NOW)
        delivery._carry(desk.database, desk.tools, smtp, claim=claim, now=NOW)
        assert mailbox.mails == []


class TestOwnMails:
    """Every kind, from the request to the server."""

    @pytest.mark.parametrize("kind", MailKind, ids=str)
    def test_of_every_kind_can_be_written(self, post, smtp, mailbox, ada, kind):
        post.user(
            new_email="new@example.com",
            email_confirmed_at=None if kind is MailKind.CONFIRMATION else NOW,
            user_metadata={"full_name": "Ada Lovelace"},
        )
        address = "new@example.com" if kind is MailKind.EMAIL_CHANGE else ADA
        post.send(smtp, post.request(kind=kind, address=address, user_id=ada.user.id, provider="google"))
        (message,) = mailbox.messages
        text = message.get_body(("plain",)).get_content()
        assert message["To"] == address
        assert "Hello Ada Lovelace," in text
        assert "None" not in text

    def test_to_who_has_an_account_leads_to_the_sign_in_page(self, post, smtp, mailbox):
        post.send(smtp, post.request(kind=MailKind.CONFIRMATION))
        text = mailbox.messages[0].get_body(("plain",)).get_content()
        assert "You already have an account" in text
        assert "http://localhost:3000" in text.splitlines()

    @pytest.mark.parametrize("name", [None, 7, {"x": 1}, "evil.example"])
    def test_greet_nobody_by_nonsense(self, post, smtp, mailbox, name):
        post.user(user_metadata={"full_name": name})
        post.send(smtp, post.request())
        assert "Hello" not in mailbox.messages[0].get_body(("plain",)).get_content()


class TestHook:
    @pytest.fixture
    def server(self):
        with hook_server.serving() as server:
            yield server

    @pytest.fixture
    def hook(self, server, auth_settings):
        settings = auth_settings(
            send_email_hook_url=server.url, send_email_hook_secrets=SecretStr(f"v1,{SECRET}")
        )

        def describe(user):
            return UserOut.of(user, audience="authenticated").model_dump(mode="json", exclude_none=True)

        carrier = carrier_of(settings, describe=describe)
        yield carrier
        carrier.close()

    def asked(self, server):
        headers, content = server.answers.requests[-1]
        assert Webhook(SECRET).verify(content, headers)
        return json.loads(content)

    def test_is_asked_in_the_words_of_the_protocol(self, post, hook, server, desk, ada):
        server.answers.say()
        mail_id = post.request(redirect_to="http://localhost:3000/new")
        post.send(hook, mail_id)
        payload = self.asked(server)
        assert payload["metadata"]["name"] == "send-email"
        assert (payload["user"]["id"], payload["user"]["email"]) == (str(ada.user.id), ADA)
        data = payload["email_data"]
        assert data["email_action_type"] == "recovery"
        assert data["site_url"] == "http://localhost:3000"
        assert data["redirect_to"].startswith("http://localhost:3000")
        assert (data["token_new"], data["token_hash_new"], data["email"]) == ("", "", ADA)
        assert post.row(mail_id) is None
        assert desk.verify(email=ADA, code=data["token"], type="recovery").user.id == ada.user.id

    def test_can_verify_with_the_hash(self, post, hook, server, desk):
        server.answers.say()
        post.send(hook, post.request())
        token_hash = self.asked(server)["email_data"]["token_hash"]
        assert desk.verify(link=token_hash, type="recovery").user.email == ADA

    def test_tells_the_two_addresses_of_a_change_apart(self, post, hook, server, ada):
        server.answers.say()
        post.user(new_email="new@example.com")
        post.send(
            hook, post.request(kind=MailKind.EMAIL_CHANGE, address="new@example.com", user_id=ada.user.id)
        )
        new = self.asked(server)["email_data"]
        assert new["token_hash"]
        assert not new["token_hash_new"]
        post.send(hook, post.request(kind=MailKind.EMAIL_CHANGE_CURRENT, user_id=ada.user.id))
        present = self.asked(server)["email_data"]
        assert present["token_hash_new"]
        assert not present["token_hash"]
        assert {new["email_action_type"], present["email_action_type"]} == {"email_change"}

    def test_is_not_asked_for_what_the_protocol_does_not_know(self, post, hook, server):
        mail_id = post.request(kind=MailKind.ALREADY_REGISTERED)
        post.send(hook, mail_id)
        assert server.answers.requests == []
        assert post.row(mail_id) is None

    @pytest.mark.parametrize(
        ("answer", "is_final", "reason"),
        [
            ({"body": {"error": {"http_code": 403, "message": "never ada"}}}, True, "hook refused: 403"),
            ({"body": {"error": {"http_code": 429, "message": "later"}}}, False, "hook refused: 429"),
            ({"status": 500, "body": b"", "content_type": None}, False, "unexpected-failure"),
            ({"status": 503}, False, "hook-timeout-after-retry"),
            ({"content_type": "text/html"}, False, "hook-payload-invalid-content-type"),
        ],
    )
    def test_that_fails_is_asked_again_unless_it_refuses(self, post, hook, server, answer, is_final, reason):
        server.answers.say(**answer)
        mail_id = post.request()
        post.send(hook, mail_id)
        row = post.row(mail_id)
        assert (row.dead_at is not None, row.last_error) == (is_final, reason)

    def test_is_preferred_to_the_server(self, auth_settings, server):
        settings = auth_settings(
            send_email_hook_url=server.url,
            send_email_hook_secrets=SecretStr(SECRET),
            smtp_host="127.0.0.1",
            mail_sender="a@b.example",
        )
        carrier = carrier_of(settings, describe=lambda user: {})
        assert isinstance(carrier, HookCarrier)
        carrier.close()


class TestWaking:
    @pytest.fixture
    def celery(self, redis_server):
        url = redis_server.url(6)
        with Redis.from_url(url) as redis:
            redis.flushdb()
            celery = create_celery(service="auth", redis_url=url, tasks=WOKEN)
            yield celery
            celery.close()
            redis.flushdb()

    def backlog(self, celery):
        return task_named(celery, SEND_MAIL).backlog()

    def test_follows_a_request_through_the_outbox(self, desk, ada, celery):
        post = Post(desk)
        relay = Relay(desk.database, outbox_messages, {MAIL_REQUESTED: partial(wake_for_mail, celery)})
        with desk.database.transaction() as session:
            session.execute(outbox_messages.delete())
        post.request()
        assert relay.run_once() == 1
        assert self.backlog(celery) == 1

    def test_is_repeated_for_mails_that_nobody_begins(self, post, celery):
        post.request()
        sweep_mails(post.database, celery, now=NOW + timedelta(seconds=5))
        assert self.backlog(celery) == 0, "its first wake-up may still be under way"
        sweep_mails(post.database, celery, now=NOW + timedelta(seconds=15))
        assert self.backlog(celery) == 1

    def test_is_not_repeated_while_workers_are_only_behind(self, post, celery):
        for _ in range(3):
            post.request()
        for second in range(20, 60):
            sweep_mails(post.database, celery, now=NOW + timedelta(seconds=second))
        assert self.backlog(celery) == 3

    def test_is_not_repeated_for_what_is_put_off_or_given_up(self, post, celery):
        post.send(Failing(MailNotTakenNow("450")), post.request())
        post.send(Failing(MailRefused("550")), post.request())
        sweep_mails(post.database, celery, now=NOW + timedelta(seconds=11))
        assert self.backlog(celery) == 0

    def test_tells_how_things_stand(self, post, celery):
        post.request()
        post.send(Failing(MailRefused("550")), post.request())
        sweep_mails(post.database, celery, now=NOW + timedelta(seconds=90))
        assert metrics.MAIL_AGE._value.get() == 90
        assert metrics.MAILS_GIVEN_UP._value.get() == 1
        sweep_mails(post.database, celery, now=NOW + timedelta(days=31))
        assert metrics.MAILS_GIVEN_UP._value.get() == 0


def test_delays_double_up_to_an_hour_and_stay_apart():
    plain = [retry_delay(attempt, luck=0).total_seconds() for attempt in (1, 2, 3, 9, 10, 1000)]
    assert plain == [10, 20, 40, 2560, 3600, 3600]
    assert retry_delay(1, luck=1) == timedelta(seconds=12.5)


def test_every_task_has_a_queue_that_the_worker_reads():
    assert [(task.name, task.queue) for task in WOKEN] == [(SEND_MAIL, MAIL_QUEUE)]
