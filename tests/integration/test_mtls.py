"""The whole system with certificates between its services: a person notices nothing, a stranger gets nowhere."""

from collections.abc import Iterator
from dataclasses import asdict
from uuid import uuid4

import grpc
import pytest
from cas.auth.v1 import auth_pb2
from cas.auth.v1.auth_pb2_grpc import AuthServiceStub
from tests.integration.person import Person

from cas_kit.testing import until
from cas_kit.testing.certificates import Authority
from cas_local.stack import Stack

SERVICES = ("auth", "account", "onboarding")


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system of its own whose services have certificates."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with pytest.MonkeyPatch.context() as environment:
        for service in SERVICES:
            for name, file in asdict(authority.issue(service)).items():
                environment.setenv(f"CAS_{service.upper()}_{name.upper()}", str(file))
        with Stack(tmp_path_factory.mktemp("encrypted"), durable=False) as running:
            yield running


def test_a_completed_onboarding_reaches_the_next_token(encrypted):
    """From onboarding to account, and from account to auth."""
    ada = Person.sign_up(encrypted.url, name="Ada Lovelace")
    saved = ada.save(5, "tutor", {"subjects": ["mathematics"]}, is_complete=True)
    assert saved["is_complete"]
    until(lambda: ada.get("/api/onboarding/progress/tutor").json()["effects"] == "applied")
    until(lambda: roles_after_refresh(ada) == ["tutor"])
    ada.close()


def test_nobody_without_a_certificate_is_answered(encrypted):
    address = f"127.0.0.1:{encrypted.ports.grpc['auth']}"
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as refusal:
        AuthServiceStub(channel).GetUser(auth_pb2.GetUserRequest(user_id=str(uuid4())), timeout=1)
    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE


def roles_after_refresh(person):
    person.refresh()
    return person.claims["app_metadata"].get("roles")
