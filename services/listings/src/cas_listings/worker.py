"""The worker of the listings service: `cas-listings worker`."""

import argparse

from celery import Celery

from cas_kit.db import Database
from cas_kit.images import ImageProcessor
from cas_kit.pulse import Pulse
from cas_kit.service import Command
from cas_kit.storage import Storage
from cas_kit.worker import Task, create_celery, run_worker
from cas_listings.operations.processing import ImageWorkshop, picture_maker
from cas_listings.settings import Settings
from cas_listings.tasks import image_task


def build(settings: Settings) -> Celery[Task]:
    """The tasks, connected to nothing yet."""
    database = Database(settings, application_name="cas-listings-worker")

    def open_workshop() -> ImageWorkshop:
        processor = ImageProcessor(at_once=1)
        return ImageWorkshop(
            database=database,
            storage=Storage.of(settings),
            make=picture_maker(processor, also_avif=settings.images_in_avif),
            media_url=settings.media_url,
        )

    return create_celery(
        service="listings", redis_url=str(settings.redis_url), tasks=[image_task(open_workshop)]
    )


def _work(settings: Settings, _: argparse.Namespace) -> None:
    run_worker(
        build(settings),
        concurrency=settings.worker_concurrency,
        pulse=Pulse(settings.revocations, of="listings"),
    )


WORKER = Command("worker", "process pictures", _work)
