"""Files that somebody may send as a picture, and what has to become of each.

`SPECIMENS[name].make()` gives the bytes. Those without a refusal come out as pictures that hold nothing of
`photos.CANARY`.
"""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cas_kit.testing import photos
from cas_kit.testing.photos import CANARY, GPS, drawn, photo, tagged


@dataclass(frozen=True, slots=True)
class Specimen:
    """One file, and the code of its refusal; None when it is cleaned."""

    make: Callable[[], bytes]
    refusal: str | None = None


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.html", CANARY)
    return buffer.getvalue()


def _page() -> bytes:
    return b"<!DOCTYPE html><html><body>" + CANARY + b"</body></html>"


def _drawing() -> bytes:
    return b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">' + CANARY + b"</svg>"


def _box(brand: bytes) -> bytes:
    return b"\x00\x00\x00\x18ftyp" + brand + b"\x00\x00\x00\x00mif1" + brand + b"\x00" * 64


def _plain(data: bytes) -> Callable[[], bytes]:
    return lambda: data


# ---- no picture of the three kinds ----

_OTHER_KINDS: dict[str, Callable[[], bytes]] = {
    "text": _plain(b"just text"),
    "html": _page,
    "html-after-a-byte-order-mark": lambda: b"\xef\xbb\xbf" + _page(),
    "svg": _drawing,
    "svg-with-declaration": lambda: b'<?xml version="1.0"?>\n' + _drawing(),
    "html-that-names-jpeg": lambda: b"JFIF\x00" + _page(),
    "gif": lambda: photo(".gif"),
    "gif-that-moves": lambda: photos.moving(".gif"),
    "gif-and-script": _plain(b"GIF89a/*" + CANARY + b"*/=1;"),
    "tiff": lambda: photo(".tif"),
    "avif": lambda: photo(".avif", image=drawn(64, 64)),
    "heic": _plain(_box(b"heic")),
    "avif-bomb-header": _plain(_box(b"avif")),
    "mp4": _plain(_box(b"isom")),
    "bmp": _plain(b"BM" + bytes(60)),
    "ico": _plain(b"\x00\x00\x01\x00\x01\x00" + bytes(60)),
    "psd": _plain(b"8BPS\x00\x01" + bytes(60)),
    "jpeg-2000": _plain(b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(60)),
    "jpeg-xl": _plain(b"\xff\x0a" + bytes(60)),
    "openexr": _plain(b"\x76\x2f\x31\x01" + bytes(60)),
    "pdf": _plain(b"%PDF-1.7\n" + CANARY),
    "postscript": _plain(b"%!PS-Adobe-3.0 EPSF-3.0\n" + CANARY),
    "zip": _archive,
    "zip-before-a-jpeg": lambda: _archive() + photo(),
    "executable": _plain(b"\x7fELF" + bytes(60)),
    "riff-sound": _plain(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(32)),
    "nothing-but-zeros": _plain(bytes(4096)),
    "half-a-signature": _plain(b"\xff\xd8"),
    "webp-that-moves": lambda: photos.moving(".webp"),
    "webp-that-says-it-moves": lambda: photos.webp_header(64, 64, flags=0x02),
    "png-that-moves": lambda: photos.with_chunk(photo(".png"), b"acTL", bytes([0, 0, 0, 3, 0, 0, 0, 0])),
}

# ---- broken ----


def _cut(kind: str, percent: int) -> Callable[[], bytes]:
    def cut() -> bytes:
        whole = photo(kind)
        return whole[: max(16, len(whole) * percent // 100)]

    return cut


def _garbled() -> bytes:
    whole = bytearray(photo(".png"))
    middle = len(whole) // 2
    whole[middle : middle + 32] = bytes(32)
    return bytes(whole)


def _scans(count: int) -> Callable[[], bytes]:
    return lambda: photos.with_scans(photo(interlace=True), count)


def _lying_png() -> bytes:
    """Says 48 megapixels, holds one row of them."""
    honest = photos.blank_png(8000, 1)
    header = honest[16:20] + (6000).to_bytes(4, "big") + honest[24:29]
    return honest[:8] + photos.chunk(b"IHDR", header) + honest[33:]


_BROKEN: dict[str, Callable[[], bytes]] = {
    **{
        f"{kind[1:]}-cut-at-{percent}-percent": _cut(kind, percent)
        for kind in (".jpg", ".png", ".webp")
        for percent in (1, 10, 40, 70, 95)
    },
    "jpeg-signature-only": _plain(b"\xff\xd8\xff\xe0"),
    "jpeg-of-garbage": _plain(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 16),
    "jpeg-without-height": lambda: photos.jpeg_header(64, 0),
    "jpeg-and-php": _plain(b"\xff\xd8\xff\xe0<?php system($_GET[0]); ?>" + CANARY),
    "jpeg-of-64-scans-that-repeat": _scans(64),
    "jpeg-of-65-scans": _scans(65),
    "jpeg-of-300-scans": _scans(300),
    "jpeg-of-2000-scans": _scans(2000),
    "png-signature-only": _plain(b"\x89PNG\r\n\x1a\n"),
    "png-without-pixels": lambda: photos.blank_png(64, 64)[:33],
    "png-of-2000-chunks": lambda: photos.blank_png(8, 8)[:33] + photos.chunk(b"tEXt", b"a\x00b") * 2000,
    "png-garbled": _garbled,
    "png-of-one-row-that-says-6000": _lying_png,
    "webp-header-only": lambda: photos.webp_header(64, 64),
    "webp-of-unknown-chunk": _plain(b"RIFF\x10\x00\x00\x00WEBPEVIL\x04\x00\x00\x00AAAA"),
}

_TOO_LARGE: dict[str, Callable[[], bytes]] = {
    "jpeg-header-of-4-gigapixels": lambda: photos.jpeg_header(65500, 65500),
    "jpeg-header-wider-than-12000": lambda: photos.jpeg_header(12001, 8),
    "png-header-of-4-exapixels": lambda: _with_size(0x7FFFFFFF, 0x7FFFFFFF),
    "png-of-50-megapixels-and-a-row": lambda: _with_size(10000, 5001),
    "png-higher-than-12000": lambda: photos.blank_png(1, 12001),
    "webp-canvas-of-268-megapixels": lambda: photos.webp_header(16384, 16384),
}


def _with_size(width: int, height: int) -> bytes:
    honest = photos.blank_png(8, 8)
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + honest[24:29]
    return honest[:8] + photos.chunk(b"IHDR", header) + honest[33:]


# ---- pictures that carry something, or are stored in a rare way ----


def _with_profile(name: str) -> bytes:
    return photo(".jpg", profile=name, keep="icc")


def _false_profile() -> bytes:
    return photos.with_segment(photo(), 0xE2, b"ICC_PROFILE\x00\x01\x01" + CANARY * 40)


_CLEANED: dict[str, Callable[[], bytes]] = {
    "jpeg-and-html-behind": lambda: photo() + _page(),
    "jpeg-and-zip-behind": lambda: photo() + _archive(),
    "png-and-html-behind": lambda: photo(".png") + _page(),
    "png-and-zip-behind": lambda: photo(".png") + _archive(),
    "webp-and-html-behind": lambda: photo(".webp") + _page(),
    "jpeg-with-html-comment": lambda: photos.with_segment(photo(), 0xFE, _page()),
    "jpeg-with-zip-comment": lambda: photos.with_segment(photo(), 0xFE, _archive()),
    "jpeg-with-xmp": lambda: photos.with_segment(photo(), 0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + CANARY),
    "jpeg-with-iptc": lambda: photos.with_segment(photo(), 0xED, b"Photoshop 3.0\x008BIM\x04\x04" + CANARY),
    "jpeg-with-unknown-segment": lambda: photos.with_segment(photo(), 0xEB, CANARY),
    "jpeg-with-gps": lambda: tagged(fields={**GPS, "exif-ifd0-ImageDescription": CANARY.decode()}),
    "jpeg-with-a-false-profile": _false_profile,
    "jpeg-with-a-p3-profile": lambda: _with_profile("p3"),
    "jpeg-with-an-srgb-profile": lambda: _with_profile("srgb"),
    "jpeg-progressive": lambda: photo(interlace=True),
    "jpeg-grey": lambda: photo(image=drawn().colourspace("b-w")),
    "jpeg-cmyk": lambda: photo(image=drawn().icc_transform("cmyk", input_profile="srgb"), keep="none"),
    "jpeg-cmyk-with-profile": lambda: photo(image=drawn().icc_transform("cmyk", input_profile="srgb")),
    "jpeg-of-one-pixel": lambda: photo(image=drawn(1, 1)),
    "png-with-html-text": lambda: photos.with_chunk(photo(".png"), b"tEXt", b"Comment\x00" + CANARY),
    "png-with-exif": lambda: photos.with_chunk(photo(".png"), b"eXIf", b"MM\x00*\x00\x00\x00\x08" + CANARY),
    "png-with-unknown-chunk": lambda: photos.with_chunk(photo(".png"), b"evIl", CANARY),
    "png-16-bit": lambda: photo(".png", image=drawn().colourspace("rgb16")),
    "png-grey-16-bit": lambda: photo(".png", image=drawn().colourspace("grey16")),
    "png-grey-and-transparent": lambda: photo(".png", image=drawn().colourspace("b-w").bandjoin(100)),
    "png-transparent": lambda: photo(".png", image=drawn().bandjoin(0)),
    "png-of-a-palette": lambda: photo(".png", palette=True),
    "png-of-one-bit": lambda: photo(".png", image=drawn().colourspace("b-w"), bitdepth=1),
    "png-interlaced": lambda: photo(".png", interlace=True),
    "png-of-12000-by-1": lambda: photos.blank_png(12000, 1),
    "webp-lossless": lambda: photo(".webp", lossless=True),
    "webp-transparent": lambda: photo(".webp", image=drawn().bandjoin(128)),
    **{f"jpeg-turned-{turn}": partial(tagged, orientation=turn) for turn in range(1, 9)},
    "png-of-49-megapixels-in-8-bit": lambda: photos.blank_png(7000, 7000),
    "png-of-49-megapixels-in-16-bit-interlaced": lambda: photos.blank_png(
        7000, 7000, depth=16, colour=6, interlaced=True
    ),
}

SPECIMENS: dict[str, Specimen] = {
    "empty": Specimen(_plain(b""), "file-missing"),
    **{name: Specimen(make, "unsupported-image-type") for name, make in _OTHER_KINDS.items()},
    **{name: Specimen(make, "image-unreadable") for name, make in _BROKEN.items()},
    **{name: Specimen(make, "image-too-large") for name, make in _TOO_LARGE.items()},
    **{name: Specimen(make) for name, make in _CLEANED.items()},
}
