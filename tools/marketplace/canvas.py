"""A sheet to draw on, with Pillow: `Canvas("#fff", "#ccc").disc(750, 500, 80, "#c00")`."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1500, 1000  # in which everything is placed
PIXELS = (1920, 1280)  # of what is finished
_FINER = 2  # drawn so much larger: Pillow's edges are jagged
_SCALE = PIXELS[0] * _FINER / WIDTH


class Canvas:
    """Shapes on a background that goes from one colour to another, top to bottom."""

    def __init__(self, top: str, bottom: str) -> None:
        size = (PIXELS[0] * _FINER, PIXELS[1] * _FINER)
        mask = Image.linear_gradient("L").resize(size)
        self._image = Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), mask)
        self._draw = ImageDraw.Draw(self._image)

    def finished(self) -> Image.Image:
        """What was drawn, in its final size."""
        return self._image.reduce(_FINER)

    def box(self, left: int, top: int, right: int, bottom: int, colour: str, *, corner: int = 0) -> None:
        """A rectangle, with round corners of this radius."""
        self._draw.rounded_rectangle(_scaled(left, top, right, bottom), corner * _SCALE, fill=colour)

    def disc(self, across: int, down: int, radius: int, colour: str) -> None:
        """A filled circle around this point."""
        self._draw.ellipse(_around(across, down, radius), fill=colour)

    def ring(self, across: int, down: int, radius: int, colour: str, *, width: int) -> None:
        """An empty circle around this point."""
        self._draw.ellipse(_around(across, down, radius), outline=colour, width=round(width * _SCALE))

    def line(self, points: Sequence[tuple[int, int]], colour: str, *, width: int) -> None:
        """A line through these points."""
        at = [(across * _SCALE, down * _SCALE) for across, down in points]
        self._draw.line(at, fill=colour, width=round(width * _SCALE), joint="curve")

    def polygon(self, points: Sequence[tuple[int, int]], colour: str) -> None:
        """A filled shape with these corners."""
        self._draw.polygon([(across * _SCALE, down * _SCALE) for across, down in points], fill=colour)

    def text(self, across: int, down: int, words: str, colour: str, *, size: int, anchor: str = "mm") -> None:
        """Words, in the middle of this point or as Pillow's `anchor` says.

        The typeface is the one inside Pillow, so that no machine draws them otherwise.
        """
        font = ImageFont.load_default(size * _SCALE)
        self._draw.text((across * _SCALE, down * _SCALE), words, fill=colour, font=font, anchor=anchor)


def _scaled(*places: int) -> tuple[float, float, float, float]:
    left, top, right, bottom = (place * _SCALE for place in places)
    return left, top, right, bottom


def _around(across: int, down: int, radius: int) -> tuple[float, float, float, float]:
    return _scaled(across - radius, down - radius, across + radius, down + radius)
