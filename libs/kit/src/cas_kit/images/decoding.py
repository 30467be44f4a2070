"""Decoding and encoding with libvips. Runs only in the processes that `cas_kit.images.forking` starts."""

import base64
import struct
from collections import Counter
from collections.abc import Mapping, Sequence

import pyvips

from cas_kit.images.errors import ImageTooLarge, ImageUnreadable, UnsupportedImageType
from cas_kit.images.inspection import ImageType
from cas_kit.images.recipes import Answer, Job, OutputFormat, Picture, Recipe, Variant

LOADERS = {
    ImageType.JPEG: "VipsForeignLoadJpeg",
    ImageType.PNG: "VipsForeignLoadPng",
    ImageType.WEBP: "VipsForeignLoadWebp",
}
UNBOUNDED = 10_000_000  # libvips's own word for it
TURNED = range(5, 9)  # orientations that swap width and height
WEBP_EFFORT, AVIF_EFFORT = 2, 2  # of 6 and 9: above that, each more percent costs twice the time
PLACEHOLDER = Recipe(widths=(16,), quality=30)
SWATCH = 32  # pixels on a side of the copy that colours are counted in
STEPS_OF_COLOUR = 32  # colours that fall into the same cell of this size count as one
OPAQUE_FROM = 128
PROFILE_HEADER, PROFILE_NAME = 128, 36  # bytes; of the description, as many as four letters may need


def allow_three_formats() -> None:
    """Switch off every loader that is not needed, so that no content can choose another."""
    pyvips.operation_block_set("VipsForeignLoad", True)  # noqa: FBT003  its only form
    for loader in LOADERS.values():
        pyvips.operation_block_set(loader, False)  # noqa: FBT003
    pyvips.cache_set_max(0)


def answer(job: Job) -> Answer:
    """The picture, or why there is none."""
    try:
        return Answer(picture=render(job))
    except (ImageUnreadable, ImageTooLarge, UnsupportedImageType) as refusal:
        return Answer(refusal=refusal.code)
    except (pyvips.Error, MemoryError, struct.error):
        return Answer(refusal=ImageUnreadable.code)


def render(job: Job) -> Picture:
    """Decode once, at the largest size that is asked for; make the smaller ones of that.

    :raises ImageTooLarge: the decoder finds more pixels than the header told.
    :raises UnsupportedImageType: the decoder finds another type than the header told, or several frames.
    """
    recipe = job.recipe
    image = _opened(job)
    width, height = _upright_size(image)
    whole = min(width, height) if recipe.square else width
    widths = sorted({min(asked, whole) for asked in recipe.widths})
    largest = _decode(job.data, widths[-1], square=recipe.square, profile=_output_profile(image))
    variants = [_variant(largest, each, recipe) for each in widths]
    return Picture(
        width=width,
        height=height,
        variants=tuple(variants),
        placeholder=_placeholder(largest) if recipe.preview else None,
        dominant_colour=_dominant_colour(largest) if recipe.preview else None,
    )


def _opened(job: Job) -> pyvips.Image:
    """Its header as the decoder sees it."""
    image = pyvips.Image.new_from_buffer(job.data, "", access="sequential")
    if not image.get("vips-loader").startswith(job.image_type) or _number(image, "n-pages") > 1:
        raise UnsupportedImageType
    if image.width * image.height > job.pixels:
        raise ImageTooLarge
    return image


def _upright_size(image: pyvips.Image) -> tuple[int, int]:
    turned = _number(image, "orientation") in TURNED
    return (image.height, image.width) if turned else (image.width, image.height)


def _number(image: pyvips.Image, name: str) -> int:
    return int(image.get(name)) if image.get_typeof(name) else 1


def _output_profile(image: pyvips.Image) -> dict[str, str]:
    """How colours become sRGB: by their own profile, which takes as long as all the rest, or they are sRGB already."""
    embedded: bytes = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else b""
    if image.interpretation == "cmyk" or (embedded and not _is_srgb(embedded)):
        return {"output_profile": "srgb"}
    return {}


def _is_srgb(profile: bytes) -> bool:
    """Whether a profile calls itself sRGB, as those of most cameras and telephones do (ICC.1:2022, 7.3 and 10.15)."""
    start = profile.find(b"desc", PROFILE_HEADER)
    (offset,) = struct.unpack_from(">I", profile, start + 4) if start > 0 else (len(profile),)
    description = profile[offset : offset + PROFILE_NAME]
    return description[12:].startswith(b"sRGB") or description[28:] == "sRGB".encode("utf-16-be")


def _decode(data: bytes, width: int, *, square: bool, profile: Mapping[str, str]) -> pyvips.Image:
    """Upright, in 8-bit sRGB; JPEG and WebP are decoded no larger than needed."""
    image = pyvips.Image.thumbnail_buffer(
        data,
        width,
        height=width if square else UNBOUNDED,
        size="down",
        crop="centre" if square else "none",
        option_string="[fail_on=error]",  # the operation's own `fail_on` does not reach the loader
        **profile,
    )
    if image.interpretation != "srgb":
        image = image.colourspace("srgb")
    return image.cast("uchar").copy_memory()


def _variant(largest: pyvips.Image, width: int, recipe: Recipe) -> Variant:
    image = largest
    if width < largest.width:
        image = largest.thumbnail_image(width, height=UNBOUNDED, size="down")
    return Variant(width=image.width, height=image.height, format=recipe.format, data=_encode(image, recipe))


def _encode(image: pyvips.Image, recipe: Recipe) -> bytes:
    data: bytes
    if recipe.format is OutputFormat.AVIF:
        data = image.heifsave_buffer(compression="av1", Q=recipe.quality, effort=AVIF_EFFORT, keep="none")
    else:
        data = image.webpsave_buffer(Q=recipe.quality, effort=WEBP_EFFORT, keep="none")
    return data


def _placeholder(largest: pyvips.Image) -> str:
    (width,) = PLACEHOLDER.widths
    tiny = largest.thumbnail_image(width, height=width, size="down")
    return f"data:image/webp;base64,{base64.b64encode(_encode(tiny, PLACEHOLDER)).decode()}"


def _dominant_colour(largest: pyvips.Image) -> str:
    """The mean of the most frequent colours, those that differ little taken together."""
    cells: dict[tuple[int, ...], list[Sequence[int]]] = {}
    for pixel in _pixels(largest):
        cells.setdefault(tuple(value // STEPS_OF_COLOUR for value in pixel), []).append(pixel)
    ((_, most),) = Counter({cell: len(pixels) for cell, pixels in cells.items()}).most_common(1)
    fullest = next(pixels for pixels in cells.values() if len(pixels) == most)
    return "#" + "".join(f"{round(sum(values) / most):02x}" for values in zip(*fullest, strict=True))


def _pixels(largest: pyvips.Image) -> list[Sequence[int]]:
    """Red, green and blue of what can be seen; of a picture that is wholly transparent, of everything."""
    small = largest.thumbnail_image(SWATCH, height=SWATCH, size="down")
    raw, bands = small.write_to_memory(), small.bands
    pixels = [raw[start : start + bands] for start in range(0, len(raw), bands)]
    seen = [pixel for pixel in pixels if bands == 3 or pixel[3] >= OPAQUE_FROM]  # noqa: PLR2004  red, green, blue
    return [pixel[:3] for pixel in seen or pixels]
