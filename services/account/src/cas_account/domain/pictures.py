"""The two pictures of a profile: their sizes, and where their files are (docs/spec/domain.md 3.4)."""

from dataclasses import dataclass
from uuid import UUID

from cas_kit.images import Picture, Recipe

AREA = "profiles"


@dataclass(frozen=True, slots=True)
class PicturePlace:
    """One of the pictures of a profile.

    :param url_columns: what shows it; the first one counts, the others follow it.
    :param path_column: the prefix of its files, empty when it was not uploaded here.
    """

    name: str
    recipe: Recipe
    url_columns: tuple[str, ...]
    path_column: str


AVATAR = PicturePlace(
    name="avatar",
    recipe=Recipe(widths=(64, 128, 256, 400), square=True),
    url_columns=("avatar_url", "custom_picture_url"),
    path_column="avatar_storage_path",
)
COVER = PicturePlace(
    name="cover",
    recipe=Recipe(widths=(640, 1280, 1920)),
    url_columns=("cover_photo_url",),
    path_column="cover_storage_path",
)
PLACES = (AVATAR, COVER)


def files_of_user(user_id: UUID) -> str:
    """The prefix of everything a user has uploaded."""
    return f"{AREA}/{user_id}"


def files_of_picture(user_id: UUID, picture: Picture) -> str:
    """The prefix of the variants of one picture: the same picture has the same."""
    return f"{files_of_user(user_id)}/{picture.digest}"


def owner_of(prefix: str) -> UUID:
    """Whose files these are."""
    return UUID(prefix.split("/")[1])


def shows(url: str, path: str) -> bool:
    """Whether this address is one of the files below this prefix."""
    return bool(path) and f"/{path}/" in url
