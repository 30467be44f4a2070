"""What the onboarding service asks of others, in its own words."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import grpc
from cas.account.v1 import account_pb2
from cas.account.v1.account_pb2_grpc import AccountServiceStub
from google.protobuf.struct_pb2 import Value

from cas_kit.outbox import Undeliverable
from cas_kit.rpc import RemoteRefusal, RpcClient, RpcTls
from cas_onboarding.domain.completion import CompletedOnboarding, ProfessionalInfo, RateRange

# A person waits for the first try (docs/spec/domain.md 5.5).
TIMEOUT = timedelta(seconds=2)
CURRENCY = "GBP"

_FINAL = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION})


class AccountClient:
    """The account service.

    :param target: `host:port` of its gRPC server.
    """

    def __init__(self, target: str, *, tls: RpcTls | None = None) -> None:
        self._rpc = RpcClient(
            target, service="cas.account.v1.AccountService", safe_methods=["ApplyOnboarding"], tls=tls
        )
        self._stub = AccountServiceStub(self._rpc.channel)

    def apply_onboarding(self, completion_id: UUID, completed: CompletedOnboarding) -> None:
        """Let a completion take effect. Safe to repeat with the same id.

        :raises Undeliverable: the account service will never accept it.
        :raises Unavailable: it did not answer in time.
        """
        request = apply_onboarding_request(completion_id, completed)
        try:
            self._rpc.call(self._stub.ApplyOnboarding, request, timeout=TIMEOUT)
        except RemoteRefusal as refusal:
            if refusal.status in _FINAL:
                raise Undeliverable(str(refusal)) from refusal
            raise

    def close(self) -> None:
        """Close the channel."""
        self._rpc.close()


def apply_onboarding_request(
    completion_id: UUID, completed: CompletedOnboarding
) -> account_pb2.ApplyOnboardingRequest:
    """The message for one completion; without professional info when nothing was answered."""
    request = account_pb2.ApplyOnboardingRequest(
        completion_id=str(completion_id),
        user_id=str(completed.user_id),
        role=completed.role,
        profile_bio=completed.professional_info.bio,
    )
    request.completed_at.FromDatetime(completed.completed_at)
    if completed.professional_info != ProfessionalInfo():
        request.professional_info.CopyFrom(_professional_info(completed.professional_info))
    return request


def _professional_info(info: ProfessionalInfo) -> account_pb2.ProfessionalInfo:
    message = account_pb2.ProfessionalInfo(
        availability=_list(info.availability),
        hourly_rate=_money(info.hourly_rate),
        hourly_rate_range=_range(info.hourly_rate_range),
        commission_rate=None if info.commission_rate is None else float(info.commission_rate),
    )
    for field in fields(info):
        match getattr(info, field.name):
            case str(text):
                setattr(message, field.name, text)
            case tuple(texts) if texts and field.name != "availability":
                getattr(message, field.name).values.extend(texts)
    return message


def _list(texts: Sequence[str]) -> Value | None:
    if not texts:
        return None
    value = Value()
    value.list_value.extend(texts)
    return value


def _money(pounds: Decimal | int | None) -> account_pb2.Money | None:
    if pounds is None:
        return None
    return account_pb2.Money(minor_units=int(pounds * 100), currency=CURRENCY)


def _range(bounds: RateRange | None) -> account_pb2.MoneyRange | None:
    if bounds is None:
        return None
    return account_pb2.MoneyRange(min=_money(bounds.min), max=_money(bounds.max))
