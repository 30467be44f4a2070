"""Somebody takes their data with them, or deletes their account: then nothing of theirs is left anywhere."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256

import httpx
import pytest
from redis import Redis
from tests.integration.canaries import REDIS_DATABASES, Canaries

from cas_kit.testing import until
from cas_local.stack import Stack

DELETE = {"confirm": "DELETE"}
PATHS = ("/api/profile", "/api/onboarding/progress", "/api/listings/mine", "/api/account/export")
# Where people say most; there are more.
SPOKEN_TO = {
    "account.idempotency_keys",
    "account.profiles",
    "account.role_details",
    "auth.audit_log",
    "auth.factors",
    "auth.identities",
    "auth.sessions",
    "auth.users",
    "listings.idempotency_keys",
    "listings.listing_slugs",
    "listings.service_listings",
    "onboarding.idempotency_keys",
    "onboarding.onboarding_progress",
}


@pytest.fixture
def new_canaries(stack) -> Iterator[Callable[[], Canaries]]:
    """`new_canaries()`: the texts of another person."""
    made: list[Canaries] = []

    def make() -> Canaries:
        made.append(Canaries(stack))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def canaries(new_canaries) -> Canaries:
    return new_canaries()


@pytest.fixture
def ada(canaries):
    """Somebody who has said something everywhere."""
    person = canaries.sign_up()
    canaries.plant(person)
    return person


@pytest.fixture
def everything_runs(stack) -> Iterator[None]:
    yield
    for name in ("auth", "account", "onboarding", "listings"):
        if name not in stack.pids:
            stack.restart(name)


def leave(person):
    return person.http.request("DELETE", "/api/account", json=DELETE)


def statuses(person):
    return {person.get(path).status_code for path in PATHS}


def gone_everywhere(canaries):
    with suppress(AssertionError):
        until(lambda: not canaries.found(), within=60)
    assert canaries.found() == {}


def named_in_redis(stack: Stack, name: str) -> bool:
    for number in range(REDIS_DATABASES):
        with Redis.from_url(stack.servers["redis"].url(number)) as redis:
            if redis.keys(f"*{name}*"):
                return True
    return False


class TestTakingEverythingAlong:
    def test_the_file_holds_every_text_of_theirs_and_none_of_anybody_else(self, ada, canaries, new_canaries):
        other = new_canaries()
        other.plant(other.sign_up())
        answer = ada.get("/api/account/export")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"].startswith("attachment")
        assert [text for text in canaries.planted if text not in answer.text] == []
        assert other.word not in answer.text
        document = answer.json()
        assert document["auth"]["email"] == canaries.email
        assert {entry["service"] for entry in document["activity"]} == {
            "auth",
            "account",
            "onboarding",
            "listings",
        }
        assert [entry["at"] for entry in document["activity"]] == sorted(
            entry["at"] for entry in document["activity"]
        )
        assert "argon2" not in answer.text

    def test_there_is_no_smaller_file_when_a_service_is_away(self, stack, ada, everything_runs):
        stack.kill("onboarding")
        answer = ada.get("/api/account/export")
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


class TestDeletingAnAccount:
    def test_leaves_nothing_anywhere(self, stack, ada, canaries):
        assert set(canaries.found()["tables"]) >= SPOKEN_TO
        second = canaries.sign_in()
        assert statuses(second) == {200}

        answer = leave(ada)
        assert (answer.status_code, answer.json()["status"]) == (202, "pending")
        until(lambda: statuses(second) == statuses(ada) == {401}, within=1)
        gone_everywhere(canaries)

        names = (ada.id, sha256(canaries.email.encode()).hexdigest())
        assert not any(named_in_redis(stack, name) for name in names)
        assert statuses(ada) == {401}
        assert (
            ada.http.post("/api/profile", json={"bio": canaries.word}).status_code,
            ada.save_raw({"step": 1, "role_type": "tutor", "data": {"a": canaries.word}}).status_code,
        ) == (401, 401)
        assert canaries.found() == {}
        assert leave(ada).json() == answer.json(), "whoever lost the answer gets it again"
        newcomer = canaries.sign_up()
        assert newcomer.id != ada.id
        assert newcomer.get("/api/profile").json()["bio"] == ""
        assert leave(newcomer).status_code == 202
        gone_everywhere(canaries)

    def test_waits_for_a_service_that_is_away_and_signs_out_meanwhile(
        self, stack, ada, canaries, everything_runs
    ):
        stack.kill("onboarding")
        assert leave(ada).status_code == 202
        until(lambda: "account.profiles" not in canaries.found()["tables"], within=20)
        assert {"auth.users", "onboarding.onboarding_progress"} <= set(canaries.found()["tables"])
        assert ada.get("/api/profile").status_code == 401
        stack.restart("onboarding")
        gone_everywhere(canaries)

    @pytest.mark.parametrize("part", ["auth", "account"])
    def test_goes_on_where_it_was_when_a_service_dies_in_the_middle(
        self, stack, ada, canaries, everything_runs, part
    ):
        stack.kill("onboarding")
        assert leave(ada).status_code == 202
        stack.kill(part)
        stack.restart("onboarding")
        stack.restart(part)
        gone_everywhere(canaries)

    def test_needs_the_auth_service_to_say_that_the_session_lasts(self, stack, ada, everything_runs):
        stack.kill("auth")
        assert leave(ada).status_code == 503
        stack.restart("auth")
        until(lambda: statuses(ada) == {200}, within=10)

    def test_is_what_an_administrator_does_as_well(self, stack, ada, canaries, service_token):
        program = {"Authorization": f"Bearer {service_token}"}
        deleted = httpx.delete(f"{stack.url}/auth/v1/admin/users/{ada.id}", headers=program)
        assert deleted.status_code == 200, deleted.text
        gone_everywhere(canaries)
        assert statuses(ada) == {401}
