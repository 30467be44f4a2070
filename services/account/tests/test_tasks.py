"""What the outbox delivers to auth, and what becomes of it there."""

import pytest
from sqlalchemy import select

from cas_account.domain.roles import Role
from cas_account.models import Profile, outbox_messages
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
