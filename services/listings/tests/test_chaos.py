"""Kills of workers and of Redis at any moment: every picture is processed, and has its effect once (docs/adr/0016)."""

import pytest

from cas_listings.models import outbox
from cas_local.redis import RedisServer

from .chaos import Plan, Workers, effects, endure, files_are_whole, service, upload_pictures

SMALL = Plan(pictures=200, worker_kills=4, redis_kills=1)
LARGE = Plan(pictures=20_000, worker_kills=40, redis_kills=5)


@pytest.fixture
def forgetful_redis(tmp_path):
    """A Redis that keeps nothing: whoever kills it empties every queue."""
    with RedisServer(tmp_path / "redis", persistent=False) as server:
        yield server


@pytest.fixture
def workers(settings, forgetful_redis, tmp_path):
    environment = {
        "CAS_LISTINGS_ENVIRONMENT": "test",
        "CAS_LISTINGS_DATABASE_URL": settings.database_url.get_secret_value(),
        "CAS_LISTINGS_REDIS_URL": forgetful_redis.url(),
        "CAS_LISTINGS_ACCOUNT_GRPC": settings.account_grpc,
        "CAS_LISTINGS_STORAGE_URL": settings.storage_url,
        "CAS_LISTINGS_WORKER_CONCURRENCY": "1",
    }
    workers = Workers(environment, tmp_path / "workers.log")
    yield workers
    workers.kill_all()


@pytest.mark.parametrize(
    ("plan", "within"),
    [
        pytest.param(SMALL, 120, id="a few hundred"),
        pytest.param(LARGE, 3600, id="twenty thousand", marks=pytest.mark.chaos),
    ],
)
def test_kills_lose_no_picture_and_repeat_no_effect(
    plan, within, database, storage, forgetful_redis, workers, relay, record_property
):
    upload_pictures(database, storage, count=plan.pictures)
    with service(database, storage, forgetful_redis):
        seconds = endure(database, workers, forgetful_redis, plan, within=within)
    record_property("pictures_per_second", plan.pictures / seconds)
    workers.kill_all()
    assert effects(database) == (plan.pictures, plan.pictures)
    assert files_are_whole(database, storage, relay)
    with database.autocommit() as connection:
        assert connection.execute(outbox.table.select()).all() == []
