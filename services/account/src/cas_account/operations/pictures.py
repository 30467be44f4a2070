"""Pictures of profiles: files first, then the row that shows them (docs/spec/domain.md 3.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_account import repository
from cas_account.domain.pictures import PicturePlace, files_of_picture, owner_of
from cas_account.models import PictureChange, Profile
from cas_account.operations.cards import announce_card
from cas_account.operations.files import picture_files, release_files
from cas_account.operations.profiles import CheckVersion, lock_own_profile
from cas_kit.db import Database
from cas_kit.images import ImageProcessor, Picture
from cas_kit.storage import Storage


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture whose files are written.

    :param path: what the keys of its files begin with.
    :param claims: keep them for a while.
    """

    path: str
    claims: Mapping[str, UUID]
    picture: Picture

    def url(self, width: int, *, media_url: str) -> str:
        """The address of the variant made for this width."""
        return f"{media_url}{self.path}/{self.picture.variant(width).file_name}"

    def urls(self, place: PicturePlace, *, media_url: str) -> Mapping[str, str]:
        """The address for each width of the place, from the smallest to the largest."""
        return {str(width): self.url(width, media_url=media_url) for width in place.recipe.widths}


def store_picture(database: Database, storage: Storage, *, user_id: UUID, picture: Picture) -> StoredPicture:
    """Write the files of a picture; unless the profile shows it soon, they are removed again.

    The files are written outside any transaction. Safe to repeat.

    :raises Unauthenticated: the user was erased.
    :raises Unavailable: the storage cannot take them now.
    """
    path = files_of_picture(user_id, picture)
    with database.transaction() as session:
        lock_own_profile(session, user_id=user_id)
        claims = picture_files.claim(session, [path])
    for variant in picture.variants:
        storage.put(f"{path}/{variant.file_name}", variant.data)
    return StoredPicture(path, claims, picture)


def make_picture(images: ImageProcessor, *, place: PicturePlace, data: bytes) -> Picture:
    """The variants for this place.

    :raises DomainError: one of `cas_kit.images.errors`, when the file is to blame.
    :raises Unavailable: too many pictures wait.
    """
    return images.process(data, place.recipe)


def show_picture(
    session: Session,
    *,
    user_id: UUID,
    place: PicturePlace,
    stored: StoredPicture,
    media_url: str,
    check_version: CheckVersion,
    now: datetime,
) -> Profile:
    """Let the profile show a stored picture; the files of the one before go when this is committed.

    :raises VersionMismatch: the caller knows another version.
    :raises Unavailable: the files may be gone again.
    """
    profile = lock_own_profile(session, user_id=user_id)
    check_version(profile.version)
    picture_files.use(session, stored.claims)
    url = stored.url(max(place.recipe.widths), media_url=media_url)
    _settle(session, profile, profile.show(place, url=url, path=stored.path, now=now), now=now)
    return profile


def remove_picture(
    session: Session, *, user_id: UUID, place: PicturePlace, check_version: CheckVersion, now: datetime
) -> Profile:
    """Let the profile show none; fine when it shows none.

    :raises VersionMismatch: the caller knows another version.
    """
    profile = lock_own_profile(session, user_id=user_id)
    check_version(profile.version)
    _settle(session, profile, profile.show(place, url="", path="", now=now), now=now)
    return profile


def _settle(session: Session, profile: Profile, change: PictureChange, *, now: datetime) -> None:
    """What follows when a profile shows another picture."""
    release_files(session, user_id=profile.id, released=change.released, now=now)
    announce_card(session, user_id=profile.id, changed=change.columns)


def remove_unused(database: Database, storage: Storage, *, path: str) -> int:
    """Remove the files below this path if the profile shows none of them; returns how many went. Safe to repeat.

    While the message that asks for it is being delivered, nobody can begin to show them (`operations.files`).
    """
    with database.autocommit() as connection:
        shown = repository.list_picture_paths(connection, user_id=owner_of(path))
    if any(f"{each}/".startswith(f"{path}/") for each in shown):
        return 0
    return storage.delete_prefix(path)
