"""What the listings service asks of others, in its own words."""

from datetime import timedelta
from uuid import UUID

import grpc
from cas.account.v1 import account_pb2
from cas.account.v1.account_pb2_grpc import AccountServiceStub
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value

from cas_fields.reading import Json
from cas_kit.rpc import RemoteRefusal, RpcClient, RpcTls
from cas_listings.domain.owner import Owner
from cas_listings.domain.roles import Role, find_role
from cas_listings.domain.template import Template

# Somebody who makes a listing waits for it, and gets one without a name when it takes longer.
OWNER_TIMEOUT = timedelta(seconds=1)
TEMPLATE_TIMEOUT = timedelta(seconds=2)


class AccountClient:
    """The account service.

    :param target: `host:port` of its gRPC server.
    """

    def __init__(self, target: str, *, tls: RpcTls | None = None) -> None:
        self._rpc = RpcClient(
            target,
            service="cas.account.v1.AccountService",
            safe_methods=["GetProfile", "GetProfessionalInfo"],
            tls=tls,
        )
        self._stub = AccountServiceStub(self._rpc.channel)

    def find_owner(self, user_id: UUID) -> Owner | None:
        """What may be shown of somebody, and the roles they hold; None when account does not know them.

        :raises Unavailable: it did not answer in time.
        """
        request = account_pb2.GetProfileRequest(user_id=str(user_id))
        try:
            answer = self._rpc.call(self._stub.GetProfile, request, timeout=OWNER_TIMEOUT)
        except RemoteRefusal as refusal:
            if refusal.status is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return _owner(user_id, answer.profile)

    def find_template(self, user_id: UUID, role: Role) -> Template | None:
        """Somebody's professional info in one role; None when nothing is saved.

        :raises Unavailable: it did not answer in time.
        """
        request = account_pb2.GetProfessionalInfoRequest(user_id=str(user_id), role=role)
        try:
            answer = self._rpc.call(self._stub.GetProfessionalInfo, request, timeout=TEMPLATE_TIMEOUT)
        except RemoteRefusal as refusal:
            if refusal.status is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return _template(answer.professional_info)

    def close(self) -> None:
        """Close the channel."""
        self._rpc.close()


def _owner(user_id: UUID, profile: account_pb2.Profile) -> Owner:
    roles = tuple(role for name in profile.roles if (role := find_role(name)))
    return Owner(
        user_id=user_id,
        display_name=profile.display_name,
        avatar_url=profile.avatar_url or None,
        roles=roles,
        active_role=find_role(profile.active_role),
        version=profile.version,
    )


def _template(info: account_pb2.ProfessionalInfo) -> Template:
    bounds = info.hourly_rate_range
    return Template(
        answers={field.name: _answer(value) for field, value in info.ListFields()},
        hourly_rate=_amount(info, "hourly_rate"),
        lowest_rate=_amount(bounds, "min"),
        highest_rate=_amount(bounds, "max"),
    )


def _answer(value: object) -> Json:
    """Texts, lists of texts and availability; nothing else has a place in a listing by its own name."""
    match value:
        case str():
            return value
        case account_pb2.TextList():
            return [*value.values]
        case Value():
            said: Json = json_format.MessageToDict(value)
            return said
    return None


def _amount(message: Message, field: str) -> int | None:
    if not message.HasField(field):
        return None
    money: account_pb2.Money = getattr(message, field)
    return money.minor_units
