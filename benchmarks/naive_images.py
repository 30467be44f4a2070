"""What a team would write first: the variants of a picture by Pillow alone."""

import base64
from collections import Counter
from io import BytesIO

from PIL import Image, ImageOps

PLACEHOLDER_WIDTH, PLACEHOLDER_QUALITY = 16, 30
SWATCH, STEP = 32, 32


def render(data: bytes, widths: tuple[int, ...], quality: int) -> tuple[list[bytes], str, str]:
    """The variants, the placeholder and the dominant colour."""
    upright = _upright(data)
    variants = [_webp(_fitted(upright, width), quality) for width in widths]
    tiny = base64.b64encode(_webp(_fitted(upright, PLACEHOLDER_WIDTH), PLACEHOLDER_QUALITY)).decode()
    return variants, f"data:image/webp;base64,{tiny}", _dominant_colour(upright)


def resize(data: bytes, widths: tuple[int, ...]) -> list[Image.Image]:
    """The variants before they are encoded."""
    upright = _upright(data)
    return [_fitted(upright, width) for width in widths]


def _upright(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


def _fitted(image: Image.Image, width: int) -> Image.Image:
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _webp(image: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    image.save(out, "WEBP", quality=quality)
    return out.getvalue()


def _dominant_colour(image: Image.Image) -> str:
    raw = _fitted(image, SWATCH).tobytes()
    cells = Counter(tuple(value // STEP for value in raw[at : at + 3]) for at in range(0, len(raw), 3))
    ((cell, _),) = cells.most_common(1)
    return "#" + "".join(f"{value * STEP + STEP // 2:02x}" for value in cell)
