"""Many people, or one person many times, coming from providers at once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cas_auth.domain.identity_refusals import FlowStateAlreadyUsed, IdentityAlreadyExists
from cas_auth.models import Identity, User
from cas_auth.operations.external_accounts import user_of_account
from cas_auth.operations.mails import PLAIN_LINK

from .browsing import S256, Browser, google_settings
from .test_concurrency import at_once
from .test_external_accounts import ADA, of
from .test_identities import link


def rows(database, entity):
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(entity))


def come(desk, account):
    return lambda: desk.run(user_of_account, account=account, link=PLAIN_LINK)


class TestComing:
    def test_once_is_enough_for_one_user(self, patient, database):
        users = at_once([come(patient, ADA)] * 20)
        assert len({user.id for user in users}) == 1
        assert (rows(database, User), rows(database, Identity)) == (1, 1)

    def test_with_two_providers_and_one_address_is_one_user(self, patient, database):
        other = replace(of(ADA), provider="keycloak")
        users = at_once([come(patient, ADA), come(patient, other)] * 10)
        assert len({user.id for user in users}) == 1
        assert (rows(database, User), rows(database, Identity)) == (1, 2)

    def test_while_signing_up_is_one_user(self, patient, database):
        results = at_once([come(patient, ADA), patient.sign_up] * 6)
        assert rows(database, User) == 1
        assert {type(result).__name__ for result in results} <= {"User", "Grant", "UserAlreadyExists"}

    def test_with_accounts_of_one_address_that_changed_hands(self, patient, database):
        accounts = [replace(of(ADA), subject=f"g-{number}") for number in range(10)]
        users = at_once([come(patient, account) for account in accounts])
        assert len({user.id for user in users}) == 1
        assert (rows(database, User), rows(database, Identity)) == (1, 10)


class TestLinking:
    def test_gives_an_account_to_one_of_two(self, patient, database):
        grants = [patient.sign_up(f"user{number}@example.com") for number in range(6)]
        results = at_once([lambda grant=grant: link(patient, grant, ADA) for grant in grants])
        assert sum(isinstance(result, User) for result in results) == 1
        assert sum(isinstance(result, IdentityAlreadyExists) for result in results) == 5
        assert rows(database, Identity) == 7


class TestCallbacks:
    @pytest.fixture
    def browser(self, start, provider):
        return Browser(start(**google_settings(provider, database_pool_timeout=timedelta(seconds=60))).client)

    def test_of_one_journey_let_one_in(self, browser):
        query = browser.at_provider(browser.authorize(**S256))
        landed = at_once([lambda: browser.come_back(query)] * 8)
        assert sum("code" in found.query for found in landed) == 1
        refused = FlowStateAlreadyUsed.code.replace("-", "_")
        assert sum(found.query.get("error_code") == refused for found in landed) == 7

    def test_of_a_new_person_make_one_user(self, browser, database):
        queries = [browser.at_provider(browser.authorize(**S256)) for _ in range(8)]
        landed = at_once([lambda query=query: browser.come_back(query) for query in queries])
        codes = [found.query["code"] for found in landed]
        users = {browser.exchange(code).json()["user"]["id"] for code in codes}
        assert len(users) == 1
        assert (rows(database, User), rows(database, Identity)) == (1, 1)
