"""Which passwords are refused, which are only advised against, and what a breach service learns of them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from services.auth.tests.breach_service import BreachService

from cas_auth.clients.pwned_passwords import AT_ONCE, PwnedPasswords
from cas_auth.credentials.common_passwords import is_common
from cas_auth.domain.passwords import Flaw, PasswordRules, check_size, normal_form
from cas_auth.domain.refusals import InvalidRequest, WeakPassword
from cas_auth.metrics import PWNED_PASSWORD_LOOKUPS
from cas_auth.operations.passwords import check_new_password
from cas_kit.testing import until

BREACHED = "tr0ub4dor&3 tr0ub4dor&3"


def lookups(result):
    return PWNED_PASSWORD_LOOKUPS.labels(result)._value.get()


@pytest.fixture
def breaches():
    with BreachService(BREACHED) as service:
        yield service


class TestPasswordRules:
    @pytest.mark.parametrize("password", ["12345678", "é" * 8, "x" * 1024])
    def test_take_the_shortest_and_the_longest(self, password):
        assert list(PasswordRules(min_length=8).flaws(password)) == []
        check_size(password)

    @pytest.mark.parametrize("password", ["", "é" * 7, "e\u0301" * 7])
    def test_count_characters_as_they_look(self, password):
        assert list(PasswordRules(min_length=8).flaws(password)) == [Flaw.LENGTH]

    def test_count_bytes_above(self):
        with pytest.raises(InvalidRequest, match="Password cannot be longer than 1024 bytes"):
            check_size("é" * 513)

    def test_demand_one_character_of_each_set(self):
        rules = PasswordRules(min_length=6, required=("abc", "0123"))
        assert list(rules.flaws("aaaaa1")) == []
        assert list(rules.flaws("aaaaaa")) == list(rules.flaws("111111")) == [Flaw.CHARACTERS]
        assert list(rules.flaws("x")) == [Flaw.LENGTH, Flaw.CHARACTERS]

    def test_say_what_to_do(self):
        advice = PasswordRules(min_length=10, required=("abc", "0123")).advice(list(Flaw))
        assert advice == (
            "Password should be at least 10 characters. "
            "Password should contain at least one character of each: abc, 0123. "
            "Password is known to be weak and easy to guess, please choose a different one."
        )

    def test_spell_what_looks_the_same_in_one_way(self):
        assert normal_form("cafe\u0301") == normal_form("caf\u00e9") == "caf\u00e9"
        assert normal_form("ﬁ²") == "ﬁ²"


class TestCommonPasswords:
    @pytest.mark.parametrize("password", ["password123", "PASSWORD123", "trustno1", "qwertyuiop"])
    def test_are_known_in_any_case(self, password):
        assert is_common(password)

    @pytest.mark.parametrize("password", ["correct horse battery staple", "", "ÄÖÜ äöü 12"])
    def test_are_not_all_there_are(self, password):
        assert not is_common(password)


class TestPwnedPasswords:
    def test_know_what_was_seen(self, breaches):
        passwords = PwnedPasswords(breaches.url)
        assert passwords.contain(BREACHED)
        assert not passwords.contain("correct horse battery staple")

    def test_give_five_characters_of_a_digest_away_and_nothing_else(self, breaches):
        PwnedPasswords(breaches.url).contain(BREACHED)
        [(path, headers)] = breaches.asked
        assert path == f"/range/{breaches.digests[0][:5]}"
        assert headers["Add-Padding"] == "true"
        assert breaches.digests[0][5:] not in str(headers)

    def test_do_not_count_padding(self, breaches):
        breaches.text = f"{breaches.digests[0][5:]}:0"
        assert not PwnedPasswords(breaches.url).contain(BREACHED)

    @pytest.mark.parametrize(("status", "text"), [(500, ""), (404, ""), (200, "nonsense"), (302, "")])
    def test_let_everything_pass_while_the_service_fails(self, breaches, status, text):
        breaches.status, breaches.text = status, text
        failed = lookups("failed")
        assert not PwnedPasswords(breaches.url).contain(BREACHED)
        assert lookups("failed") == failed + 1

    def test_let_everything_pass_while_nobody_answers(self):
        failed = lookups("failed")
        assert not PwnedPasswords("http://127.0.0.1:1/range").contain(BREACHED)
        assert lookups("failed") == failed + 1

    def test_lose_patience_with_an_answer_that_never_ends(self, breaches):
        breaches.endless = True
        started = time.monotonic()
        assert not PwnedPasswords(breaches.url, patience=timedelta(seconds=0.3)).contain(BREACHED)
        assert 0.3 <= time.monotonic() - started < 3

    def test_leave_a_failing_service_alone_for_a_while(self, breaches):
        now = 1000.0
        passwords = PwnedPasswords(breaches.url, pause=timedelta(seconds=30), monotonic=lambda: now)
        breaches.status = 500
        assert not passwords.contain(BREACHED)
        breaches.status, skipped = 200, lookups("skipped")
        assert not passwords.contain(BREACHED)
        assert (len(breaches.asked), lookups("skipped")) == (1, skipped + 1)
        now += 30
        assert passwords.contain(BREACHED)

    def test_keep_only_so_many_threads_waiting(self, breaches):
        breaches.endless = True
        passwords = PwnedPasswords(breaches.url, patience=timedelta(seconds=1))
        with ThreadPoolExecutor(AT_ONCE) as threads:
            waiting = [threads.submit(passwords.contain, BREACHED) for _ in range(AT_ONCE)]
            until(lambda: len(breaches.asked) == AT_ONCE)
            skipped = lookups("skipped")
            assert not passwords.contain(BREACHED)
            assert lookups("skipped") == skipped + 1
            assert not any(lookup.result() for lookup in waiting)


class TestCheckNewPassword:
    def refused(self, tools, password):
        with pytest.raises(WeakPassword) as refusal:
            check_new_password(tools, password)
        return refusal.value.reasons

    def test_names_every_flaw(self, tools, auth_settings):
        strict = replace(tools, settings=auth_settings(password_required_characters=("ABC",)))
        assert self.refused(strict, "short") == ("length", "characters")
        assert self.refused(strict, "qwerty") == ("length", "characters", "pwned")
        check_new_password(strict, "correct horse Battery")

    def test_refuses_common_passwords_unless_told_otherwise(self, tools, auth_settings):
        assert self.refused(tools, "Password123") == ("pwned",)
        check_new_password(
            replace(tools, settings=auth_settings(refuse_common_passwords=False)), "Password123"
        )

    def test_refuses_breached_passwords_where_it_may_ask(self, tools, breaches):
        check_new_password(tools, BREACHED)
        asking = replace(tools, pwned_passwords=PwnedPasswords(breaches.url))
        assert self.refused(asking, BREACHED) == ("pwned",)
        check_new_password(asking, "correct horse battery staple")

    def test_asks_nobody_about_a_common_password(self, tools, breaches):
        assert self.refused(replace(tools, pwned_passwords=PwnedPasswords(breaches.url)), "password123") == (
            "pwned",
        )
        assert breaches.asked == []


class TestSignIn:
    def test_succeeds_and_says_what_is_wrong(self, desk, ada, breaches):
        desk.update(ada, password=BREACHED)
        asking = replace(desk, tools=replace(desk.tools, pwned_passwords=PwnedPasswords(breaches.url)))
        assert asking.sign_in(password=BREACHED).weak_password == ("pwned",)
        assert desk.sign_in(password=BREACHED).weak_password == ()

    def test_asks_nobody_about_a_wrong_password(self, start, breaches):
        auth = start(pwned_passwords_url=breaches.url)
        auth.sign_up()
        asked = len(breaches.asked)
        assert auth.sign_in(password=BREACHED).status_code == 400
        assert len(breaches.asked) == asked

    def test_answers_in_the_words_of_the_protocol(self, start):
        start(refuse_common_passwords=False).sign_up(password="password123")
        session = start().sign_in(password="password123").json()
        assert session["weak_password"]["reasons"] == ["pwned"]
        assert session["weak_password"]["message"]
        assert (
            "weak_password" not in start(refuse_common_passwords=False).sign_in(password="password123").json()
        )


class TestEdges:
    def test_refuse_at_sign_up_and_at_a_change(self, start, breaches):
        auth = start(pwned_passwords_url=breaches.url)
        token = auth.sign_up().json()["access_token"]
        for answer in (auth.sign_up("eve@example.com", BREACHED), auth.update(token, password=BREACHED)):
            assert answer.status_code == 422
            assert (answer.json()["code"], answer.json()["weak_password"]) == (
                "weak_password",
                {"reasons": ["pwned"]},
            )

    def test_hold_no_connection_while_they_ask(self, start, breaches):
        """With one connection in all, somebody else gets it meanwhile."""
        auth = start(pwned_passwords_url=breaches.url, database_pool_size=1)
        token = auth.sign_up().json()["access_token"]
        gate = threading.Event()
        ask = breaches.answer
        breaches.answer = lambda prefix: gate.wait(4) and ask(prefix)
        with ThreadPoolExecutor(2) as threads:
            slow = [
                threads.submit(auth.sign_up, "eve@example.com"),
                threads.submit(auth.update, token, password=BREACHED),
            ]
            until(lambda: len(breaches.asked) >= 3)
            assert auth.user(token).status_code == 200
            gate.set()
            assert [answer.result().status_code for answer in slow] == [200, 422]
