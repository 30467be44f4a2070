"""What the outbox delivers to auth, and what becomes of it there."""

import pytest
from sqlalchemy import select

from cas_account.domain.profile import Identity, ProfileChanges
from cas_account.domain.roles import Role
from cas_account.models import Profile, outbox_messages
from cas_account.operations.profiles import change_profile, new_agent_id, welcome
from cas_account.operations.roles import announce_roles
from cas_kit.errors import DomainError, Kind, ValidationFailed


class Gone(DomainError):
    kind = Kind.NOT_FOUND
    code = "user-not-found"


def parked(database):
    with database.autocommit() as connection:
        return list(connection.scalars(select(outbox_messages.c.parked_at.is_not(None))))


@pytest.fixture
def announced(database, user_id):
    with database.transaction() as session:
        announce_roles(session, user_id=user_id)


class TestSendCard:
    @pytest.fixture
    def rename(self, database, user_id, now):
        def change(**fields):
            with database.transaction() as session:
                change_profile(
                    session,
                    user_id=user_id,
                    changes=ProfileChanges(fields, active_role=None),
                    check_version=lambda _: None,
                    now=now,
                )

        return change

    def test_tells_listings_of_a_name_as_it_is_at_delivery(self, relay, listings_service, rename, user_id):
        rename(display_name="Ada King")
        rename(display_name="Countess Lovelace")
        assert relay.run_once() == 2
        assert listings_service.told == [(str(user_id), "Countess Lovelace", "", 3)] * 2

    def test_tells_them_of_the_picture_that_is_shown(self, relay, listings_service, rename, user_id):
        rename(custom_picture_url="https://pictures.example/own.webp")
        relay.run_once()
        rename(avatar_url="https://pictures.example/avatar.webp")
        relay.run_once()
        pictures = [picture for _, _, picture, _ in listings_service.told]
        assert pictures == ["https://pictures.example/own.webp", "https://pictures.example/avatar.webp"]

    def test_tells_them_of_a_name_that_a_token_brought(
        self, database, relay, listings_service, user_id, rename, now
    ):
        with database.transaction() as session:
            session.get(Profile, user_id).display_name = ""
        named = Identity(
            user_id=user_id, email="ada@example.com", email_verified=True, display_name="Ada Lovelace"
        )
        with database.transaction() as session:
            welcome(session, identity=named, agent_id=new_agent_id(), now=now)
        assert relay.run_once() == 1
        assert listings_service.told == [(str(user_id), "Ada Lovelace", "", 2)]

    def test_does_not_bother_them_with_anything_else(self, relay, listings_service, rename):
        rename(bio="I teach.", city="Leeds")
        assert relay.run_once() == 0

    def test_has_nothing_to_say_of_a_profile_that_is_gone(
        self, database, relay, listings_service, rename, user_id
    ):
        rename(display_name="Ada King")
        with database.transaction() as session:
            session.delete(session.get(Profile, user_id))
        relay.run_once()
        assert (listings_service.told, parked(database)) == ([], [])


class TestSendRoles:
    def test_sends_what_is_true_at_delivery(self, database, relay, auth_service, announced, user_id, now):
        with database.transaction() as session:
            session.get(Profile, user_id).complete_onboarding(Role.AGENT, bio="", completed_at=now, now=now)
        assert relay.run_once() == 1
        assert auth_service.told == [(str(user_id), ["agent"], "agent", 2)]

    def test_sends_no_active_role_while_there_is_none(self, relay, auth_service, announced, user_id):
        relay.run_once()
        assert auth_service.told == [(str(user_id), [], "", 1)]

    def test_has_nothing_to_say_of_a_profile_that_is_gone(
        self, database, relay, auth_service, announced, user_id
    ):
        with database.transaction() as session:
            session.delete(session.get(Profile, user_id))
        relay.run_once()
        assert (auth_service.told, parked(database)) == ([], [])

    def test_is_done_when_auth_has_no_such_user(self, database, relay, auth_service, announced):
        auth_service.refusal = Gone("gone")
        relay.run_once()
        assert parked(database) == []

    def test_is_parked_when_auth_will_never_take_it(self, database, relay, auth_service, announced):
        auth_service.refusal = ValidationFailed()
        relay.run_once()
        assert parked(database) == [True]
