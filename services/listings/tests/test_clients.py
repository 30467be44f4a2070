"""What is asked of the account service, over a real connection."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from cas.account.v1 import account_pb2, account_pb2_grpc
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value

from cas_kit.errors import DomainError, Kind, Unavailable
from cas_kit.rpc import RemoteRefusal, RpcServer
from cas_listings.clients import AccountClient
from cas_listings.domain.owner import Owner
from cas_listings.domain.roles import Role
from cas_listings.domain.template import Template


class NotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "profile-not-found"
    sentence = "There is none."


class Broken(DomainError):
    kind = Kind.INVALID
    code = "validation-failed"
    sentence = "It is refused."


class AccountService(account_pb2_grpc.AccountServiceServicer):
    """Answers what a test gives it; `refusal` is raised instead when set."""

    def __init__(self) -> None:
        self.profile = account_pb2.Profile()
        self.info = account_pb2.ProfessionalInfo()
        self.asked: list[object] = []
        self.refusal: DomainError | None = None
        self._server = RpcServer(
            lambda server: account_pb2_grpc.add_AccountServiceServicer_to_server(self, server)
        )
        self.target = f"127.0.0.1:{self._server.start(host='127.0.0.1', port=0)}"

    def GetProfile(self, request, context):  # noqa: N802
        self._note(request)
        return account_pb2.GetProfileResponse(profile=self.profile)

    def GetProfessionalInfo(self, request, context):  # noqa: N802
        self._note(request)
        return account_pb2.GetProfessionalInfoResponse(professional_info=self.info, version=1)

    def _note(self, request):
        self.asked.append(request)
        if self.refusal is not None:
            raise self.refusal

    def stop(self) -> None:
        self._server.stop(timedelta(0))


@pytest.fixture
def account() -> Iterator[AccountService]:
    service = AccountService()
    yield service
    service.stop()


@pytest.fixture
def client(account) -> Iterator[AccountClient]:
    client = AccountClient(account.target)
    yield client
    client.close()


class TestFindOwner:
    def test_takes_what_may_be_shown(self, account, client):
        user_id = uuid4()
        account.profile = account_pb2.Profile(
            user_id=str(user_id),
            display_name="Ada",
            avatar_url="https://a.example/a.webp",
            roles=["agent", "tutor", "something newer"],
            active_role="tutor",
            version=7,
        )
        assert client.find_owner(user_id) == Owner(
            user_id=user_id,
            display_name="Ada",
            avatar_url="https://a.example/a.webp",
            roles=(Role.AGENT, Role.TUTOR),
            active_role=Role.TUTOR,
            version=7,
        )
        assert account.asked[0].user_id == str(user_id)

    def test_has_no_picture_and_no_role_where_there_is_none(self, client):
        owner = client.find_owner(uuid4())
        assert (owner.avatar_url, owner.roles, owner.active_role) == (None, (), None)

    def test_is_nothing_for_somebody_unknown(self, account, client):
        account.refusal = NotFound()
        assert client.find_owner(uuid4()) is None

    def test_passes_other_refusals_on(self, account, client):
        account.refusal = Broken()
        with pytest.raises(RemoteRefusal):
            client.find_owner(uuid4())


class TestFindTemplate:
    def test_takes_texts_lists_amounts_and_availability(self, account, client):
        availability = {"monday": [{"start": "09:00", "end": "12:00"}]}
        account.info = account_pb2.ProfessionalInfo(
            subjects=account_pb2.TextList(values=["Maths"]),
            teaching_experience="5-10 years",
            hourly_rate=account_pb2.Money(minor_units=4500, currency="GBP"),
            hourly_rate_range=account_pb2.MoneyRange(min=account_pb2.Money(minor_units=0, currency="GBP")),
            availability=json_format.ParseDict(availability, Value()),
            commission_rate=12.5,
        )
        template = client.find_template(uuid4(), Role.TUTOR)
        assert template.answers["subjects"] == ["Maths"]
        assert template.answers["teaching_experience"] == "5-10 years"
        assert template.answers["availability"] == availability
        assert (template.hourly_rate, template.lowest_rate, template.highest_rate) == (4500, 0, None)
        assert account.asked[0].role == "tutor"

    def test_of_nothing_answered_is_empty(self, client):
        assert client.find_template(uuid4(), Role.AGENT) == Template(answers={})

    def test_is_nothing_where_nothing_is_saved(self, account, client):
        account.refusal = NotFound()
        assert client.find_template(uuid4(), Role.TUTOR) is None

    def test_passes_other_refusals_on(self, account, client):
        account.refusal = Broken()
        with pytest.raises(RemoteRefusal):
            client.find_template(uuid4(), Role.TUTOR)


def test_account_that_is_away_is_unavailable():
    client = AccountClient("127.0.0.1:1")
    with pytest.raises(Unavailable):
        client.find_owner(uuid4())
    with pytest.raises(Unavailable):
        client.find_template(uuid4(), Role.TUTOR)
    client.close()
