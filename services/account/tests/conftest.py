"""The account service on real servers."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from cas.auth.v1 import auth_pb2, auth_pb2_grpc
from cas.listings.v1 import listings_pb2, listings_pb2_grpc
from cas.onboarding.v1 import onboarding_pb2, onboarding_pb2_grpc
from starlette.testclient import TestClient

from cas_account import rest, tasks
from cas_account.clients import AuthClient, ListingsClient, OnboardingClient
from cas_account.domain import health
from cas_account.domain.profile import Identity
from cas_account.models import outbox_messages
from cas_account.operations import health as health_checks
from cas_account.operations.erasure import ERASURE_TOPICS
from cas_account.operations.own_part import AccountPart
from cas_account.operations.parts import Part
from cas_account.operations.profiles import new_agent_id, welcome
from cas_account.rest.caller import AccountDependencies
from cas_account.settings import Settings
from cas_kit.db import Database
from cas_kit.errors import DomainError, ValidationFailed
from cas_kit.images import ImageProcessor
from cas_kit.outbox import Relay
from cas_kit.ratelimit import RateLimiter
from cas_kit.rest import Readiness, create_app
from cas_kit.rpc import RpcServer
from cas_kit.storage import Storage
from cas_kit.testing.plugin import empty_tables
from cas_kit.tokens import TokenVerifier

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:1/"


@pytest.fixture(scope="session")
def settings(make_settings, tmp_path_factory) -> Settings:
    return make_settings(
        Settings,
        service="account",
        storage_url=tmp_path_factory.mktemp("files").as_uri(),
        database_pool_size=16,
        auth_grpc="127.0.0.1:1",
        onboarding_grpc="127.0.0.1:1",
        listings_grpc="127.0.0.1:1",
        health_auth_url=NOWHERE,
        health_onboarding_url=NOWHERE,
        health_listings_url=NOWHERE,
    )


@pytest.fixture(scope="session")
def account_database(settings, migrated_database) -> Database:
    return migrated_database(settings, package="cas_account")


@pytest.fixture
def database(account_database) -> Iterator[Database]:
    yield account_database
    empty_tables(account_database)


@pytest.fixture(scope="session")
def examples() -> dict[str, object]:
    """A value that is accepted for each field of a template, in the form in which it is answered."""
    return {
        "subjects": ["Mathematics", "Physics"],
        "levels": ["GCSE", "A-Level"],
        "skill_levels": {"GCSE": 5, "A-Level": True},
        "teaching_experience": "5-10 years",
        "hourly_rate": 45.5,
        "hourly_rate_range": {"min": 40, "max": 50},
        "qualifications": ["MSc Mathematics"],
        "teaching_methods": ["Interactive"],
        "availability": {"monday": [{"start": "09:00", "end": "12:00"}]},
        "unavailability": [{"fromDate": "2026-08-01", "toDate": "2026-08-14"}],
        "specializations": ["Exam Preparation"],
        "session_types": ["one_on_one", "online"],
        "bio": "First line\nsecond line",
        "education_level": "GCSE",
        "learning_goals": ["Improve grades"],
        "learning_preferences": ["Fast-paced"],
        "budget_range": "20-40",
        "sessions_per_week": "2",
        "session_duration": "1 hour",
        "special_needs": ["Large print"],
        "additional_info": "Evenings only",
        "agency_name": "Ada & Co",
        "services": ["Tutor placement"],
        "subject_specializations": ["Sciences"],
        "education_levels": ["GCSE", "Adult Education"],
        "coverage_areas": ["London"],
        "years_in_business": "3-5 years",
        "number_of_tutors": "6-10",
        "student_capacity": "25-100",
        "commission_rate": 12.5,
        "certifications": ["Teaching Certificate"],
        "website_url": "https://ada.example",
        "description": "We teach.",
        "max_students_per_week": 12,
        "travel_radius_km": 7.5,
        "willing_to_travel": False,
        "preferred_student_age_range": {"min": 11, "max": 18},
        "student_ages": [12, 14],
        "preferred_session_length": "an hour",
        "preferred_session_frequency": "weekly",
        "preferred_delivery_format": ["online", "in_person"],
        "tutor_network_size": "20",
        "agency_size": "small",
        "online_service_available": True,
    }


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def user_id(database) -> UUID:
    """A user who has a profile."""
    new_user = uuid4()
    with database.transaction() as session:
        welcome(
            session,
            identity=Identity(
                user_id=new_user, email="ada@example.com", email_verified=True, display_name="Ada Lovelace"
            ),
            agent_id=new_agent_id(),
            now=NOW,
        )
    return new_user


@pytest.fixture
def auth_service() -> Iterator["AuthService"]:
    """An auth service on a loopback port, as far as this service asks anything of it."""
    service = AuthService()
    yield service
    service.stop()


@pytest.fixture
def auth(auth_service) -> Iterator[AuthClient]:
    client = AuthClient(auth_service.target)
    yield client
    client.close()


@pytest.fixture
def listings_service() -> Iterator["ListingsService"]:
    """A listings service on a loopback port, as far as this service asks anything of it."""
    service = ListingsService()
    yield service
    service.stop()


@pytest.fixture
def listings(listings_service) -> Iterator[ListingsClient]:
    client = ListingsClient(listings_service.target)
    yield client
    client.close()


@pytest.fixture
def onboarding_service() -> Iterator["OnboardingService"]:
    """An onboarding service on a loopback port, as far as this service asks anything of it."""
    service = OnboardingService()
    yield service
    service.stop()


@pytest.fixture
def onboarding(onboarding_service) -> Iterator[OnboardingClient]:
    client = OnboardingClient(onboarding_service.target)
    yield client
    client.close()


@pytest.fixture
def limiter(redis_server) -> RateLimiter:
    """Limits that nobody has used up yet."""
    return RateLimiter(redis_server.url(), prefix=f"test-{uuid4()}")


@pytest.fixture
def storage(settings, tmp_path) -> Storage:
    """A folder of this test's own."""
    return Storage.of(settings.model_copy(update={"storage_url": (tmp_path / "files").as_uri()}))


@pytest.fixture(scope="session")
def images() -> Iterator[ImageProcessor]:
    processor = ImageProcessor()
    yield processor
    processor.close()


@pytest.fixture
def parts(database, limiter, storage, auth, onboarding, listings) -> tuple[Part, ...]:
    """Everybody who keeps anything about users."""
    return (AccountPart(database, limiter, storage), onboarding, listings, auth)


@pytest.fixture
def relay(database, auth, listings, storage, parts) -> Relay:
    handlers = tasks.handlers(database, auth, listings, storage, parts)
    return Relay(database, outbox_messages, handlers, patient=ERASURE_TOPICS)


@pytest.fixture
def revoked() -> set[str]:
    """The sessions this process knows to have ended."""
    return set()


@pytest.fixture
def patient(monkeypatch):
    """Nothing that answers is slow: a busy machine must not look like a broken system."""
    monkeypatch.setattr(health, "SLOW_FROM", float("inf"))
    monkeypatch.setattr(health_checks, "HARD_LIMIT", timedelta(minutes=1))


@pytest.fixture
def app(database, issuer, settings, parts, limiter, auth, revoked, storage, images):
    """The REST application with this test's own keys; nothing was called before."""
    monitor = health_checks.HealthMonitor({"database": database.ping})
    yield create_app(
        title="Account",
        version="test",
        routers=rest.ROUTERS,
        dependencies=AccountDependencies(
            database=database,
            verifier=TokenVerifier(
                issuer=settings.issuer, audience=settings.audience, keys=issuer, revoked=revoked
            ),
            media_url=settings.media_url,
            health=monitor,
            issuer=settings.issuer,
            limiter=limiter,
            parts=parts,
            sessions=auth,
            storage=storage,
            images=images,
        ),
        readiness=Readiness(),
        render_error=rest.render_error,
    )
    monitor.close()


@pytest.fixture
def client(app) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def session_id() -> str:
    """Ada's session."""
    return str(uuid4())


@pytest.fixture
def ada(client, issuer, user_id, session_id):
    """A client whose every call is Ada's."""
    metadata = {"full_name": "Ada Lovelace"}
    client.headers.update(issuer.bearer(user_id, session_id=session_id, user_metadata=metadata))
    return client


class AuthService(auth_pb2_grpc.AuthServiceServicer):
    """Remembers the roles it is told; `refusal` is raised instead when set.

    `kept` is what it keeps about every user, as sections and documents; `ended` are sessions that have ended.
    """

    def __init__(self) -> None:
        self.kept: list[tuple[str, dict]] = []
        self.ended: set[str] = set()
        self.calls: list[str] = []
        self.told: list[tuple[str, list[str], str, int]] = []
        self.refusal: DomainError | None = None
        self._server = RpcServer(lambda server: auth_pb2_grpc.add_AuthServiceServicer_to_server(self, server))
        self.target = f"127.0.0.1:{self._server.start(host='127.0.0.1', port=0)}"

    def SetAppRoles(self, request, context):  # noqa: N802
        if self.refusal is not None:
            raise self.refusal
        self.told.append((request.user_id, list(request.roles), request.active_role, request.version))
        return auth_pb2.SetAppRolesResponse(applied=True)

    def ExportUser(self, request, context):  # noqa: N802
        if self.refusal is not None:
            raise self.refusal
        for section, document in self.kept:
            yield auth_pb2.ExportUserResponse(section=section, document=json.dumps(document).encode())

    def IntrospectSession(self, request, context):  # noqa: N802
        self._hear("IntrospectSession")
        if len(request.session_id) != len(str(uuid4())):
            raise ValidationFailed
        return auth_pb2.IntrospectSessionResponse(active=request.session_id not in self.ended)

    def CloseUser(self, request, context):  # noqa: N802
        self._hear(f"CloseUser {request.user_id}")
        return auth_pb2.CloseUserResponse(ended=1)

    def EraseUser(self, request, context):  # noqa: N802
        self._hear(f"EraseUser {request.user_id}")
        return auth_pb2.EraseUserResponse(rows=4)

    def _hear(self, call: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.calls.append(call)

    def stop(self) -> None:
        self._server.stop(timedelta(0))


class ListingsService(listings_pb2_grpc.ListingsServiceServicer):
    """Remembers the owners it is told; `kept` is what it keeps about every user."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, dict]] = []
        self.told: list[tuple[str, str, str, int]] = []
        self.erased: list[str] = []
        self._server = RpcServer(
            lambda server: listings_pb2_grpc.add_ListingsServiceServicer_to_server(self, server)
        )
        self.target = f"127.0.0.1:{self._server.start(host='127.0.0.1', port=0)}"

    def RefreshOwner(self, request, context):  # noqa: N802
        self.told.append((request.user_id, request.display_name, request.avatar_url, request.version))
        return listings_pb2.RefreshOwnerResponse(changed=1)

    def ExportUser(self, request, context):  # noqa: N802
        for section, document in self.kept:
            yield listings_pb2.ExportUserResponse(section=section, document=json.dumps(document).encode())

    def EraseUser(self, request, context):  # noqa: N802
        self.erased.append(request.user_id)
        return listings_pb2.EraseUserResponse(rows=3)

    def stop(self) -> None:
        self._server.stop(timedelta(0))


class OnboardingService(onboarding_pb2_grpc.OnboardingServiceServicer):
    """`kept` is what it keeps about every user; `refusal` is raised instead of an answer when set."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, dict]] = []
        self.erased: list[str] = []
        self.refusal: DomainError | None = None
        self._server = RpcServer(
            lambda server: onboarding_pb2_grpc.add_OnboardingServiceServicer_to_server(self, server)
        )
        self.target = f"127.0.0.1:{self._server.start(host='127.0.0.1', port=0)}"

    def ExportUser(self, request, context):  # noqa: N802
        for section, document in self.kept:
            yield onboarding_pb2.ExportUserResponse(section=section, document=json.dumps(document).encode())
        if self.refusal is not None:
            raise self.refusal

    def EraseUser(self, request, context):  # noqa: N802
        if self.refusal is not None:
            raise self.refusal
        self.erased.append(request.user_id)
        return onboarding_pb2.EraseUserResponse(rows=2)

    def stop(self) -> None:
        self._server.stop(timedelta(0))
