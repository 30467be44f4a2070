"""The service on a real database, with an account service that answers real calls and can fail in every way."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import grpc
import pytest
from cas.account.v1 import account_pb2, account_pb2_grpc
from fastapi.testclient import TestClient

import cas_onboarding
from cas_kit.db import Database
from cas_kit.service import Service
from cas_kit.testing.plugin import empty_tables, rolled_back_session
from cas_kit.tokens import TokenVerifier
from cas_onboarding.main import build
from cas_onboarding.settings import Settings


class FakeAccount(account_pb2_grpc.AccountServiceServicer):
    """Applies each completion once, like the real one, and fails when told to.

    `received` are all calls, `applied` their effects; `refuse_with` answers every call with an error of its own;
    `lose_answers` is how many of the next answers get lost after the effect; `open` is cleared to make it hang.
    """

    def __init__(self) -> None:
        self.received: list[account_pb2.ApplyOnboardingRequest] = []
        self.applied: dict[str, account_pb2.ApplyOnboardingRequest] = {}
        self.refuse_with: grpc.StatusCode | None = None
        self.lose_answers = 0
        self.open = threading.Event()
        self.open.set()
        self._server: grpc.Server | None = None
        self._port = 0

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._port}"

    def ApplyOnboarding(self, request, context):  # noqa: N802
        self.received.append(request)
        self.open.wait(20)
        if self.refuse_with is not None:
            context.abort(self.refuse_with, "refused")
        self.applied.setdefault(request.completion_id, request)
        if self.lose_answers:
            self.lose_answers -= 1
            context.abort(grpc.StatusCode.INTERNAL, "the answer is lost")
        return account_pb2.ApplyOnboardingResponse(roles=[request.role])

    def start(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        account_pb2_grpc.add_AccountServiceServicer_to_server(self, self._server)
        self._port = self._server.add_insecure_port(f"127.0.0.1:{self._port}")
        self._server.start()

    def stop(self) -> None:
        self.open.set()
        if self._server is not None:
            self._server.stop(grace=5).wait()
            self._server = None


@pytest.fixture
def account() -> Iterator[FakeAccount]:
    """The account service, running."""
    fake = FakeAccount()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture(scope="session")
def base_settings(make_settings) -> Settings:
    return make_settings(Settings, service="onboarding", account_grpc="127.0.0.1:1")


@pytest.fixture(scope="session")
def migrated(base_settings, migrated_database) -> Database:
    return migrated_database(base_settings, package=cas_onboarding.__name__)


@pytest.fixture
def database(migrated) -> Iterator[Database]:
    """A database whose rows are removed after the test."""
    yield migrated
    empty_tables(migrated)


@pytest.fixture
def session(migrated):
    """A session whose work is undone after the test."""
    yield from rolled_back_session(migrated)


@pytest.fixture
def settings(base_settings, account) -> Settings:
    return base_settings.model_copy(update={"account_grpc": account.target})


@pytest.fixture
def service(settings, database, issuer) -> Iterator[Service]:
    """The whole service as `main` builds it, trusting the test issuer."""
    built = build(settings)
    verifier = TokenVerifier(issuer=settings.issuer, audience=settings.audience, keys=issuer)
    built.app.state.dependencies = replace(built.app.state.dependencies, verifier=verifier)
    yield built
    for close in built.close:
        close()


@pytest.fixture
def user_id() -> UUID:
    return uuid4()


@pytest.fixture
def client(service, issuer, user_id) -> TestClient:
    """A browser signed in as `user_id`."""
    return TestClient(service.app, headers=issuer.bearer(user_id))
