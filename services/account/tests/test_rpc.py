"""The gRPC edge over a real loopback port."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import grpc
import pytest
from cas.account.v1 import account_pb2, account_pb2_grpc
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from sqlalchemy import func, select

from cas_account import rpc
from cas_account.domain.roles import Role
from cas_account.models import outbox_messages
from cas_account.operations.professional_info import save_professional_info
from cas_account.rpc import professional_info_message, wire_fields
from cas_fields.reading import instant
from cas_kit.errors import Unavailable, ValidationFailed
from cas_kit.rpc import RemoteRefusal, RpcClient, RpcServer
from cas_kit.testing import until

STORED_AS_WIRE = {
    "subjects": ["Maths", "Physics"],
    "levels": ["GCSE"],
    "availability": {"monday": [{"start": "09:00", "end": "12:00"}]},
    "bio": "Hello",
    "commission_rate": 12.5,
    "hourly_rate": 4550,
    "hourly_rate_range": {"min": 4000, "max": None},
}


@pytest.fixture
def call(database, relay):
    server = RpcServer(
        lambda grpc_server: rpc.register(grpc_server, database=database, relay=relay, parts=["account"])
    )
    port = server.start(host="127.0.0.1", port=0)
    client = RpcClient(f"127.0.0.1:{port}", service="cas.account.v1.AccountService")
    stub = account_pb2_grpc.AccountServiceStub(client.channel)

    def call(method, **fields):
        message = getattr(account_pb2, f"{method}Request")(**fields)
        return client.call(getattr(stub, method), message, timeout=timedelta(seconds=5))

    yield call
    client.close()
    server.stop(timedelta(0))


def refusal(call, method, **fields):
    with pytest.raises(RemoteRefusal) as raised:
        call(method, **fields)
    return raised.value.status, raised.value.code


def completion(user_id, **changes):
    return {"completion_id": str(uuid4()), "user_id": str(user_id), "role": "tutor", **changes}


def waiting(database):
    with database.autocommit() as connection:
        return connection.scalar(select(func.count()).select_from(outbox_messages))


class TestProfiles:
    def test_are_found_by_id(self, call, user_id):
        profile = call("GetProfile", user_id=str(user_id)).profile
        assert (profile.user_id, profile.display_name, list(profile.roles)) == (
            str(user_id),
            "Ada Lovelace",
            [],
        )
        assert not profile.HasField("active_role")
        assert profile.version == 1

    def test_are_found_in_batches(self, call, user_id):
        found = call("BatchGetProfiles", user_ids=[str(user_id), str(uuid4())]).profiles
        assert [profile.user_id for profile in found] == [str(user_id)]

    def test_unknown_ones_are_refused(self, call, database):
        status, code = refusal(call, "GetProfile", user_id=str(uuid4()))
        assert (status, code) == (grpc.StatusCode.NOT_FOUND, "profile-not-found")
        status, code = refusal(call, "GetProfile", user_id="ada")
        assert (status, code) == (grpc.StatusCode.INVALID_ARGUMENT, "validation-failed")
        status, code = refusal(call, "BatchGetProfiles", user_ids=[str(uuid4())] * 501)
        assert (status, code) == (grpc.StatusCode.INVALID_ARGUMENT, "too-many-ids")


class TestProfessionalInfo:
    def test_is_found_by_user_and_role(self, call, database, user_id, now):
        with database.transaction() as session:
            save_professional_info(
                session,
                user_id=user_id,
                role=Role.TUTOR,
                values={"bio": "Hello", "hourly_rate": 4550},
                check_version=lambda _: None,
                now=now,
            )
        found = call("GetProfessionalInfo", user_id=str(user_id), role="Provider")
        assert (found.version, found.professional_info.bio) == (1, "Hello")
        assert found.professional_info.hourly_rate == account_pb2.Money(minor_units=4550, currency="GBP")
        assert not found.professional_info.HasField("subjects")

    def test_unknown_ones_are_refused(self, call, user_id):
        asked = {"user_id": str(user_id)}
        assert refusal(call, "GetProfessionalInfo", role="tutor", **asked) == (
            grpc.StatusCode.NOT_FOUND,
            "no-professional-info",
        )
        assert refusal(call, "GetProfessionalInfo", role="king", **asked) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "unknown-role",
        )


class TestMessages:
    def test_say_the_same_both_ways(self):
        message = professional_info_message(STORED_AS_WIRE)
        assert wire_fields(message) == STORED_AS_WIRE | {
            "hourly_rate": 45.5,
            "hourly_rate_range": {"min": 40, "max": None},
        }

    def test_leave_out_what_they_do_not_know(self):
        assert professional_info_message({"student_ages": [12]}) == account_pb2.ProfessionalInfo()

    def test_tell_an_empty_list_from_an_absent_one(self):
        message = account_pb2.ProfessionalInfo(subjects=account_pb2.TextList(), bio="")
        assert wire_fields(message) == {"subjects": [], "bio": ""}

    def test_know_one_currency(self):
        message = account_pb2.ProfessionalInfo(hourly_rate=account_pb2.Money(minor_units=1, currency="EUR"))
        with pytest.raises(ValidationFailed, match="currency: must be GBP"):
            wire_fields(message)


class TestApplyOnboarding:
    def test_takes_effect_and_tells_auth_before_it_answers(self, call, auth_service, database, user_id, ada):
        info = account_pb2.ProfessionalInfo(
            subjects=account_pb2.TextList(values=["Mathematics"]),
            availability=json_format.ParseDict(["weekday_morning"], Value()),
            hourly_rate=account_pb2.Money(minor_units=4000, currency="GBP"),
        )
        request = completion(user_id, professional_info=info, profile_bio=" I teach. ")
        request["completed_at"] = datetime(2026, 3, 1, 12, tzinfo=UTC)
        assert list(call("ApplyOnboarding", **request).roles) == ["tutor"]
        assert auth_service.told == [(str(user_id), ["tutor"], "tutor", 2)]
        assert waiting(database) == 0
        profile = ada.get("/api/profile").json()
        assert (profile["roles"], profile["active_role"], profile["bio"]) == (["tutor"], "tutor", "I teach.")
        assert profile["onboarding_completed"] == {"tutor": "2026-03-01T12:00:00Z"}
        template = ada.get("/api/account/professional-info", params={"role_type": "tutor"}).json()
        assert (template["subjects"], template["hourly_rate"]) == (["Mathematics"], 40)
        assert template["availability_slots"] == ["weekday_morning"]

    def test_repeated_changes_nothing(self, call, auth_service, user_id, ada):
        request = completion(user_id)
        call("ApplyOnboarding", **request)
        before = ada.get("/api/profile").json()
        assert list(call("ApplyOnboarding", **request).roles) == ["tutor"]
        assert ada.get("/api/profile").json() == before
        assert len(auth_service.told) == 1

    def test_is_stamped_now_when_it_does_not_say_when(self, call, auth_service, user_id, ada):
        before = instant(datetime.now(UTC))
        call("ApplyOnboarding", **completion(user_id))
        assert ada.get("/api/profile").json()["onboarding_completed"]["tutor"] > before

    def test_goes_through_while_auth_is_away_and_is_delivered_later(
        self, call, auth_service, relay, database, user_id
    ):
        auth_service.refusal = Unavailable()
        assert list(call("ApplyOnboarding", **completion(user_id)).roles) == ["tutor"]
        assert (auth_service.told, waiting(database)) == ([], 1)
        auth_service.refusal = None
        until(relay.run_once)
        assert auth_service.told == [(str(user_id), ["tutor"], "tutor", 2)]
        assert waiting(database) == 0

    def test_is_refused_when_it_can_never_be_stored(self, call, user_id):
        bad = account_pb2.ProfessionalInfo(commission_rate=400)
        assert refusal(call, "ApplyOnboarding", **completion(user_id, professional_info=bad)) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "validation-failed",
        )
        assert refusal(call, "ApplyOnboarding", **completion(user_id, role="king")) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "unknown-role",
        )
        assert refusal(call, "ApplyOnboarding", **completion("ada")) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "validation-failed",
        )

    def test_is_refused_for_an_erased_user(self, call, user_id):
        call("BeginErasure", user_id=str(user_id))
        assert refusal(call, "ApplyOnboarding", **completion(user_id)) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "user-erased",
        )


class TestBeginErasure:
    def test_hides_the_user_and_can_be_repeated(self, call, user_id):
        request = {"user_id": str(user_id)}
        assert call("GetProfile", **request).profile.display_name == "Ada Lovelace"
        first = call("BeginErasure", **request).deletion_id
        assert call("BeginErasure", **request).deletion_id == first
        assert refusal(call, "GetProfile", **request)[0] is grpc.StatusCode.NOT_FOUND
        assert not call("BatchGetProfiles", user_ids=[str(user_id)]).profiles
        assert refusal(call, "GetProfessionalInfo", role="tutor", **request)[0] is grpc.StatusCode.NOT_FOUND

    def test_takes_users_without_a_profile(self, call):
        assert call("BeginErasure", user_id=str(uuid4())).deletion_id

    def test_demands_a_uuid(self, call):
        assert refusal(call, "BeginErasure", user_id="ada")[0] is grpc.StatusCode.INVALID_ARGUMENT
