"""The gRPC edge of the account service: messages to own types, one operation per call."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import grpc
from cas.account.v1 import account_pb2
from cas.account.v1.account_pb2_grpc import AccountServiceServicer, add_AccountServiceServicer_to_server
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value

from cas_account.domain.professional_info import Fields, read_fields
from cas_account.domain.roles import AskedRole
from cas_account.models import Profile
from cas_account.operations.erasure import begin_erasure
from cas_account.operations.onboarding import Completion, apply_onboarding
from cas_account.operations.professional_info import get_professional_info
from cas_account.operations.profiles import get_card, list_cards
from cas_fields.money import CURRENCY, to_major
from cas_fields.reading import Json, clean
from cas_kit.db import Database
from cas_kit.errors import FieldProblem, ValidationFailed
from cas_kit.outbox import Relay


def register(server: grpc.Server, *, database: Database, relay: Relay, parts: Sequence[str]) -> None:
    """Add the account service to a server.

    :param parts: the services that keep anything about users.
    """
    add_AccountServiceServicer_to_server(AccountServicer(database, relay, parts), server)


class AccountServicer(AccountServiceServicer):
    """Answers the other services; the comments in the proto say what each call does."""

    def __init__(self, database: Database, relay: Relay, parts: Sequence[str]) -> None:
        self._database = database
        self._relay = relay
        self._parts = parts

    def GetProfile(  # noqa: N802  the proto's name
        self, request: account_pb2.GetProfileRequest, context: grpc.ServicerContext
    ) -> account_pb2.GetProfileResponse:
        """What others may know of one user."""
        del context
        with self._database.autocommit() as connection:
            profile = get_card(connection, user_id=_uuid(request.user_id, "user_id"))
        return account_pb2.GetProfileResponse(profile=_profile_message(profile))

    def BatchGetProfiles(  # noqa: N802
        self, request: account_pb2.BatchGetProfilesRequest, context: grpc.ServicerContext
    ) -> account_pb2.BatchGetProfilesResponse:
        """What others may know of several users."""
        del context
        user_ids = [_uuid(user_id, "user_ids") for user_id in request.user_ids]
        with self._database.autocommit() as connection:
            profiles = list_cards(connection, user_ids=user_ids)
        return account_pb2.BatchGetProfilesResponse(profiles=map(_profile_message, profiles))

    def GetProfessionalInfo(  # noqa: N802
        self, request: account_pb2.GetProfessionalInfoRequest, context: grpc.ServicerContext
    ) -> account_pb2.GetProfessionalInfoResponse:
        """One template."""
        del context
        user_id, asked = _uuid(request.user_id, "user_id"), AskedRole.read(request.role)
        with self._database.autocommit() as connection:
            details = get_professional_info(connection, user_id=user_id, role=asked.role)
        return account_pb2.GetProfessionalInfoResponse(
            professional_info=professional_info_message(details.fields), version=details.version
        )

    def ApplyOnboarding(  # noqa: N802
        self, request: account_pb2.ApplyOnboardingRequest, context: grpc.ServicerContext
    ) -> account_pb2.ApplyOnboardingResponse:
        """Commit first, then tell auth at once, so that the user's next token carries the role."""
        del context
        now = datetime.now(UTC)
        completion = _completion(request, now=now)
        with self._database.transaction() as session:
            applied = apply_onboarding(session, completion=completion, now=now)
        if applied.message_id is not None:
            self._relay.deliver(applied.message_id)
        return account_pb2.ApplyOnboardingResponse(roles=applied.roles)

    def BeginErasure(  # noqa: N802
        self, request: account_pb2.BeginErasureRequest, context: grpc.ServicerContext
    ) -> account_pb2.BeginErasureResponse:
        """Begin to forget a user."""
        del context
        user_id = _uuid(request.user_id, "user_id")
        with self._database.transaction() as session:
            deletion_id = begin_erasure(session, user_id=user_id, parts=self._parts, now=datetime.now(UTC))
        return account_pb2.BeginErasureResponse(deletion_id=str(deletion_id))


# ---- messages to own types ----


def _uuid(text: str, field: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ValidationFailed.of([FieldProblem(field, "must be a UUID")]) from error


def _completion(request: account_pb2.ApplyOnboardingRequest, *, now: datetime) -> Completion:
    fields, problems = read_fields(wire_fields(request.professional_info))
    if problems:
        raise ValidationFailed.of(problems)
    stamped = request.HasField("completed_at")
    return Completion(
        id=_uuid(request.completion_id, "completion_id"),
        user_id=_uuid(request.user_id, "user_id"),
        role=AskedRole.read(request.role).role,
        fields=fields,
        profile_bio=clean(request.profile_bio, lines=True),
        completed_at=request.completed_at.ToDatetime(UTC) if stamped else now,
    )


def wire_fields(message: account_pb2.ProfessionalInfo) -> dict[str, Json]:
    """The answered fields in the spelling of the REST API, so that both edges are read by the same rules."""
    return {field.name: _wire_value(value) for field, value in message.ListFields()}


def _wire_value(value: object) -> Json:
    match value:
        case account_pb2.TextList():
            return [*value.values]
        case account_pb2.Money():
            return _pounds(value)
        case account_pb2.MoneyRange():
            return {
                name: _pounds(getattr(value, name)) if value.HasField(name) else None
                for name in ("min", "max")
            }
        case Value():
            sent: Json = json_format.MessageToDict(value)
            return sent
        case str() | float():
            return value
    raise TypeError(type(value))


def _pounds(money: account_pb2.Money) -> int | float:
    if money.currency != CURRENCY:
        raise ValidationFailed.of([FieldProblem("currency", f"must be {CURRENCY}")])
    return to_major(money.minor_units)


# ---- own types to messages ----


def _profile_message(profile: Profile) -> account_pb2.Profile:
    return account_pb2.Profile(
        user_id=str(profile.id),
        display_name=profile.display_name,
        avatar_url=profile.avatar_url or profile.custom_picture_url,
        roles=profile.roles,
        active_role=profile.active_role,
        version=profile.version,
    )


def professional_info_message(fields: Fields) -> account_pb2.ProfessionalInfo:
    """The saved fields that the message knows."""
    known = account_pb2.ProfessionalInfo.DESCRIPTOR.fields_by_name.keys() & fields.keys()
    values: dict[str, Any] = {name: _message_value(name, fields[name]) for name in known}
    return account_pb2.ProfessionalInfo(**values)


def _message_value(name: str, value: Json) -> object:
    read = _SPECIAL.get(name)
    if read is not None:
        return read(value)
    return account_pb2.TextList(values=map(str, value)) if isinstance(value, list) else value


def _money(minor_units: Json) -> account_pb2.Money | None:
    if not isinstance(minor_units, int):
        return None
    return account_pb2.Money(minor_units=minor_units, currency=CURRENCY)


def _money_range(bounds: Json) -> account_pb2.MoneyRange:
    given = bounds if isinstance(bounds, dict) else {}
    return account_pb2.MoneyRange(min=_money(given.get("min")), max=_money(given.get("max")))


def _as_sent(value: Json) -> Value:
    document: Any = value  # the stub knows objects only; a Value is any JSON
    return json_format.ParseDict(document, Value())


_SPECIAL: dict[str, Callable[[Json], object]] = {
    "hourly_rate": _money,
    "hourly_rate_range": _money_range,
    "availability": _as_sent,
}
