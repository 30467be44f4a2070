"""Pictures of listings: their limits, where their files are, and what is said about them (docs/spec/domain.md 6.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from cas_fields.reading import Json, Refused, Text, is_blank
from cas_kit.errors import DomainError, FieldProblem, Kind, ValidationFailed
from cas_kit.images import OutputFormat, Recipe

MOST_IMAGES = 10
ALT_TEXT = 200  # characters
SHOWN_WIDTH = 1280  # of the form that `images` lists
RECIPE = Recipe(widths=(320, 640, 1280, 1920), preview=True)
RECIPE_AVIF = Recipe(widths=RECIPE.widths, format=OutputFormat.AVIF, quality=55)

PUBLIC_AREA, PRIVATE_AREA = "listings", "uploads"

# Longer than a task may run (cas_kit.worker): a picture whose worker is gone is free again after it.
LEASE = timedelta(seconds=90)
# A picture that takes its worker down with it, or never gets done, is given up.
MAX_STRIKES = 3
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=10), timedelta(minutes=5)
NEVER_FINISHED = "The picture could not be processed. Save it as a plain JPEG, then upload it again."
UPLOAD_LOST = "The uploaded file is gone. Upload it again."


class ImageState(StrEnum):
    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class ImageNotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "image-not-found"
    sentence = "There is no such picture."


class TooManyImages(DomainError):
    kind = Kind.CONFLICT
    code = "too-many-images"
    sentence = f"A listing can have {MOST_IMAGES} pictures. Remove some, or upload fewer."


# ---- where files are ----


def upload_path(owner: UUID, digest: str) -> str:
    """Where the file is kept as it was received; nothing below it is served."""
    return f"{PRIVATE_AREA}/{owner}/{digest}"


def upload_key(owner: UUID, digest: str) -> str:
    """The file as it was received."""
    return f"{upload_path(owner, digest)}/original"


def public_path(owner: UUID, digest: str) -> str:
    """Where the variants of a picture are: the same variants of one owner are at the same place."""
    return f"{PUBLIC_AREA}/{owner}/{digest}"


def paths_of_owner(owner: UUID) -> tuple[str, str]:
    """Above everything that somebody has uploaded."""
    return f"{PRIVATE_AREA}/{owner}", f"{PUBLIC_AREA}/{owner}"


def owner_and_digest(path: str) -> tuple[UUID, str]:
    """Whose files are below this path, and which; no digest when it is all of them."""
    _, owner, *digest = path.split("/")
    return UUID(owner), "".join(digest)


def digest_in(url: str) -> str | None:
    """The digest in the address of a public file."""
    parts = url.partition("?")[0].split("/")
    return parts[-2] if parts[-4:-3] == [PUBLIC_AREA] else None


# ---- processing ----


def retry_delay(attempts: int, *, luck: float) -> timedelta:
    """How long to wait after this many tries: doubled each time, capped, and up to a quarter longer by luck.

    :param luck: from 0 to 1; keeps pictures that failed together apart.
    """
    delay: timedelta = min(FIRST_DELAY * 2 ** min(attempts - 1, 10), LONGEST_DELAY)
    return delay * (1 + luck / 4)


# ---- order ----


@dataclass(frozen=True, slots=True)
class Order:
    """The pictures of a listing as their owner wants them.

    :param alt_texts: for those that say one.
    :param cover: moves to the front.
    """

    ids: tuple[UUID, ...]
    alt_texts: dict[UUID, str]
    cover: UUID | None = None

    def sorted(self, present: Sequence[UUID]) -> list[UUID]:
        """The ids, cover first.

        :param present: the pictures that there are.
        :raises ValidationFailed: the order does not name each of them once.
        """
        if sorted(self.ids) != sorted(present):
            problem = FieldProblem("images", "must name each picture of the listing once", "incomplete")
            raise ValidationFailed.of([problem])
        if self.cover is not None and self.cover not in self.ids:
            problem = FieldProblem("cover_id", "must be a picture of the listing", "unknown-option")
            raise ValidationFailed.of([problem])
        return sorted(self.ids, key=lambda each: each != self.cover)


def read_order(document: Json) -> Order:
    """The order that a request body asks for.

    :raises ValidationFailed: it is malformed; names everything that is.
    """
    if not isinstance(document, dict) or not isinstance(entries := document.get("images"), list):
        raise ValidationFailed.of(
            [FieldProblem("images", "must list the pictures of the listing", "missing")]
        )
    problems: list[FieldProblem] = []
    read = [_entry(f"images.{number}", entry, problems) for number, entry in enumerate(entries)]
    wanted = document.get("cover_id")
    cover = None if wanted in (None, "") else _id("cover_id", wanted, problems)
    if problems:
        raise ValidationFailed.of(problems)
    named = [(image_id, alt_text) for image_id, alt_text in read if image_id is not None]
    return Order(
        ids=tuple(image_id for image_id, _ in named),
        alt_texts={image_id: alt_text for image_id, alt_text in named if alt_text is not None},
        cover=cover,
    )


def _entry(path: str, entry: Json, problems: list[FieldProblem]) -> tuple[UUID | None, str | None]:
    if not isinstance(entry, dict):
        problems.append(FieldProblem(path, "must be an object with an id"))
        return None, None
    image_id = _id(f"{path}.id", entry.get("id"), problems)
    return image_id, _alt_text(f"{path}.alt_text", entry, problems)


def _id(path: str, value: Json, problems: list[FieldProblem]) -> UUID | None:
    try:
        return UUID(value if isinstance(value, str) else "")
    except ValueError:
        problems.append(FieldProblem(path, "must be the id of a picture"))
        return None


def _alt_text(path: str, entry: dict[str, Json], problems: list[FieldProblem]) -> str | None:
    if "alt_text" not in entry:
        return None
    try:
        return "" if is_blank(entry["alt_text"]) else Text(ALT_TEXT)(entry["alt_text"])
    except Refused as refusal:
        problems.append(FieldProblem(path, refusal.message, refusal.code))
        return None
