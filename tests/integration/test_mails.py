"""What people find in their mail, and that nothing between the request and their mailbox loses it."""

import re

import httpx
import pytest
from redis import Redis

from cas_kit.testing import until


@pytest.fixture
def letters(stack):
    """The mails to one address, newest first."""

    def to(address):
        return httpx.get(f"{stack.urls['mail']}/api/messages", params={"to": address}).json()

    return to


@pytest.fixture
def newest(letters):
    """The newest mail to a person, once there are so many."""

    def wait(person, count=1):
        return until(lambda: len(letters(person.email)) >= count and letters(person.email)[0], within=30)

    return wait


def ask_for_recovery(person):
    answer = person.http.post("/auth/v1/recover", json={"email": person.email})
    assert (answer.status_code, answer.json()) == (200, {})


def code_in(mail):
    return re.search(r"^ +(\d{6})$", mail["text"], re.MULTILINE)[1]


def test_a_mailed_code_signs_in(ada, newest):
    ask_for_recovery(ada)
    mail = newest(ada)
    assert mail["from"] == "no-reply@cas.test"
    assert "Hello Ada Lovelace," in mail["text"]
    session = ada.http.post(
        "/auth/v1/verify", json={"type": "recovery", "email": ada.email, "token": code_in(mail)}
    )
    assert session.status_code == 200, session.text
    assert session.json()["user"]["email"] == ada.email


def test_a_mailed_link_leads_through_the_gateway(stack, ada, newest):
    ask_for_recovery(ada)
    (link,) = newest(ada)["links"]
    assert link.startswith(f"{stack.url}/auth/v1/verify?")
    assert httpx.get(link).status_code == 200


def test_a_changed_password_is_told(ada, newest):
    answer = ada.http.put("/auth/v1/user", json={"password": "another long enough password"})
    assert answer.status_code == 200, answer.text
    mail = newest(ada)
    assert mail["subject"] == "Your password for CAS was changed"
    assert mail["links"] == []


def test_strangers_get_no_mail(stack, ada, letters, newest):
    stranger = "nobody-we-know@example.com"
    assert ada.http.post("/auth/v1/recover", json={"email": stranger}).json() == {}
    ask_for_recovery(ada)
    newest(ada)
    assert letters(stranger) == []


@pytest.mark.parametrize("part", ["auth-worker", "redis"])
def test_a_mail_comes_although_something_was_killed(stack, ada, newest, part):
    stack.kill(part)
    ask_for_recovery(ada)
    stack.restart(part)
    newest(ada)


def test_a_mail_comes_although_redis_forgot_who_was_to_send_it(stack, ada, newest):
    stack.kill("auth-worker")
    ask_for_recovery(ada)
    with Redis.from_url(stack.environments["auth"]["CAS_AUTH_REDIS_URL"]) as redis:
        until(lambda: redis.keys("cas-auth-tasks:auth.mail*"), within=10)
        redis.flushdb()
    stack.restart("auth-worker")
    newest(ada)
