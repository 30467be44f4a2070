"""The listings service on real servers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from starlette.testclient import TestClient

from cas_kit.db import Database
from cas_kit.errors import Unavailable
from cas_kit.images import ImageProcessor
from cas_kit.images.recipes import Bounds
from cas_kit.outbox import Relay
from cas_kit.ratelimit import RateLimiter
from cas_kit.rest import Readiness, create_app
from cas_kit.storage import Storage
from cas_kit.testing.plugin import empty_tables
from cas_kit.tokens import TokenVerifier
from cas_kit.worker import create_celery
from cas_listings import rest, tasks
from cas_listings.domain.owner import Owner
from cas_listings.domain.roles import Role
from cas_listings.domain.template import Template
from cas_listings.models import outbox
from cas_listings.operations.listings import Terms
from cas_listings.operations.processing import ImageWorkshop, picture_maker
from cas_listings.operations.visits import VisitorKeys
from cas_listings.rest.caller import ListingsDependencies
from cas_listings.settings import Settings

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GRACE = timedelta(days=5)
PUBLISHABLE = {
    "title": "GCSE Mathematics with patience",
    "description": "Ten years of teaching, one pupil at a time, and no question too small to ask.",
    "subjects": ["Mathematics"],
    "levels": ["GCSE"],
}


@dataclass
class FakeAccount:
    """What account knows; everybody is away from it while `away`."""

    owners: dict[UUID, Owner] = field(default_factory=dict)
    templates: dict[tuple[UUID, Role], Template] = field(default_factory=dict)
    away: bool = False

    def find_owner(self, user_id: UUID) -> Owner | None:
        if self.away:
            raise Unavailable
        return self.owners.get(user_id)

    def find_template(self, user_id: UUID, role: Role) -> Template | None:
        if self.away:
            raise Unavailable
        return self.templates.get((user_id, role))


@pytest.fixture(scope="session")
def settings(make_settings, tmp_path_factory) -> Settings:
    return make_settings(
        Settings,
        service="listings",
        database_pool_size=16,
        account_grpc="127.0.0.1:1",
        storage_url=f"file://{tmp_path_factory.mktemp('storage')}",
    )


@pytest.fixture(scope="session")
def listings_database(settings, migrated_database) -> Database:
    return migrated_database(settings, package="cas_listings")


@pytest.fixture
def database(listings_database) -> Iterator[Database]:
    yield listings_database
    empty_tables(listings_database)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def terms() -> Terms:
    return Terms(now=NOW, grace=GRACE)


@pytest.fixture
def owner() -> Owner:
    """Ada, a tutor."""
    return Owner(
        user_id=uuid4(),
        display_name="Ada Lovelace",
        avatar_url="https://pictures.example/ada.webp",
        roles=(Role.TUTOR,),
        active_role=Role.TUTOR,
        version=3,
    )


@pytest.fixture
def account(owner) -> FakeAccount:
    return FakeAccount({owner.user_id: owner})


@pytest.fixture
def storage(settings) -> Iterator[Storage]:
    """Empty again afterwards."""
    storage = Storage.of(settings, links_below=f"{settings.media_url}uploads/")
    yield storage
    for area in ("uploads", "listings"):
        storage.delete_prefix(area)


@pytest.fixture
def celery(settings):
    """Wakes workers; nobody is there to run anything."""
    app = create_celery(service="listings", redis_url=str(settings.redis_url), tasks=tasks.WOKEN)
    yield app
    app.close()


@pytest.fixture
def relay(database, account, storage, celery) -> Relay:
    return Relay(database, outbox.table, tasks.handlers(database, account, storage, celery))


@pytest.fixture(scope="session")
def processor() -> Iterator[ImageProcessor]:
    """Patient: a machine that runs many tests may take long for the largest pictures."""
    processor = ImageProcessor(at_once=2, bounds=Bounds(wall=60.0))
    yield processor
    processor.close()


@pytest.fixture
def workshop(database, storage, processor, settings) -> ImageWorkshop:
    return ImageWorkshop(
        database, storage, picture_maker(processor, also_avif=False), media_url=settings.media_url
    )


@pytest.fixture
def app(database, issuer, settings, account, storage):
    """The REST application with this test's own keys."""
    return create_app(
        title="Listings",
        version="test",
        routers=rest.ROUTERS,
        dependencies=ListingsDependencies(
            database=database,
            searches=database,
            verifier=TokenVerifier(issuer=settings.issuer, audience=settings.audience, keys=issuer),
            account=account,
            settings=settings,
            limiter=RateLimiter(str(settings.redis_url), prefix=f"test-{uuid4().hex}"),
            visitor_keys=VisitorKeys(database),
            storage=storage,
        ),
        readiness=Readiness(),
    )


@pytest.fixture
def client(app) -> Iterator[TestClient]:
    """Nobody in particular."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def ada(app, issuer, owner) -> Iterator[TestClient]:
    """A client whose every call is Ada's."""
    with TestClient(app, raise_server_exceptions=False, headers=issuer.bearer(owner.user_id)) as client:
        yield client


@pytest.fixture
def grace(app, issuer) -> Iterator[TestClient]:
    """Somebody else, without a role and unknown to account."""
    with TestClient(app, raise_server_exceptions=False, headers=issuer.bearer(uuid4())) as client:
        yield client


@pytest.fixture(scope="session")
def examples() -> dict[str, object]:
    """A value that is accepted for each field, in the form in which it is answered."""
    return {
        "title": "GCSE Mathematics with patience",
        "description": "First line\nsecond line",
        "subjects": ["Maths", "Juggling"],
        "levels": ["GCSE", "A-Level"],
        "languages": ["French", "Klingon"],
        "specializations": ["Dyslexia Support", "Chess openings"],
        "teaching_methods": ["Interactive Learning"],
        "qualifications": ["MSc Mathematics"],
        "academic_qualifications": ["PhD"],
        "professional_qualifications": ["QTS"],
        "teaching_experience": "5-10",
        "hourly_rate": 45.5,
        "hourly_rate_min": 40,
        "hourly_rate_max": 60.25,
        "currency": "EUR",
        "pricing_packages": [
            {"sessions": 5, "price": 199.99, "discount": 12.5, "name": "Five"},
            {"sessions": 10, "price": 0},
        ],
        "free_trial": True,
        "trial_duration_minutes": 45,
        "location_type": "hybrid",
        "location_address": "12 St James's Square",
        "location_city": "London",
        "location_country": "United Kingdom",
        "location_postcode": "SW1A 1AA",
        "timezone": "Asia/Tokyo",
        "availability": {"monday": [{"start": "09:00", "end": "12:00"}]},
        "unavailability": [{"fromDate": "2026-08-01", "toDate": "2026-08-14"}],
        "video_url": "https://videos.example/ada",
        "tags": ["Exam", "patient"],
        "response_time": "Within 1 hour",
    }
