"""Every call between services: strangers get nowhere, and services learn nothing about whom there is not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import httpx
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass

from cas_kit.rpc import RpcTls
from cas_kit.testing.certificates import Authority, Files
from cas_local.stack import Stack

PROTOS = Path(__file__).parents[2] / "protos"
OK, INVALID, NOT_FOUND = "OK", "INVALID_ARGUMENT", "NOT_FOUND"
ID = "<id>"
COMPLETION = {"completion_id": ID, "user_id": ID, "role": "tutor"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a service with a certificate gets.

    :param request: `<id>` stands for an id that nobody has, or for a text that is none.
    """

    request: Mapping[str, Any]
    unknown: str
    malformed: str = INVALID


def about_user(unknown: str, **more: object) -> Row:
    return Row(request={"user_id": ID, **more}, unknown=unknown)


def about_users(unknown: str) -> Row:
    return Row(request={"user_ids": [ID]}, unknown=unknown)


EXPECTED = {
    "cas.auth.v1.AuthService/GetUser": about_user(NOT_FOUND),
    "cas.auth.v1.AuthService/BatchGetUsers": about_users(OK),
    "cas.auth.v1.AuthService/SetAppRoles": about_user(NOT_FOUND, version=1),
    "cas.auth.v1.AuthService/IntrospectSession": about_user(OK, session_id=ID),
    "cas.auth.v1.AuthService/ExportUser": about_user(OK),
    "cas.auth.v1.AuthService/CloseUser": about_user(OK),
    "cas.auth.v1.AuthService/EraseUser": about_user(OK),
    "cas.account.v1.AccountService/GetProfile": about_user(NOT_FOUND),
    "cas.account.v1.AccountService/BatchGetProfiles": about_users(OK),
    "cas.account.v1.AccountService/GetProfessionalInfo": about_user(NOT_FOUND, role="tutor"),
    "cas.account.v1.AccountService/ApplyOnboarding": Row(request=COMPLETION, unknown=OK),
    "cas.account.v1.AccountService/BeginErasure": about_user(OK),
    "cas.onboarding.v1.OnboardingService/ExportUser": about_user(OK),
    "cas.onboarding.v1.OnboardingService/EraseUser": about_user(OK),
    "cas.listings.v1.ListingsService/GetListing": Row(request={"listing_id": ID}, unknown=NOT_FOUND),
    "cas.listings.v1.ListingsService/BatchGetListings": Row(request={"listing_ids": [ID]}, unknown=OK),
    "cas.listings.v1.ListingsService/RefreshOwner": about_user(OK, version=1),
    "cas.listings.v1.ListingsService/ExportUser": about_user(OK),
    "cas.listings.v1.ListingsService/EraseUser": about_user(OK),
}


def calls() -> dict[str, MethodDescriptor]:
    """Every method of every proto, by its path."""
    modules = [
        import_module(".".join(file.relative_to(PROTOS).with_suffix("").parts) + "_pb2")
        for file in PROTOS.glob("cas/*/v*/*.proto")
    ]
    services = [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]
    return {
        f"{service.full_name}/{method.name}": method for service in services for method in service.methods
    }


CALLS = calls()


def test_every_call_has_a_row():
    assert set(EXPECTED) == set(CALLS)


@pytest.mark.parametrize("call", CALLS)
class TestAService:
    def test_learns_nothing_about_a_user_there_is_not(self, channels, call):
        assert status(channels(call), call, ident=str(uuid4())) == EXPECTED[call].unknown

    def test_is_told_of_a_malformed_id(self, channels, call):
        assert status(channels(call), call, ident="1; drop table users") == EXPECTED[call].malformed


@pytest.mark.parametrize("call", CALLS)
class TestAStranger:
    def test_gets_nowhere_in_plain_text(self, encrypted_stack, call):
        with grpc.insecure_channel(address(encrypted_stack, call)) as channel:
            assert status(channel, call, ident=str(uuid4())) == "UNAVAILABLE"

    def test_gets_nowhere_without_a_certificate(self, encrypted_stack, authority, call):
        credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
        with grpc.secure_channel(address(encrypted_stack, call), credentials) as channel:
            assert status(channel, call, ident=str(uuid4())) == "UNAVAILABLE"

    def test_gets_nowhere_with_a_certificate_of_their_own(self, encrypted_stack, authority, tmp_path, call):
        forged = Authority(tmp_path).issue("auth")
        credentials = tls(forged, trusting=authority).channel_credentials()
        with grpc.secure_channel(address(encrypted_stack, call), credentials) as channel:
            assert status(channel, call, ident=str(uuid4())) == "UNAVAILABLE"

    def test_finds_no_way_through_the_gateway(self, stack, call):
        asked = httpx.post(f"{stack.url}/{call}", headers={"Content-Type": "application/grpc"})
        assert asked.headers["grpc-status"] == str(grpc.StatusCode.UNIMPLEMENTED.value[0])


@pytest.fixture(scope="module")
def channels(encrypted_stack: Stack, authority: Authority) -> Iterator[Any]:
    """Connections of a service that has a certificate."""
    credentials = tls(authority.issue("somebody"), trusting=authority).channel_credentials()
    opened: dict[str, grpc.Channel] = {}

    def channel(call: str) -> grpc.Channel:
        target = address(encrypted_stack, call)
        return opened.setdefault(target, grpc.secure_channel(target, credentials))

    yield channel
    for each in opened.values():
        each.close()


def tls(files: Files, *, trusting: Authority) -> RpcTls:
    return RpcTls(
        files.rpc_certificate_file.read_bytes(), files.rpc_key_file.read_bytes(), trusting.file.read_bytes()
    )


def address(stack: Stack, call: str) -> str:
    return f"127.0.0.1:{stack.ports.grpc[call.split('.')[1]]}"


def status(channel: grpc.Channel, call: str, *, ident: str) -> str:
    """The name of the status that this call ends with."""
    method = CALLS[call]
    request = ParseDict(_filled(EXPECTED[call].request, ident), GetMessageClass(method.input_type)())
    connect = channel.unary_stream if method.server_streaming else channel.unary_unary
    answer = GetMessageClass(method.output_type)
    ask = connect(f"/{call}", request.SerializeToString, answer.FromString)
    try:
        answers = ask(request, timeout=5)
        if method.server_streaming:
            list(answers)
    except grpc.RpcError as error:
        return str(error.code().name)
    return OK


def _filled(value: Any, ident: str) -> Any:
    match value:
        case dict():
            return {name: _filled(each, ident) for name, each in value.items()}
        case list():
            return [_filled(each, ident) for each in value]
        case str():
            return value.replace(ID, ident)
    return value
