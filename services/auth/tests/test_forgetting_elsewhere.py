"""Whoever an administrator deletes is forgotten by the other services as well."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from cas.account.v1 import account_pb2, account_pb2_grpc
from sqlalchemy import func, select, update

from cas_auth.models import outbox_messages
from cas_auth.repository.erasure import USER_DELETED
from cas_kit.errors import Unavailable
from cas_kit.outbox import MAX_ATTEMPTS
from cas_kit.rpc import RpcServer
from cas_kit.testing import until


class Account(account_pb2_grpc.AccountServiceServicer):
    """Remembers whom it was told to forget; is away while `is_away`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.is_away = False
        self.server = RpcServer(
            lambda server: account_pb2_grpc.add_AccountServiceServicer_to_server(self, server)
        )
        self.target = f"127.0.0.1:{self.server.start(host='127.0.0.1', port=0)}"

    def BeginErasure(self, request, context):  # noqa: N802
        if self.is_away:
            raise Unavailable
        self.told.append(request.user_id)
        return account_pb2.BeginErasureResponse(deletion_id=str(uuid4()))


@pytest.fixture
def account() -> Iterator[Account]:
    running = Account()
    yield running
    running.server.stop(timedelta(0))


@pytest.fixture
def auth(start, account):
    return start(account_grpc=account.target)


@pytest.fixture
def delete(auth, call):
    """`delete()`: an administrator deletes a user; returns whom."""

    def send(**body) -> str:
        user_id = auth.sign_up(f"{uuid4().hex}@example.com").json()["user"]["id"]
        assert call("DELETE", f"/auth/v1/admin/users/{user_id}", json=body).status_code == 200
        return user_id

    return send


def waiting(database) -> list[tuple[str, bool]]:
    with database.autocommit() as connection:
        found = select(outbox_messages.c.topic, outbox_messages.c.parked_at.is_not(None))
        return [tuple(row) for row in connection.execute(found) if row.topic == USER_DELETED]


def make_due(database, **values) -> None:
    with database.autocommit() as connection:
        connection.execute(update(outbox_messages).values(next_attempt_at=func.now(), **values))


def test_the_account_service_is_told(auth, account, delete, database):
    user_id = delete()
    auth.service.relay.run_once()
    assert (account.told, waiting(database)) == ([user_id], [])


def test_it_is_told_however_long_it_was_away(auth, account, delete, database):
    account.is_away = True
    user_id = delete()
    make_due(database, attempts=MAX_ATTEMPTS * 2)
    auth.service.relay.run_once()
    assert waiting(database) == [(USER_DELETED, False)]
    account.is_away = False
    make_due(database)
    until(lambda: auth.service.relay.run_once() and not waiting(database))
    assert account.told == [user_id]


def test_a_user_whose_id_is_kept_keeps_what_they_have_elsewhere(auth, account, delete):
    delete(should_soft_delete=True)
    auth.service.relay.run_once()
    assert account.told == []


def test_without_other_services_nobody_is_told(start, delete, database):
    alone = start()
    delete()
    alone.service.relay.run_once()
    assert waiting(database) == []
