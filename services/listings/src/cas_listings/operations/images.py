"""Pictures of a listing: uploaded, put in order and removed by its owner (docs/spec/domain.md 6.6)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy.orm import Session

from cas_kit.db import Database
from cas_kit.errors import DomainError, Unavailable
from cas_kit.images import ImageLimits, inspect
from cas_kit.storage import Storage
from cas_kit.uploads import UploadedFile
from cas_listings import repository
from cas_listings.domain.images import (
    MOST_IMAGES,
    ImageNotFound,
    ImageState,
    Order,
    TooManyImages,
    digest_in,
    upload_key,
    upload_path,
)
from cas_listings.models import ListingImage, ServiceListing, outbox
from cas_listings.operations.erasure import hold_user
from cas_listings.operations.files import picture_files
from cas_listings.operations.locking import CheckVersion, lock_listing
from cas_listings.operations.search_index import keep_findable

IMAGE_UPLOADED = "images.uploaded"  # the topic that wakes a worker

_LIMITS = ImageLimits()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that looks like a picture, as it was received."""

    digest: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Rejection:
    """A file that is none, by the name its owner gave it."""

    filename: str
    error: DomainError


@dataclass(frozen=True, slots=True)
class Batch:
    """Files that came together, each judged by itself; the same file twice is one."""

    accepted: tuple[Upload, ...]
    rejected: tuple[Rejection, ...]

    @property
    def digests(self) -> tuple[str, ...]:
        """Of what was accepted, in order."""
        return tuple(upload.digest for upload in self.accepted)


def judge_files(files: Sequence[UploadedFile]) -> Batch:
    """Look at the headers of files; whether a picture can be decoded is for the worker to find out."""
    accepted: dict[str, Upload] = {}
    rejected: list[Rejection] = []
    for file in files:
        try:
            content = file.require()
            inspect(content, _LIMITS)
        except DomainError as error:
            rejected.append(Rejection(file.name, error))
        else:
            digest = sha256(content).hexdigest()
            accepted.setdefault(digest, Upload(digest, content))
    return Batch(tuple(accepted.values()), tuple(rejected))


def store_uploads(
    database: Database, storage: Storage, *, listing_id: UUID, owner: UUID, batch: Batch
) -> Mapping[str, UUID]:
    """Write the files outside any transaction; unless a listing soon has them, they are removed again. Safe to repeat.

    :returns: the claims on them, for `add_images`; none when that is going to refuse.
    :raises Unauthenticated: the owner was erased after the token was issued.
    :raises Unavailable: the storage cannot take them now.
    """
    if not batch.accepted:
        return {}
    with database.transaction() as session:
        hold_user(session, user_id=owner)
        listing = repository.lock_own_listing(session, listing_id=listing_id, owner=owner)
        if listing is None or _too_many(listing, batch):
            return {}
        paths = [upload_path(owner, digest) for digest in batch.digests]
        claims = picture_files.claim(session, paths)
    for upload in batch.accepted:
        storage.put(upload_key(owner, upload.digest), upload.content)
    return claims


def add_images(
    session: Session,
    *,
    listing_id: UUID,
    owner: UUID,
    batch: Batch,
    claims: Mapping[str, UUID],
    check_version: CheckVersion,
    now: datetime,
) -> tuple[ServiceListing, list[ListingImage]]:
    """Add stored files to a listing, at its end, and have them processed.

    A file that the listing has already is not added again; one that failed is tried anew.

    :returns: the listing, and the picture of each accepted file.
    :raises ListingNotFound: there is none, or it is not theirs.
    :raises VersionMismatch: the caller knows another version.
    :raises IllegalTransition: it is archived.
    :raises DomainError: why the first file was rejected, when all were.
    :raises TooManyImages: they do not all fit.
    :raises Unavailable: storing them took so long that they may be gone again.
    """
    listing = _lock_editable(
        session, listing_id=listing_id, owner=owner, check_version=check_version, now=now
    )
    if not batch.accepted:
        raise batch.rejected[0].error
    if _too_many(listing, batch):
        raise TooManyImages
    if not claims:
        raise Unavailable
    picture_files.use(session, claims)
    present = {image.upload_digest: image for image in listing.images}
    added = {
        digest: ListingImage.uploaded(owner=owner, upload_digest=digest, now=now)
        for digest in batch.digests
        if digest not in present
    }
    images = [(present | added)[digest] for digest in batch.digests]
    again = [image for image in images if image.state is ImageState.FAILED]
    for image in again:
        image.try_again(now=now)
    if listing.arrange([*listing.images, *added.values()]) or again:
        _advance(session, listing, now=now)
    process_soon(session, [*added.values(), *again])
    return listing, images


def order_images(
    session: Session,
    *,
    listing_id: UUID,
    owner: UUID,
    order: Order,
    check_version: CheckVersion,
    now: datetime,
) -> ServiceListing:
    """Put the pictures into the owner's order, and write what they say about them. Changing nothing keeps the version.

    :raises ListingNotFound: there is none, or it is not theirs.
    :raises VersionMismatch: the caller knows another version.
    :raises IllegalTransition: it is archived.
    :raises ValidationFailed: the order does not name each picture once.
    """
    listing = _lock_editable(
        session, listing_id=listing_id, owner=owner, check_version=check_version, now=now
    )
    images = {image.id: image for image in listing.images}
    changed = listing.arrange([images[image_id] for image_id in order.sorted([*images])])
    for image_id, alt_text in order.alt_texts.items():
        changed |= images[image_id].alt_text != alt_text
        images[image_id].alt_text = alt_text
    if changed:
        _advance(session, listing, now=now)
    return listing


def remove_image(
    session: Session,
    *,
    listing_id: UUID,
    image_id: UUID,
    owner: UUID,
    check_version: CheckVersion,
    now: datetime,
) -> ServiceListing:
    """Take a picture out of a listing; its files go when no other one uses them.

    :raises ListingNotFound: there is no such listing, or it is not theirs.
    :raises VersionMismatch: the caller knows another version.
    :raises IllegalTransition: it is archived.
    :raises ImageNotFound: it has no such picture.
    """
    listing = _lock_editable(
        session, listing_id=listing_id, owner=owner, check_version=check_version, now=now
    )
    removed = [image for image in listing.images if image.id == image_id]
    if not removed:
        raise ImageNotFound
    listing.arrange([image for image in listing.images if image.id != image_id])
    _advance(session, listing, now=now)
    release_images(session, removed)
    repository.add_audit_entry(
        session,
        actor_id=owner,
        acting_role=listing.created_as_role,
        action="picture_removed",
        thing=f"listing/{listing.id}",
        now=now,
        details={"picture": str(image_id)},
    )
    return listing


def arrange_named(listing: ServiceListing, urls: Sequence[str], *, now: datetime) -> bool:
    """Bring the pictures that these addresses show to the front, in this order; says whether that is new.

    The others stay behind them: a client that lists only what is ready removes nothing. Foreign addresses are nobody's.

    :raises IllegalTransition: that would change an archived listing.
    """
    named = [digest for url in urls if (digest := digest_in(url)) is not None]
    places = {digest: place for place, digest in reversed([*enumerate(named)])}
    arranged = sorted(listing.images, key=lambda image: places.get(image.digest or "", len(named)))
    if arranged == [*listing.images]:
        return False
    listing.check_editable(now=now)
    return listing.arrange(arranged)


def process_soon(session: Session, images: Iterable[ListingImage]) -> None:
    """Have a worker woken for those that wait, once this transaction is durable."""
    for image in images:
        if image.state is ImageState.PENDING:
            outbox.add(session, topic=IMAGE_UPLOADED, payload={"image_id": str(image.id)})


def release_images(session: Session, images: Iterable[ListingImage]) -> None:
    """The files of pictures that are going to be gone."""
    picture_files.release(session, [path for image in images for path in image.paths])


def _lock_editable(
    session: Session, *, listing_id: UUID, owner: UUID, check_version: CheckVersion, now: datetime
) -> ServiceListing:
    listing = lock_listing(session, listing_id=listing_id, owner=owner, check_version=check_version)
    listing.check_editable(now=now)
    return listing


def _advance(session: Session, listing: ServiceListing, *, now: datetime) -> None:
    listing.advance(now=now)
    keep_findable(session, listing)


def _too_many(listing: ServiceListing, batch: Batch) -> bool:
    present = {image.upload_digest for image in listing.images}
    return len(present.union(batch.digests)) > MOST_IMAGES
