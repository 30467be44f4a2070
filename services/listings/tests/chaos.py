"""Workers that are killed, and a Redis that forgets everything, while many pictures wait."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, text

from cas_kit.db import Database
from cas_kit.errors import Unavailable
from cas_kit.outbox import Relay
from cas_kit.storage import Storage
from cas_kit.testing import until
from cas_kit.testing.photos import drawn, photo
from cas_kit.worker import create_celery
from cas_listings import tasks
from cas_listings.domain.images import ImageState, upload_key
from cas_listings.domain.listing import new_fields
from cas_listings.domain.owner import Owner
from cas_listings.domain.roles import Role
from cas_listings.models import ListingImage, ServiceListing, outbox
from cas_listings.operations.files import REMOVE_UNUSED
from cas_listings.operations.images import IMAGE_UPLOADED
from cas_listings.operations.processing import OVERDUE
from cas_local.redis import RedisServer

PER_LISTING = 10
PROGRAM = [sys.executable, "-c", "from cas_listings.main import main; main()", "worker"]
# A try takes far less, so whoever claimed a picture so long ago is dead: nobody waits for the real lease.
LEASE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """How many pictures, and what happens to those who process them, spread evenly over the run."""

    pictures: int
    worker_kills: int
    redis_kills: int

    def due(self, done: int, kills: int) -> int:
        """How many of `kills` have happened when so many pictures are done."""
        return min(kills, done * (kills + 1) // self.pictures)


class Workers:
    """Two workers, of which one can be killed at any time."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._running = [self._start(), self._start()]
        self.killed = 0

    def kill_one(self) -> None:
        """End the older one with everything it started, and start another."""
        self._kill(self._running.pop(0))
        self.killed += 1
        self._running.append(self._start())

    def kill_all(self) -> None:
        while self._running:
            self._kill(self._running.pop())

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                PROGRAM, env=self._environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def upload_pictures(database: Database, storage: Storage, *, count: int) -> None:
    """Listings with ten small pictures each that wait to be processed, as uploads leave them."""
    files = [photo(".png", image=drawn(8 + number, 8)) for number in range(PER_LISTING)]
    digests = [sha256(file).hexdigest() for file in files]
    now = datetime.now(UTC)
    for _ in range(count // PER_LISTING):
        owner = Owner(user_id=uuid4(), display_name="", avatar_url=None, version=0)
        listing = ServiceListing.draft(uuid4(), owner=owner, role=Role.TUTOR, fields=new_fields({}), now=now)
        listing.slug = f"listing-{listing.id}"
        images = [ListingImage.uploaded(owner=owner.user_id, upload_digest=each, now=now) for each in digests]
        listing.arrange(images)
        for digest, file in zip(digests, files, strict=True):
            storage.put(upload_key(owner.user_id, digest), file)
        with database.transaction() as session:
            session.add(listing)
            session.flush()
            session.execute(insert(outbox.table), [_wake_up(image.id) for image in images])


def _wake_up(image_id: UUID) -> dict[str, object]:
    return {
        "id": uuid4(),
        "topic": IMAGE_UPLOADED,
        "payload": {"image_id": str(image_id)},
        "request_id": "",
        "next_attempt_at": datetime.now(UTC),
    }


@contextmanager
def service(database: Database, storage: Storage, redis: RedisServer) -> Iterator[None]:
    """The relay and the sweeper of the service, which looks as often as it may and takes nothing for young."""
    celery = create_celery(service="listings", redis_url=redis.url(), tasks=tasks.WOKEN)
    handlers = tasks.handlers(database, None, storage, celery)
    relay = Relay(database, outbox.table, handlers, patient=tasks.PATIENT)
    stop = threading.Event()
    threads = [
        threading.Thread(target=relay.run, args=[stop]),
        threading.Thread(target=partial(_sweep, database, celery, stop)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        relay.wake()
        for thread in threads:
            thread.join()
        celery.close()


def _sweep(database, celery, stop) -> None:
    while not stop.wait(1):
        try:
            tasks.sweep_images(database, celery, now=datetime.now(UTC) + OVERDUE)
        except Unavailable:
            continue


def endure(database: Database, workers: Workers, redis: RedisServer, plan: Plan, *, within: float) -> float:
    """Kill by plan until nothing waits; returns the seconds it took."""
    began = time.monotonic()
    redis_killed = 0

    def look() -> bool:
        nonlocal redis_killed
        done = plan.pictures - _pending(database)
        if redis_killed < plan.due(done, plan.redis_kills):
            redis.process.kill()
            redis.start()
            redis_killed += 1
        if workers.killed < plan.due(done, plan.worker_kills):
            workers.kill_one()
        _end_leases_of_the_dead(database)
        return done == plan.pictures

    until(look, within=within)
    assert (workers.killed, redis_killed) == (plan.worker_kills, plan.redis_kills)
    return time.monotonic() - began


def _pending(database: Database) -> int:
    with database.autocommit() as connection:
        waiting = select(func.count()).where(ListingImage.state == ImageState.PENDING)
        return int(connection.scalar(waiting) or 0)


def _end_leases_of_the_dead(database: Database) -> None:
    with database.transaction() as session:
        session.execute(
            text(
                "UPDATE listing_images SET run_after = now() WHERE state = 'pending' AND attempts > 0 "
                "AND run_after BETWEEN now() AND now() + make_interval(secs => 90 - :seconds)"
            ),
            {"seconds": LEASE_SECONDS},
        )


def effects(database: Database) -> tuple[int, int]:
    """How many pictures are ready, and how often a listing changed because one became so."""
    with database.autocommit() as connection:
        ready = connection.scalar(select(func.count()).where(ListingImage.state == ImageState.READY))
        changes = connection.scalar(select(func.sum(ServiceListing.version - 1)))
    return int(ready or 0), int(changes or 0)


def files_are_whole(database: Database, storage: Storage, relay: Relay) -> bool:
    """Whether, once every claim on files has run out, exactly those are left that a picture uses."""
    with database.transaction() as session:
        session.execute(
            outbox.table.update()
            .where(outbox.table.c.topic == REMOVE_UNUSED)
            .values(next_attempt_at=func.now())
        )
    while relay.run_once():
        pass
    with database.autocommit() as connection:
        images = [
            ListingImage(**row) for row in connection.execute(select(ListingImage.__table__)).mappings()
        ]
    used = {path for image in images for path in image.paths}
    there = {key.rpartition("/")[0] for area in ("uploads", "listings") for key in storage.list_prefix(area)}
    return used == there
