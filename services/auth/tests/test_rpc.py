"""The gRPC edge, over a real channel on loopback."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import grpc
import pytest
from cas.auth.v1 import auth_pb2, auth_pb2_grpc


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


class TestEraseUser:
    def test_can_be_repeated(self, auth, stub):
        session = auth.sign_up().json()
        request = auth_pb2.EraseUserRequest(user_id=session["user"]["id"])
        assert stub.EraseUser(request, timeout=5).removed == 3
        assert stub.EraseUser(request, timeout=5).removed == 0
        assert auth.user(session["access_token"]).json()["code"] == "user_not_found"
        assert auth.refresh(session["refresh_token"]).json()["code"] == "refresh_token_not_found"
        assert auth.sign_up().json()["user"]["id"] != session["user"]["id"]
