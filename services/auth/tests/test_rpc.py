"""The gRPC edge, over a real channel on loopback."""

import json
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import grpc
import jwt
import pytest
from cas.auth.v1 import auth_pb2, auth_pb2_grpc
from redis import Redis
from sqlalchemy import text

from cas_auth.domain.accounts import account_name


@pytest.fixture
def stub(auth) -> Iterator[auth_pb2_grpc.AuthServiceStub]:
    port = auth.service.rpc.start(host="127.0.0.1", port=0)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield auth_pb2_grpc.AuthServiceStub(channel)
    auth.service.rpc.stop(timedelta(seconds=1))


def refused(call, request) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as refusal:
        call(request, timeout=5)
    return refusal.value.code(), dict(refusal.value.trailing_metadata())["cas-error-code"]


class TestGetUser:
    def test_answers_the_user(self, auth, stub):
        user = auth.sign_up(data={"full_name": "Ada Lovelace"}).json()["user"]
        answer = stub.GetUser(auth_pb2.GetUserRequest(user_id=user["id"]), timeout=5).user
        assert (answer.id, answer.email, answer.email_verified) == (user["id"], "ada@example.com", True)
        assert (answer.phone, answer.phone_verified, answer.display_name) == ("", False, "Ada Lovelace")
        assert answer.created_at.ToJsonString() == user["created_at"]

    def test_knows_no_other(self, stub):
        request = auth_pb2.GetUserRequest(user_id=str(uuid4()))
        assert refused(stub.GetUser, request) == (grpc.StatusCode.NOT_FOUND, "user-not-found")

    def test_demands_a_uuid(self, stub):
        request = auth_pb2.GetUserRequest(user_id="ada")
        assert refused(stub.GetUser, request) == (grpc.StatusCode.INVALID_ARGUMENT, "validation-failed")


class TestBatchGetUsers:
    def ask(self, stub, *user_ids):
        return stub.BatchGetUsers(auth_pb2.BatchGetUsersRequest(user_ids=user_ids), timeout=5).users

    def test_answers_those_there_are_each_once(self, auth, stub):
        ada, eve = (auth.sign_up(f"{name}@example.com").json()["user"] for name in ("ada", "eve"))
        found = self.ask(stub, ada["id"], str(uuid4()), eve["id"], ada["id"].upper())
        assert {(user.id, user.email) for user in found} == {
            (ada["id"], "ada@example.com"),
            (eve["id"], "eve@example.com"),
        }
        assert len(found) == 2
        assert not self.ask(stub)

    def test_takes_only_so_many(self, stub):
        assert not self.ask(stub, *(str(uuid4()) for _ in range(500)))
        request = auth_pb2.BatchGetUsersRequest(user_ids=[str(uuid4()) for _ in range(501)])
        assert refused(stub.BatchGetUsers, request) == (
            grpc.StatusCode.INVALID_ARGUMENT, "validation-failed",
        )  # fmt: skip

    def test_demands_uuids(self, stub):
        request = auth_pb2.BatchGetUsersRequest(user_ids=[str(uuid4()), "ada"])
        assert refused(stub.BatchGetUsers, request)[1] == "validation-failed"


class TestIntrospectSession:
    @pytest.fixture
    def ada(self, auth):
        """The session of somebody who just signed up."""
        return auth.sign_up().json()

    def ask(self, stub, session, **fields):
        claims = jwt.decode(session["access_token"], options={"verify_signature": False})
        said = {"session_id": claims["session_id"], "user_id": claims["sub"], **fields}
        state = stub.IntrospectSession(auth_pb2.IntrospectSessionRequest(**said), timeout=5)
        return state.active, state.aal, state.banned

    def test_knows_a_session_that_lasts(self, stub, ada):
        assert self.ask(stub, ada) == (True, "aal1", False)

    def test_knows_at_once_when_it_ends(self, auth, stub, ada):
        auth.sign_out(ada["access_token"])
        assert self.ask(stub, ada) == (False, "", False)

    def test_knows_the_banned(self, auth, stub, ada, call):
        call("PUT", f"/auth/v1/admin/users/{ada['user']['id']}", json={"ban_duration": "1h"})
        assert self.ask(stub, ada) == (False, "", True)

    def test_knows_a_ban_that_left_the_session(self, stub, ada, database):
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE users SET banned_until = now() + interval '1 hour'"))
        assert self.ask(stub, ada) == (False, "aal1", True)

    def test_knows_a_session_that_passed_a_limit(self, start, database):
        auth = start(session_timebox=timedelta(minutes=5))
        session = auth.sign_up().json()
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE sessions SET created_at = now() - interval '1 hour'"))
        port = auth.service.rpc.start(host="127.0.0.1", port=0)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert self.ask(auth_pb2_grpc.AuthServiceStub(channel), session) == (False, "aal1", False)
        auth.service.rpc.stop(timedelta(seconds=1))

    def test_takes_no_session_of_somebody_else(self, auth, stub, ada):
        eve = auth.sign_up("eve@example.com").json()["user"]
        assert self.ask(stub, ada, user_id=eve["id"]) == (False, "", False)
        assert self.ask(stub, ada, user_id=str(uuid4())) == (False, "", False)

    @pytest.mark.parametrize("field", ["session_id", "user_id"])
    def test_demands_uuids(self, stub, field):
        fields = {"session_id": str(uuid4()), "user_id": str(uuid4()), field: "x"}
        request = auth_pb2.IntrospectSessionRequest(**fields)
        assert refused(stub.IntrospectSession, request) == (
            grpc.StatusCode.INVALID_ARGUMENT, "validation-failed",
        )  # fmt: skip


class TestSetAppRoles:
    def request(self, user_id, version, *roles):
        return auth_pb2.SetAppRolesRequest(
            user_id=user_id, roles=roles, active_role=roles[0] if roles else None, version=version
        )

    def test_is_in_the_next_token(self, auth, stub):
        session = auth.sign_up().json()
        user_id = session["user"]["id"]
        assert stub.SetAppRoles(self.request(user_id, 1, "tutor", "agent"), timeout=5).applied
        assert not stub.SetAppRoles(self.request(user_id, 1), timeout=5).applied
        metadata = auth.refresh(session["refresh_token"]).json()["user"]["app_metadata"]
        assert (metadata["roles"], metadata["active_role"]) == (["tutor", "agent"], "tutor")
        assert stub.SetAppRoles(self.request(user_id, 2), timeout=5).applied
        metadata = auth.sign_in().json()["user"]["app_metadata"]
        assert (metadata["roles"], metadata["active_role"]) == ([], None)

    def test_knows_no_other_user(self, stub):
        answer = refused(stub.SetAppRoles, self.request(str(uuid4()), 1))
        assert answer == (grpc.StatusCode.NOT_FOUND, "user-not-found")


class TestExportUser:
    def ask(self, stub, user_id):
        return list(stub.ExportUser(auth_pb2.ExportUserRequest(user_id=user_id), timeout=5))

    def test_answers_one_thing_a_message(self, auth, stub):
        user = auth.sign_up().json()["user"]
        first, *others = self.ask(stub, user["id"])
        assert (first.section, json.loads(first.document)["email"]) == ("auth", "ada@example.com")
        assert {message.section for message in others} == {"activity"}

    def test_answers_nothing_about_nobody(self, stub):
        assert self.ask(stub, str(uuid4())) == []

    def test_demands_a_uuid(self, stub):
        with pytest.raises(grpc.RpcError) as refusal:
            self.ask(stub, "ada")
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


class TestCloseUser:
    def test_signs_out_for_good_and_can_be_repeated(self, auth, stub):
        session = auth.sign_up().json()
        auth.sign_in()
        request = auth_pb2.CloseUserRequest(user_id=session["user"]["id"])
        assert stub.CloseUser(request, timeout=5).ended == 2
        assert stub.CloseUser(request, timeout=5).ended == 0
        assert auth.user(session["access_token"]).json()["code"] == "session_not_found"
        assert auth.refresh(session["refresh_token"]).json()["code"] == "refresh_token_not_found"
        assert auth.sign_in().json()["code"] == "user_banned"

    def test_lets_no_mailed_code_in(self, auth, stub):
        user = auth.sign_up().json()["user"]
        auth.post("recover", {"email": user["email"]})
        code = auth.letter().code
        stub.CloseUser(auth_pb2.CloseUserRequest(user_id=user["id"]), timeout=5)
        answer = auth.post("verify", {"type": "recovery", "email": user["email"], "token": code})
        assert answer.json()["code"] == "user_banned"

    def test_is_fine_when_there_is_nobody(self, stub):
        assert stub.CloseUser(auth_pb2.CloseUserRequest(user_id=str(uuid4())), timeout=5).ended == 0


class TestEraseUser:
    def test_forgets_what_was_counted_for_the_user(self, start, redis_server):
        auth = start(update_limit_per_user="10/hour", sign_in_limit_per_account_and_network="9/hour")
        session = auth.sign_up().json()
        auth.update(session["access_token"], data={})
        auth.sign_in(password="a wrong one")
        names = (session["user"]["id"], account_name("ada@example.com"))
        port = auth.service.rpc.start(host="127.0.0.1", port=0)
        with (
            Redis.from_url(redis_server.url()) as redis,
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            assert all(redis.keys(f"*{name}*") for name in names)
            stub = auth_pb2_grpc.AuthServiceStub(channel)
            stub.EraseUser(auth_pb2.EraseUserRequest(user_id=session["user"]["id"]), timeout=5)
            assert not any(redis.keys(f"*{name}*") for name in names)
        auth.service.rpc.stop(timedelta(seconds=1))

    def test_can_be_repeated(self, auth, stub):
        session = auth.sign_up().json()
        request = auth_pb2.EraseUserRequest(user_id=session["user"]["id"])
        assert stub.EraseUser(request, timeout=5).rows == 4
        assert stub.EraseUser(request, timeout=5).rows == 0
        assert auth.user(session["access_token"]).json()["code"] == "user_not_found"
        assert auth.refresh(session["refresh_token"]).json()["code"] == "refresh_token_not_found"
        assert auth.sign_up().json()["user"]["id"] != session["user"]["id"]
