"""Processes die at the worst moment; what was acknowledged happens all the same, once."""

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


def effects(person):
    return (answered(person, "/api/onboarding/progress/tutor") or {}).get("effects")


def answered(person, path):
    answer = person.get(path)
    return answer.json() if answer.status_code == 200 else None


def completions(stack, person):
    with stack.postgres.connect("cas") as connection:
        query = "SELECT count(*) FROM account.applied_completions WHERE profile_id = %s"
        return connection.execute(query, [person.id]).fetchone()[0]
