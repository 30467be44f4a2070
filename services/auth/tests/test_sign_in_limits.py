"""Nobody guesses a password, and nobody is locked out by those who try."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from cas_auth.credentials.passwords import PasswordHasher
from cas_auth.domain.audit import Origin
from cas_auth.domain.networks import KNOWN_FOR, network_of
from cas_auth.models import KnownNetwork, UserSession
from cas_auth.operations.housekeeping import forget_stale
from cas_auth.operations.networks import is_known_network
from cas_auth.rest.sign_in_limits import limit_sign_in
from cas_kit.errors import RateLimited
from cas_kit.telemetry import RATE_LIMITER_UNAVAILABLE

HOME, ELSEWHERE = "203.0.113.9", "192.0.2.77"  # the first is where TestClient comes from
UNLIMITED = "1000000/second"
# As an installation has them; the other tests lift them.
DEFAULTS = {
    "sign_in_limit_per_account_and_network": "10/15 minutes",
    "sign_in_limit_per_account_for_strangers": "40/hour",
}


class CountingHasher(PasswordHasher):
    """The real one, which also counts the passwords it is asked about."""

    asked = 0

    def matches(self, password, stored):
        self.asked += 1
        return super().matches(password, stored)


@dataclass
class Account:
    """An account nobody else uses: counters outlive a test."""

    auth: object
    email: str
    password: str = "correct horse battery"

    @property
    def dependencies(self):
        return self.auth.service.app.state.dependencies

    def sign_in(self, ip=HOME, password=None):
        return self.auth.client.post(
            "/auth/v1/token?grant_type=password",
            json={"email": self.email, "password": password or self.password},
            headers={"X-Forwarded-For": ip},
        )

    def guess(self, ip):
        return self.sign_in(ip, "wrong password").status_code

    def attempt(self, ip):
        """Count an attempt without making it; whether it would be let through."""
        try:
            limit_sign_in(self.dependencies, origin=Origin(request_id="r", ip=ip), email=self.email)
        except RateLimited:
            return False
        return True

    def knows(self, ip, now=None):
        return is_known_network(
            self.dependencies.database,
            email=self.email,
            origin=Origin(request_id="r", ip=ip),
            now=now or datetime.now(UTC),
        )


@pytest.fixture
def open_account(start):
    """Somebody who signed up at home: `open_account(sign_in_limit_per_ip="5/minute")`."""

    def sign_up(**settings):
        account = Account(start(**{**DEFAULTS, **settings}), f"{uuid4()}@example.com")
        answer = account.auth.client.post(
            "/auth/v1/signup",
            json={"email": account.email, "password": account.password},
            headers={"X-Forwarded-For": HOME},
        )
        assert answer.status_code == 200
        return account

    return sign_up


@pytest.fixture
def ada(open_account):
    return open_account()


class TestNetworkOf:
    @pytest.mark.parametrize(
        ("ip", "network"),
        [
            ("203.0.113.9", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ],
    )
    def test_is_what_one_household_has(self, ip, network):
        assert network_of(ip) == network


class TestAttack:
    def test_of_10_000_guesses_from_1_000_networks_few_reach_the_hasher_and_the_owner_gets_in(
        self, open_account
    ):
        ada = open_account()
        tools = ada.dependencies.tools
        hasher = CountingHasher(concurrency=2, waiting=32)
        dependencies = replace(ada.dependencies, tools=replace(tools, hasher=hasher))
        ada.auth.service.app.state.dependencies = dependencies

        def guess(number):
            ip = f"198.{number // 250 % 4}.{number % 250}.{number // 1000 + 1}"
            # What is not let through here would have been answered 429 before anything else happened.
            return ada.attempt(ip) and hasher.matches(f"guess {number}", None)

        with ThreadPoolExecutor(4) as threads:
            assert not any(threads.map(guess, range(10_000)))
        assert hasher.asked == 40

        assert ada.guess(ELSEWHERE) == 429
        assert ada.sign_in(ELSEWHERE).status_code == 429
        assert hasher.asked == 40
        assert ada.sign_in(HOME).status_code == 200

    def test_reaches_the_owner_elsewhere_only_by_mail_and_after_that_they_are_at_home(self, ada):
        while ada.attempt(f"198.51.{uuid4().int % 250}.1"):
            pass
        assert ada.sign_in(ELSEWHERE).status_code == 429
        headers = {"X-Forwarded-For": ELSEWHERE}
        asked = ada.auth.client.post("/auth/v1/otp", json={"email": ada.email}, headers=headers)
        assert asked.status_code == 200
        code = {"email": ada.email, "token": ada.auth.letter().code, "type": "email"}
        assert ada.auth.client.post("/auth/v1/verify", json=code, headers=headers).status_code == 200
        assert ada.sign_in(ELSEWHERE).status_code == 200

    @pytest.mark.parametrize("networks", [1, 40])
    def test_gains_nothing_by_guessing_in_parallel(self, ada, networks):
        places = [f"198.51.{number % networks}.7" for number in range(400)]
        with ThreadPoolExecutor(32) as threads:
            passed = list(threads.map(ada.attempt, places)).count(True)
        assert passed == (10 if networks == 1 else 40)

    def test_from_the_owners_network_is_counted_by_itself(self, ada):
        assert [ada.guess("203.0.113.200") for _ in range(11)] == [400] * 10 + [429]
        assert ada.sign_in(HOME).status_code == 429
        assert ada.sign_in(ELSEWHERE).status_code == 200

    def test_is_answered_alike_when_there_is_no_such_account(self, open_account):
        nobody = replace(open_account(), email=f"{uuid4()}@example.com")
        statuses = [nobody.guess(f"198.51.{number}.1") for number in range(41)]
        assert statuses == [400] * 40 + [429]

    def test_does_not_learn_from_the_time_it_takes_whether_there_is_an_account(self, open_account):
        known = open_account(**dict.fromkeys(DEFAULTS, UNLIMITED))
        unknown = replace(known, email=f"{uuid4()}@example.com")

        def seconds(account):
            started = time.perf_counter()
            assert account.attempt(ELSEWHERE)
            return time.perf_counter() - started

        pairs = [(seconds(known), seconds(unknown)) for _ in range(300)]
        difference = statistics.median(first - second for first, second in pairs)
        assert abs(difference) < 0.002


class TestOwner:
    def test_may_sign_in_as_often_as_they_like(self, ada):
        assert {ada.sign_in(HOME).status_code for _ in range(25)} == {200}

    def test_starts_anew_after_typing_wrong(self, ada):
        for _ in range(2):
            assert [ada.guess(HOME) for _ in range(9)] == [400] * 9
            assert ada.sign_in(HOME).status_code == 200

    def test_is_known_where_they_signed_in_and_next_door(self, ada):
        assert ada.knows(HOME)
        assert ada.knows("203.0.113.254")
        assert not ada.knows("203.0.114.9")
        assert not ada.knows(ELSEWHERE)
        assert not ada.knows(None)
        ada.sign_in(ELSEWHERE)
        assert ada.knows(ELSEWHERE)

    def test_stays_known_after_signing_out_for_ninety_days(self, ada, database):
        token = ada.sign_in(HOME).json()["access_token"]
        ada.auth.sign_out(token)
        now = datetime.now(UTC)
        assert ada.knows(HOME, now)
        assert not ada.knows(HOME, now + KNOWN_FOR)
        with database.transaction() as session:
            forget_stale(session, ada.dependencies.tools, now=now + KNOWN_FOR / 2)
            assert session.scalars(select(KnownNetwork)).all()
            forget_stale(session, ada.dependencies.tools, now=now + KNOWN_FOR)
            assert not session.scalars(select(KnownNetwork)).all()

    def test_is_known_where_a_session_of_theirs_was_used_last(self, ada, database):
        with database.transaction() as session:
            session.execute(update(UserSession).values(ip="2001:db8:1:2::3"))
        assert ada.knows("2001:db8:1:2:ffff::")
        assert not ada.knows("2001:db8:1:3::")

    def test_is_not_known_where_somebody_else_signed_in(self, ada, open_account):
        eve = open_account()
        eve.sign_in(ELSEWHERE)
        assert not ada.knows(ELSEWHERE)

    def test_leaves_one_row_for_each_network(self, ada, database):
        for ip in (HOME, HOME, "203.0.113.1", ELSEWHERE):
            ada.sign_in(ip)
        with database.transaction() as session:
            rows = session.scalars(select(KnownNetwork)).all()
        assert {str(row.network) for row in rows} == {"203.0.113.0/24", "192.0.2.0/24"}
        assert all(datetime.now(UTC) - row.last_used_at < timedelta(minutes=2) for row in rows)


def test_everybody_may_try_while_redis_is_away_and_somebody_is_told(open_account):
    before = RATE_LIMITER_UNAVAILABLE._value.get()
    ada = open_account(redis_url="redis://127.0.0.1:1/0", sign_in_limit_per_ip="1/hour")
    assert [ada.guess(ELSEWHERE) for _ in range(12)] == [400] * 12
    assert ada.sign_in(ELSEWHERE).status_code == 200
    assert RATE_LIMITER_UNAVAILABLE._value.get() > before + 30
