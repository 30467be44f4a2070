"""What a file is by its content, read from its header without decoding anything.

Cheap enough for a request: a refusal here costs no process. The decoder holds what it finds against the same limits.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from cas_kit.images.errors import (
    FileMissing,
    FileTooLarge,
    ImageTooLarge,
    ImageUnreadable,
    UnsupportedImageType,
)

MOVING = "Moving pictures are not supported. Save one frame as JPEG, PNG or WebP, then try again."
TOO_MANY_SCANS = "The picture is stored in an unusual way. Open it, save it as a plain JPEG, then try again."


class ImageType(StrEnum):
    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """How large a picture may be (docs/spec/domain.md 3.4).

    :param file_bytes: of the file as it arrives.
    :param scans: passes of a JPEG over the whole picture. Encoders write about ten; a small file with thousands keeps a
        decoder busy for minutes.
    """

    file_bytes: int = 5 * 1024 * 1024
    pixels: int = 50_000_000
    side: int = 12_000
    scans: int = 64


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the file says it is; width and height as stored, before it is turned upright."""

    type: ImageType
    width: int
    height: int


def inspect(data: bytes, limits: ImageLimits) -> ImageHeader:
    """The header of a picture that is worth decoding.

    :raises FileMissing: there is nothing.
    :raises FileTooLarge: there is too much.
    :raises UnsupportedImageType: it is no JPEG, PNG or WebP, or it moves.
    :raises ImageUnreadable: it says too little, or has too many scans.
    :raises ImageTooLarge: it has too many pixels.
    """
    if not data:
        raise FileMissing
    if len(data) > limits.file_bytes:
        raise FileTooLarge
    image_type = sniff(data)
    try:
        width, height = _READERS[image_type](data, limits)
    except (struct.error, IndexError) as error:
        raise ImageUnreadable from error
    if min(width, height) < 1:
        raise ImageUnreadable
    if max(width, height) > limits.side or width * height > limits.pixels:
        raise ImageTooLarge
    return ImageHeader(image_type, width, height)


def sniff(data: bytes) -> ImageType:
    """The type by the first bytes; neither name nor content type has a say.

    :raises UnsupportedImageType: none of the three.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return ImageType.JPEG
    if data.startswith(_PNG_SIGNATURE):
        return ImageType.PNG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ImageType.WEBP
    raise UnsupportedImageType


# ---- JPEG ----

# The next marker, as decoders look for it: whatever stands before it is skipped, and so are markers without content.
_NEXT_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_BEFORE_SEGMENT = 2  # bytes of the marker itself


def _read_jpeg(data: bytes, limits: ImageLimits) -> tuple[int, int]:
    """Walk all markers to the end of the image, counting scans; what follows the end is never decoded."""
    size: tuple[int, int] | None = None
    scans = 0
    position = _BEFORE_SEGMENT
    while (found := _NEXT_MARKER.search(data, position)) is not None:
        marker = found[1][0]
        if marker == _END_OF_IMAGE:
            break
        scans += marker == _START_OF_SCAN
        if scans > limits.scans:
            raise ImageUnreadable(TOO_MANY_SCANS)
        if marker in _FRAMES and size is None:
            height, width = struct.unpack_from(">HH", data, found.end() + 3)
            size = width, height
        (length,) = struct.unpack_from(">H", data, found.end())
        position = found.end() + max(length, 2)
    if size is None or scans == 0:
        raise ImageUnreadable
    return size


# ---- PNG ----

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK_FRAME = 12  # bytes of length, type and checksum
_MOST_CHUNKS = 1000  # before the first one with pixels; pictures have about ten


def _read_png(data: bytes, _: ImageLimits) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise ImageUnreadable
    width, height = struct.unpack_from(">II", data, 16)
    position = len(_PNG_SIGNATURE)
    for _chunk in range(_MOST_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"acTL":
            raise UnsupportedImageType(MOVING)
        if kind == b"IDAT":
            return width, height
        position += _CHUNK_FRAME + length
    raise ImageUnreadable


# ---- WebP ----

_ANIMATED = 0x02


def _read_webp(data: bytes, _: ImageLimits) -> tuple[int, int]:
    match data[12:16]:
        case b"VP8X":
            if data[20] & _ANIMATED:
                raise UnsupportedImageType(MOVING)
            return _three_bytes(data, 24) + 1, _three_bytes(data, 27) + 1
        case b"VP8 " if data[23:26] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L" if data[20] == 0x2F:  # noqa: PLR2004  the format's signature byte
            (bits,) = struct.unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise ImageUnreadable


def _three_bytes(data: bytes, at: int) -> int:
    low, high = struct.unpack_from("<HB", data, at)
    return int(low | high << 16)


_READERS: dict[ImageType, Callable[[bytes, ImageLimits], tuple[int, int]]] = {
    ImageType.JPEG: _read_jpeg,
    ImageType.PNG: _read_png,
    ImageType.WEBP: _read_webp,
}
