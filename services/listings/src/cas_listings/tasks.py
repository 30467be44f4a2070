"""What this service does on its own: work that leaves through the outbox, and Celery tasks."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from uuid import UUID

from celery import Celery

from cas_kit.db import Database
from cas_kit.outbox import Handler, Message
from cas_kit.storage import Storage
from cas_kit.worker import QueuedTask, Task, task_named
from cas_listings import metrics
from cas_listings.clients import AccountClient
from cas_listings.operations.files import REMOVE_UNUSED, remove_unused
from cas_listings.operations.images import IMAGE_UPLOADED
from cas_listings.operations.owners import LOOK_FOR_OWNER, find_owner
from cas_listings.operations.processing import (
    ImageWorkshop,
    image_queue,
    list_overdue_images,
    process_image,
)
from cas_listings.operations.reindex import remove_leftovers
from cas_listings.operations.search_index import LISTINGS_OUTDATED, find_drift, index_outdated

PROCESS_IMAGE = "listings.process_image"
IMAGE_QUEUE = "listings.images"

# For processes that only wake workers.
WOKEN = (QueuedTask(PROCESS_IMAGE, IMAGE_QUEUE),)
# Account, the broker and the storage may be away for as long as they like: then all this comes later.
PATIENT = frozenset({LOOK_FOR_OWNER, IMAGE_UPLOADED, REMOVE_UNUSED})


def handlers(
    database: Database, account: AccountClient, storage: Storage, celery: Celery[Task]
) -> dict[str, Handler]:
    """What the relay does with each topic."""
    return {
        LOOK_FOR_OWNER: partial(find_owner, database, account),
        LISTINGS_OUTDATED: partial(index_owners_listings, database),
        IMAGE_UPLOADED: partial(wake_for_image, celery),
        REMOVE_UNUSED: partial(remove_files, database, storage),
    }


def index_owners_listings(database: Database, message: Message) -> None:
    """Bring the index up to date about somebody's listings. Safe to repeat."""
    index_outdated(database, owner=UUID(message.payload["user_id"]))


def repair_search(database: Database) -> None:
    """Compare the index with the listings, say how they differ, and repair it. Safe in several replicas at once.

    :raises Unavailable: what a killed reindex left could not be removed yet.
    """
    remove_leftovers(database)
    drift = find_drift(database)
    metrics.SEARCH_DRIFT.labels("outdated").set(drift.outdated)
    metrics.SEARCH_DRIFT.labels("hidden").set(drift.hidden)
    if drift.outdated or drift.hidden:
        index_outdated(database)


def image_task(open_workshop: Callable[[], ImageWorkshop]) -> QueuedTask:
    """The task that processes one picture.

    :param open_workshop: called once in each process that runs tasks: no thread of a storage survives a fork.
    """
    workshop = cache(open_workshop)

    def run(*, image_id: str, **_: object) -> None:
        process_image(workshop(), image_id=UUID(image_id), now=datetime.now(UTC))

    return QueuedTask(PROCESS_IMAGE, IMAGE_QUEUE, run)


def wake_for_image(celery: Celery[Task], message: Message) -> None:
    """Have the picture of an outbox message processed.

    :raises Unavailable: the broker is away; the relay tries again.
    """
    task_named(celery, PROCESS_IMAGE).wake(image_id=str(message.payload["image_id"]))


def remove_files(database: Database, storage: Storage, message: Message) -> None:
    """Remove files unless a picture uses them now.

    :raises Unavailable: the storage is away; the relay tries again.
    """
    remove_unused(database, storage, path=message.payload["path"])


def sweep_images(database: Database, celery: Celery[Task], *, now: datetime) -> None:
    """Wake workers again for pictures whose wake-up was lost; say how things stand.

    As long as as many messages wait as pictures do, none is lost and the workers are only behind.

    :raises Unavailable: the broker or the database is away.
    """
    queue = image_queue(database, now=now)
    metrics.IMAGES_PENDING.set(queue.pending)
    metrics.IMAGE_AGE.set(queue.age.total_seconds())
    task = task_named(celery, PROCESS_IMAGE)
    overdue = list_overdue_images(database, now=now)
    if overdue and task.backlog() < len(overdue):
        for image_id in overdue:
            task.wake(image_id=str(image_id))
