"""Pictures made of uploaded files. Their rows are the truth; whoever is woken for one claims it (docs/adr/0016)."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from cas_kit.db import Database
from cas_kit.errors import DomainError, Kind, Unavailable
from cas_kit.images import ImageProcessor, Picture
from cas_kit.storage import ObjectNotFound, Storage
from cas_listings.domain.images import (
    NEVER_FINISHED,
    RECIPE,
    RECIPE_AVIF,
    UPLOAD_LOST,
    public_path,
    retry_delay,
    upload_key,
)
from cas_listings.models import ListingImage, ServiceListing
from cas_listings.operations.files import picture_files
from cas_listings.operations.search_index import keep_findable
from cas_listings.repository.images import (
    ImageQueue,
    claim_image,
    list_due_images,
    lock_image,
    measure_images,
)

# A picture that is due for so long was not heard of by any worker: the wake-up is lost, or they are behind.
OVERDUE = timedelta(seconds=10)
SWEEP_LIMIT = 1000

MakePicture = Callable[[bytes], Picture]

log = structlog.get_logger(__name__)


class _NotNow(Exception):
    """The picture was not made in the time it had."""


class _Refused(Exception):
    """No picture can be made of the file."""


@dataclass(frozen=True, slots=True)
class ImageWorkshop:
    """What processing needs.

    :param make: the variants of a file.
    :param media_url: the address below which files are served.
    """

    database: Database
    storage: Storage
    make: MakePicture
    media_url: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """One try at a picture; `attempt` tells it from every other."""

    listing_id: UUID
    image_id: UUID
    owner: UUID
    upload_digest: str
    attempt: int

    def says(self) -> dict[str, object]:
        """The fields of its log lines."""
        return {"image_id": str(self.image_id), "attempt": self.attempt}


def picture_maker(processor: ImageProcessor, *, also_avif: bool) -> MakePicture:
    """Makes the variants of listings' pictures: the same file gives the same bytes."""

    def make(data: bytes) -> Picture:
        picture = processor.process(data, RECIPE)
        if not also_avif:
            return picture
        more = processor.process(data, RECIPE_AVIF).variants
        return Picture(
            width=picture.width,
            height=picture.height,
            variants=(*picture.variants, *more),
            placeholder=picture.placeholder,
            dominant_colour=picture.dominant_colour,
        )

    return make


def process_image(workshop: ImageWorkshop, *, image_id: UUID, now: datetime) -> None:
    """Make a picture of its uploaded file, if it is due and nobody else is at it.

    Safe to repeat and to end at any line: it becomes ready once, or failed with a reason for its owner. What is
    not the picture's fault is tried again for as long as it takes.
    """
    claim = _claim(workshop.database, image_id=image_id, now=now)
    if claim is None:
        return
    try:
        _show(workshop, claim, _made(workshop, claim))
    except _Refused as refusal:
        _fail(workshop.database, claim, reason=str(refusal))
    except _NotNow:
        _put_off(workshop.database, claim, is_excused=False, now=now)
    except Unavailable:
        _put_off(workshop.database, claim, is_excused=True, now=now)
    except Exception:
        _put_off(workshop.database, claim, is_excused=False, now=now)
        raise


def list_overdue_images(database: Database, *, now: datetime) -> list[UUID]:
    """Pictures that nobody has begun although they are due for a while, at most 1000, the longest waiting first."""
    with database.autocommit() as connection:
        return list(list_due_images(connection, due_since=now - OVERDUE, limit=SWEEP_LIMIT))


def image_queue(database: Database, *, now: datetime) -> ImageQueue:
    """How things stand."""
    with database.autocommit() as connection:
        return measure_images(connection, now=now)


def _claim(database: Database, *, image_id: UUID, now: datetime) -> _Claim | None:
    with database.transaction() as session:
        image = claim_image(session, image_id=image_id, now=now)
        if image is None:
            return None
        claim = _Claim(image.listing_id, image.id, image.profile_id, image.upload_digest, image.attempts + 1)
        gives_up = image.never_finishes
        image.begin(now)
    if gives_up:
        _fail(database, claim, reason=NEVER_FINISHED)
        return None
    return claim


def _made(workshop: ImageWorkshop, claim: _Claim) -> Picture:
    try:
        uploaded = workshop.storage.get(upload_key(claim.owner, claim.upload_digest))
    except ObjectNotFound as error:
        raise _Refused(UPLOAD_LOST) from error
    try:
        return workshop.make(uploaded)
    except DomainError as error:
        raise (_NotNow if error.kind is Kind.UNAVAILABLE else _Refused)(error.detail) from error


def _show(workshop: ImageWorkshop, claim: _Claim, picture: Picture) -> None:
    """Write the files, then let the picture show them: its new state and the use of its files are one transaction."""
    path = public_path(claim.owner, picture.digest)
    with workshop.database.transaction() as session:
        claims = picture_files.claim(session, [path])
    for variant in picture.variants:
        workshop.storage.put(f"{path}/{variant.file_name}", variant.data)
    with workshop.database.transaction() as session:
        locked = _lock(session, claim)
        if locked is None:
            return
        listing, image = locked
        picture_files.use(session, claims)
        image.finish(picture, media_url=workshop.media_url)
        _show_change(session, listing)
    log.info("image_processed", **claim.says())


def _put_off(database: Database, claim: _Claim, *, is_excused: bool, now: datetime) -> None:
    delay = retry_delay(claim.attempt, luck=random.random())  # noqa: S311  spreads tries out; nothing secret
    with database.transaction() as session:
        locked = _lock(session, claim)
        if locked is None:
            return
        listing, image = locked
        image.put_off(delay=delay, is_excused=is_excused, now=now)
        if image.never_finishes:
            image.fail(NEVER_FINISHED)
            _show_change(session, listing)
    log.warning("image_put_off", **claim.says(), seconds=int(delay.total_seconds()), excused=is_excused)


def _fail(database: Database, claim: _Claim, *, reason: str) -> None:
    with database.transaction() as session:
        locked = _lock(session, claim)
        if locked is None:
            return
        listing, image = locked
        image.fail(reason)
        _show_change(session, listing)
    log.warning("image_failed", **claim.says(), reason=reason)


def _lock(session: Session, claim: _Claim) -> tuple[ServiceListing, ListingImage] | None:
    return lock_image(session, listing_id=claim.listing_id, image_id=claim.image_id, attempt=claim.attempt)


def _show_change(session: Session, listing: ServiceListing) -> None:
    """Another version, which its owner did not make: `updated_at` stays."""
    listing.version += 1
    keep_findable(session, listing)
