"""Whoever signed out, or was robbed, is out everywhere at once, although their access token runs on."""

import pytest
from redis import Redis

from cas_kit.testing import until
from cas_local.stack import REVOCATIONS_DATABASE

PATHS = ("/api/profile", "/api/onboarding/progress")


def statuses(person):
    return {person.get(path).status_code for path in PATHS}


@pytest.fixture
def grace(new_person):
    """Somebody else, who must not notice anything."""
    person = new_person("Grace Hopper")
    assert statuses(person) == {200}
    return person


@pytest.fixture
def empty_redis(stack):
    def empty():
        with Redis.from_url(stack.servers["redis"].url(REVOCATIONS_DATABASE)) as redis:
            redis.flushall()

    return empty


class TestAccessTokens:
    def test_are_refused_within_a_second_of_signing_out(self, ada, grace):
        assert statuses(ada) == {200}
        assert ada.http.post("/auth/v1/logout").status_code == 204
        until(lambda: statuses(ada) == {401}, within=1)
        assert statuses(grace) == {200}

    def test_are_refused_within_a_second_of_a_theft_that_shows(self, ada, grace):
        """The thief renews a token that was renewed twice since."""
        stolen = ada.session["refresh_token"]
        ada.refresh()
        ada.refresh()
        assert statuses(ada) == {200}
        until(lambda: refused_as_used(ada, stolen), within=30)
        until(lambda: statuses(ada) == {401}, within=1)
        assert statuses(grace) == {200}

    def test_are_refused_by_services_that_were_started_since(self, stack, ada, empty_redis):
        """...even when Redis has lost everything in between."""
        ada.http.post("/auth/v1/logout")
        until(lambda: statuses(ada) == {401}, within=1)
        empty_redis()
        assert statuses(ada) == {401}
        stack.restart("account")
        until(lambda: statuses(ada) == {401}, within=5)

    def test_are_refused_although_redis_was_killed_meanwhile(self, stack, ada):
        assert statuses(ada) == {200}
        stack.kill("redis")
        assert ada.http.post("/auth/v1/logout").status_code == 204
        stack.restart("redis")
        until(lambda: statuses(ada) == {401}, within=10)


def refused_as_used(person, refresh_token):
    """Whether it is taken for stolen; for ten seconds after the last renewal it would be forgiven."""
    answer = person.http.post(
        "/auth/v1/token", params={"grant_type": "refresh_token"}, json={"refresh_token": refresh_token}
    )
    return answer.json().get("code") == "refresh_token_already_used"
