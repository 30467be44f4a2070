"""Pictures for tests, made by libvips and by hand."""

import struct
import zlib

import pyvips

CANARY = b"<script>canary</script>"
"""What no picture may carry through: stands in tails, comments and metadata of the files below."""

GPS = {
    "exif-ifd3-GPSLatitude": "51/1 30/1 0/1",
    "exif-ifd3-GPSLongitude": "0/1 7/1 0/1",
    "exif-ifd3-GPSLatitudeRef": "N",
}


def drawn(width: int = 320, height: int = 240) -> pyvips.Image:
    """A picture in three bands whose top left quarter is red and whose colours differ everywhere."""
    across = pyvips.Image.xyz(width, height)
    red = (across[0] < width / 2) & (across[1] < height / 2)
    green, blue = across[0] * (255 / width), across[1] * (255 / height)
    bands = red.ifthenelse(255, 40).bandjoin([green, blue])
    return bands.cast("uchar").copy(interpretation="srgb")


def photo(kind: str = ".jpg", *, image: pyvips.Image | None = None, **options: object) -> bytes:
    """The picture as a file: `photo(".png", interlace=True)`."""
    data: bytes = (image or drawn()).write_to_buffer(kind, **options)
    return data


def tagged(
    image: pyvips.Image | None = None, *, orientation: int = 1, fields: dict[str, str] | None = None
) -> bytes:
    """A JPEG with EXIF fields."""
    tags = (image or drawn()).copy()
    tags.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    for name, value in (fields or {}).items():
        tags.set_type(pyvips.GValue.gstr_type, name, value)
    return photo(".jpg", image=tags, keep="all")


def segment(marker: int, content: bytes) -> bytes:
    """One segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def with_segment(jpeg: bytes, marker: int, content: bytes) -> bytes:
    """The JPEG with one more segment at its beginning."""
    return jpeg[:2] + segment(marker, content) + jpeg[2:]


def with_scans(jpeg: bytes, count: int) -> bytes:
    """A progressive JPEG whose last scan comes again until there are `count`."""
    last = jpeg.rindex(b"\xff\xda")
    scan, end = jpeg[last:-2], jpeg[-2:]
    return jpeg[:last] + scan * (count - jpeg[:last].count(b"\xff\xda")) + end


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """The PNG with one more chunk after its header."""
    return png[:33] + chunk(kind, content) + png[33:]


def blank_png(width: int, height: int, *, depth: int = 8, colour: int = 2, interlaced: bool = False) -> bytes:
    """A PNG whose every byte is 0: tiny, however large the picture."""
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    passes = _adam7(width, height) if interlaced else [(width, height)]
    size = sum(rows * (1 + (columns * samples * depth + 7) // 8) for columns, rows in passes if columns)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", _zeros(size)) + chunk(b"IEND", b"")


def _adam7(width: int, height: int) -> list[tuple[int, int]]:
    starts = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    return [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in starts]


def _zeros(size: int) -> bytes:
    packer, block = zlib.compressobj(9), bytes(1 << 20)
    parts = [packer.compress(block) for _ in range(size >> 20)]
    return b"".join([*parts, packer.compress(bytes(size % (1 << 20))), packer.flush()])


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG that says how large it is, and nothing more."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    scan = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")
    return b"\xff\xd8" + segment(0xC0, frame) + scan + b"\x00" * 16 + b"\xff\xd9"


def webp_header(width: int, height: int, *, flags: int = 0) -> bytes:
    """A WebP with an extended header only."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<IB3x", 10, flags) + size
    return b"RIFF" + struct.pack("<I", 4 + len(extended)) + b"WEBP" + extended


def moving(kind: str) -> bytes:
    """Three frames."""
    frames = pyvips.Image.arrayjoin([drawn(64, 64), drawn(64, 64).invert(), drawn(64, 64)], across=1).copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 64)
    return photo(kind, image=frames)
