"""What is made of a picture, and what came of it: the words between a service and the process that decodes."""

from enum import StrEnum
from hashlib import sha256

import msgspec


class OutputFormat(StrEnum):
    """The value is also the ending of a file's name."""

    WEBP = "webp"
    AVIF = "avif"

    @property
    def media_type(self) -> str:
        """As a `Content-Type`."""
        return f"image/{self.value}"


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """The same picture and recipe give the same bytes.

    :param widths: in pixels. Nothing is enlarged: a picture that is smaller gets its own width, once.
    :param square: cut the middle out, instead of keeping the shape.
    :param quality: 1 to 100, on the scale of the format.
    :param preview: also make a placeholder and find the dominant colour.
    """

    widths: tuple[int, ...]
    square: bool = False
    format: OutputFormat = OutputFormat.WEBP
    quality: int = 80
    preview: bool = False


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One size of a picture, without any metadata, in sRGB."""

    width: int
    height: int
    format: OutputFormat
    data: bytes

    @property
    def file_name(self) -> str:
        """Unique among the variants of a picture in one format."""
        return f"{self.width}.{self.format.value}"


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture, upright.

    :param width, height: of the whole picture, before anything was made smaller or cut.
    :param variants: from the smallest to the largest.
    :param placeholder: a data URI of at most 1 KB to show while a variant loads.
    :param dominant_colour: as `#rrggbb`.
    """

    width: int
    height: int
    variants: tuple[Variant, ...]
    placeholder: str | None = None
    dominant_colour: str | None = None

    @property
    def digest(self) -> str:
        """A name for exactly these variants, in hexadecimal."""
        content = sha256()
        for variant in self.variants:
            content.update(sha256(variant.data).digest())
        return content.hexdigest()

    def variant(self, width: int) -> Variant:
        """The variant that was made for this width: of a smaller picture, its largest."""
        return next((each for each in self.variants if each.width >= width), self.variants[-1])


# ---- between the service and the process that decodes ----

STARTED = b"."  # what a child says first: from then on, whatever ends it is the picture's doing


class Bounds(msgspec.Struct, frozen=True):
    """What one picture may cost.

    :param memory: bytes of address space.
    :param cpu: seconds of computing.
    :param wall: seconds from first to last byte, whatever the machine is busy with.
    """

    memory: int = 768 * 1024 * 1024
    cpu: int = 5
    wall: float = 10.0


class Job(msgspec.Struct, frozen=True):
    """What the decoding process is asked.

    :param image_type: decides alone which decoder is used.
    """

    recipe: Recipe
    image_type: str
    pixels: int
    data: bytes


class Answer(msgspec.Struct, frozen=True):
    """What it answers: a picture, or the code of a refusal."""

    picture: Picture | None = None
    refusal: str | None = None
