"""The gRPC edge, over a real channel."""

import json
from datetime import timedelta
from functools import partial
from uuid import uuid4

import grpc
import pytest
from cas.onboarding.v1 import onboarding_pb2, onboarding_pb2_grpc

from cas_kit.rpc import RpcServer
from cas_onboarding import rpc


@pytest.fixture
def stub(database):
    server = RpcServer(partial(rpc.register, database=database))
    port = server.start(host="127.0.0.1", port=0)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield onboarding_pb2_grpc.OnboardingServiceStub(channel)
    server.stop(timedelta(0))


def erase(stub, user_id):
    request = onboarding_pb2.EraseUserRequest(user_id=str(user_id))
    return stub.EraseUser(request, timeout=5).rows


class TestExportUser:
    def ask(self, stub, user_id):
        return list(stub.ExportUser(onboarding_pb2.ExportUserRequest(user_id=str(user_id)), timeout=5))

    def test_answers_one_thing_a_message(self, stub, client, user_id):
        for role in ("tutor", "client"):
            client.post("/api/onboarding/save-progress", json={"step": 1, "role_type": role})
        messages = self.ask(stub, user_id)
        assert [(each.section, json.loads(each.document)["role_type"]) for each in messages] == [
            ("onboarding", "tutor"),
            ("onboarding", "client"),
        ]

    def test_answers_nothing_about_nobody(self, stub):
        assert self.ask(stub, uuid4()) == []

    def test_refuses_what_is_no_user_id(self, stub):
        with pytest.raises(grpc.RpcError) as refused:
            self.ask(stub, "nobody")
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


class TestEraseUser:
    def test_forgets_the_user_and_what_was_on_its_way(self, stub, client, account, user_id):
        account.stop()
        client.post("/api/onboarding/save-progress", json={"step": 1, "role_type": "client"})
        client.post(
            "/api/onboarding/save-progress", json={"step": 5, "role_type": "tutor", "is_complete": True}
        )
        assert erase(stub, user_id) == 3
        assert client.get("/api/onboarding/progress").status_code == 401

    def test_is_fine_when_there_is_nothing(self, stub):
        assert erase(stub, uuid4()) == 0

    def test_refuses_what_is_no_user_id(self, stub):
        with pytest.raises(grpc.RpcError) as refused:
            erase(stub, "nobody")
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
