"""Processes die at the worst moment; what was acknowledged happens all the same, once."""

import os
import signal
import time
from contextlib import contextmanager

import pytest

from cas_kit.testing import until

ANSWERS = {"subjects": ["mathematics"]}


@pytest.fixture
def account_is_back(stack):
    yield
    if "account" not in stack.pids:
        stack.restart("account")


class TestAccountIsKilled:
    def test_between_completion_and_delivery_and_the_effect_arrives_exactly_once(
        self, stack, ada, account_is_back
    ):
        ada.get("/api/profile")
        stack.kill("account")
        done = ada.save(5, "tutor", ANSWERS, is_complete=True)
        assert (done["applied"], done["is_complete"], done["effects"]) == (True, True, "pending")

        stack.restart("account")
        until(lambda: effects(ada) == "applied", within=30)

        profile = ada.get("/api/profile").json()
        assert profile["roles"] == ["tutor"]
        template = ada.get("/api/account/professional-info", params={"role_type": "tutor"}).json()
        assert (template["subjects"], template["version"]) == (["Mathematics"], 1)
        assert completions(stack, ada) == 1

    def test_while_completing_and_repeating_the_save_gives_the_first_effect(
        self, stack, ada, account_is_back
    ):
        stack.kill("account")
        first = ada.save(5, "tutor", ANSWERS, is_complete=True)
        again = ada.save(5, "tutor", {"subjects": ["arts"]}, is_complete=True)
        assert again["step_data"] == first["step_data"]
        stack.restart("account")
        until(lambda: effects(ada) == "applied", within=30)
        assert completions(stack, ada) == 1


class TestOnboardingIsKilled:
    def test_and_no_acknowledged_save_is_lost(self, stack, ada):
        saved = ada.save(3, "client", {"subjects": ["physics"]}, client_session="tab", client_revision=7)
        stack.kill("onboarding")
        stack.restart("onboarding")
        stored = until(lambda: answered(ada, "/api/onboarding/progress/client"), within=30)
        assert stored["step_data"] == saved["step_data"]
        assert (stored["client_revision"], stored["version"]) == (7, saved["version"])


class TestListingsIsSilent:
    def test_and_a_switch_of_roles_still_reaches_the_next_token_soon(self, stack, ada):
        """Many names that cannot be delivered wait in front of it; each try of one takes two seconds."""
        for role in ("tutor", "client"):
            ada.save(5, role, ANSWERS, is_complete=True)
        with silent(stack, "listings"):
            for number in range(20):
                assert ada.http.patch("/api/profile", json={"display_name": f"Ada {number}"}).is_success
            assert ada.http.patch("/api/profile", json={"active_role": "tutor"}).is_success
            begun = time.monotonic()
            until(lambda: active_role_in_next_token(ada) == "tutor", within=30)
            assert time.monotonic() - begun < 8


class TestAccountIsSilent:
    def test_and_soon_nobody_waits_for_it(self, stack, new_person):
        people = [new_person() for _ in range(3)]
        with silent(stack, "account"):
            seconds = [
                seconds_to_complete(person, role)
                for person in people
                for role in ("tutor", "client", "agent")
            ]
        assert min(seconds) < 0.5
        assert sum(seconds) < 14, "each of the nine would wait for two"
        until(lambda: all(effects(person) == "applied" for person in people), within=30)


@contextmanager
def silent(stack, name):
    """The process is there, and does nothing."""
    os.kill(stack.pids[name], signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(stack.pids[name], signal.SIGCONT)


def seconds_to_complete(person, role):
    begun = time.monotonic()
    assert person.save(5, role, ANSWERS, is_complete=True)["effects"] == "pending"
    return time.monotonic() - begun


def active_role_in_next_token(person):
    person.refresh()
    return person.claims["app_metadata"]["active_role"]


def effects(person):
    return (answered(person, "/api/onboarding/progress/tutor") or {}).get("effects")


def answered(person, path):
    answer = person.get(path)
    return answer.json() if answer.status_code == 200 else None


def completions(stack, person):
    with stack.postgres.connect("cas") as connection:
        query = "SELECT count(*) FROM account.applied_completions WHERE profile_id = %s"
        return connection.execute(query, [person.id]).fetchone()[0]
