"""Pictures from strangers: refused with a name, or made anew; whatever they try, in a process that is bounded."""

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
import pyvips

from cas_kit.errors import DomainError, Unavailable
from cas_kit.images import (
    FileTooLarge,
    ImageLimits,
    ImageProcessor,
    ImageUnreadable,
    OutputFormat,
    Recipe,
    inspect,
)
from cas_kit.images.recipes import Bounds
from cas_kit.testing import until
from cas_kit.testing.hostile_images import SPECIMENS
from cas_kit.testing.photos import CANARY, drawn, jpeg_header, photo, tagged

LISTING = Recipe(widths=(320, 640, 1280, 1920), preview=True)
AVATAR = Recipe(widths=(64, 128, 256, 400), square=True)
MARKS = (CANARY, b"Exif", b"EXIF", b"ICCP", b"XMP ", b"GPS", b"PK\x03\x04", b"<html")


@cache
def huge() -> bytes:
    """A small file that takes 400 MB and a second."""
    return SPECIMENS["png-of-49-megapixels-in-16-bit-interlaced"].make()


@pytest.fixture(scope="module")
def processor() -> Iterator[ImageProcessor]:
    processor = ImageProcessor()
    yield processor
    processor.close()


@pytest.fixture
def bounded() -> Iterator:
    """Make a processor whose pictures may cost this much."""
    made = []

    def make(**bounds) -> ImageProcessor:
        made.append(ImageProcessor(bounds=Bounds(**bounds), at_once=1))
        return made[-1]

    yield make
    for processor in made:
        processor.close()


def opened(data: bytes) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(data, "")


def warm_pid(processor: ImageProcessor) -> int:
    return processor._warm._process.pid


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class TestHostileFiles:
    @pytest.mark.parametrize("name", [name for name, each in SPECIMENS.items() if each.refusal])
    def test_are_refused_with_their_code(self, processor, name):
        with pytest.raises(DomainError, match=r"\.$") as refused:
            processor.process(SPECIMENS[name].make(), LISTING)
        assert refused.value.code == SPECIMENS[name].refusal

    @pytest.mark.parametrize("name", [name for name, each in SPECIMENS.items() if not each.refusal])
    def test_are_cleaned(self, processor, name):
        for variant in processor.process(SPECIMENS[name].make(), LISTING).variants:
            assert variant.data[:4] == b"RIFF"
            assert int.from_bytes(variant.data[4:8], "little") + 8 == len(variant.data)
            assert not [mark for mark in MARKS if mark in variant.data]
            image = opened(variant.data)
            assert (image.width, image.height) == (variant.width, variant.height)
            assert image.interpretation == "srgb"

    def test_are_at_least_a_hundred(self):
        assert len(SPECIMENS) >= 100

    def test_leave_the_process_that_serves_the_others_alone(self, processor):
        processor.process(photo(), AVATAR)
        warm = warm_pid(processor)
        for name in ("jpg-cut-at-40-percent", "png-garbled", "webp-cut-at-70-percent"):
            with pytest.raises(ImageUnreadable):
                processor.process(SPECIMENS[name].make(), AVATAR)
        assert warm_pid(processor) == warm


class TestBounds:
    def test_of_memory_end_one_picture_and_not_the_next(self, bounded):
        processor = bounded(memory=300 * 1024 * 1024)
        with pytest.raises(ImageUnreadable):
            processor.process(huge(), AVATAR)
        assert processor.process(photo(), AVATAR).variants

    def test_of_computing_end_one_picture_and_not_the_next(self, bounded):
        processor = bounded(cpu=1, memory=4 * 1024**3)
        with pytest.raises(ImageUnreadable, match="too long to open"):
            processor.process(huge(), Recipe(widths=(7000,)))
        assert processor.process(photo(), AVATAR).variants

    def test_of_time_mean_that_the_machine_is_too_busy(self, bounded):
        processor = bounded(wall=0.2)
        with pytest.raises(Unavailable):
            processor.process(huge(), AVATAR)

    def test_leave_nothing_running(self, bounded):
        processor = bounded(wall=0.2)
        with pytest.raises(Unavailable):
            processor.process(huge(), AVATAR)
        warm = warm_pid(processor)
        until(lambda: not children_of(warm))
        processor.close()
        assert not Path(f"/proc/{warm}").exists()

    def test_hold_for_the_largest_picture_that_is_allowed(self, processor):
        assert processor.process(huge(), AVATAR).width == 7000


class TestAWarmProcess:
    def test_that_was_killed_is_replaced(self, bounded):
        processor = bounded()
        first = processor.process(photo(), AVATAR)
        os.kill(warm_pid(processor), signal.SIGKILL)
        assert processor.process(photo(), AVATAR) == first

    def test_outlives_what_a_terminal_or_supervisor_tells_the_whole_group(self, bounded):
        processor = bounded()
        processor.process(photo(), AVATAR)
        warm = warm_pid(processor)
        os.kill(warm, signal.SIGTERM)
        os.kill(warm, signal.SIGINT)
        processor.process(photo(), AVATAR)
        assert warm_pid(processor) == warm

    def test_has_one_thread_and_no_memory_of_pictures(self, bounded):
        processor = bounded()
        processor.process(photo(image=drawn(2000, 2000)), AVATAR)
        status = Path(f"/proc/{warm_pid(processor)}/status").read_text()
        assert re.search(r"Threads:\s+1\n", status)

    def test_serves_many_threads_at_once(self, processor):
        files = [photo(image=drawn(300 + number, 200)) for number in range(12)]
        with ThreadPoolExecutor(6) as threads:
            pictures = list(threads.map(lambda file: processor.process(file, AVATAR), files))
        assert [picture.width for picture in pictures] == [300 + number for number in range(12)]


class TestAPicture:
    def test_is_the_same_every_time(self, processor, bounded):
        file = photo(image=drawn(900, 700))
        first = processor.process(file, LISTING)
        assert first == processor.process(file, LISTING) == bounded().process(file, LISTING)
        assert re.fullmatch(r"[0-9a-f]{64}", first.digest)
        assert first.digest != processor.process(photo(image=drawn(900, 699)), LISTING).digest

    def test_is_never_enlarged(self, processor):
        def sizes(width, height, recipe):
            made = processor.process(photo(image=drawn(width, height)), recipe)
            return [(variant.width, variant.height) for variant in made.variants]

        assert sizes(2000, 1000, LISTING) == [(320, 160), (640, 320), (1280, 640), (1920, 960)]
        assert sizes(500, 1000, LISTING) == [(320, 640), (500, 1000)]
        assert sizes(10, 10, LISTING) == [(10, 10)]
        assert sizes(900, 500, AVATAR) == [(64, 64), (128, 128), (256, 256), (400, 400)]
        assert sizes(300, 100, AVATAR) == [(64, 64), (100, 100)]

    def test_has_a_variant_for_every_width_that_was_asked(self, processor):
        picture = processor.process(photo(image=drawn(300, 100)), AVATAR)
        assert [picture.variant(width).width for width in AVATAR.widths] == [64, 100, 100, 100]
        assert [variant.file_name for variant in picture.variants] == ["64.webp", "100.webp"]

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_stands_upright(self, processor, orientation):
        """The red quarter, which is at the top left of what was drawn, is where the orientation says."""
        picture = processor.process(tagged(orientation=orientation), LISTING)
        upright = orientation < 5
        assert (picture.width, picture.height) == ((320, 240) if upright else (240, 320))
        image = opened(picture.variants[-1].data)
        left, top = image.width // 4, image.height // 4
        corners = {"tl": (left, top), "tr": (3 * left, top), "bl": (left, 3 * top), "br": (3 * left, 3 * top)}
        red = [name for name, corner in corners.items() if image(*corner)[0] > 150]
        expected = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}
        assert red == [expected[orientation]]

    @pytest.mark.parametrize(
        "name", ["jpeg-cmyk", "jpeg-cmyk-with-profile", "png-16-bit", "jpeg-with-a-p3-profile"]
    )
    def test_keeps_its_colours(self, processor, name):
        picture = processor.process(SPECIMENS[name].make(), LISTING)
        red, green, blue = opened(picture.variants[-1].data)(20, 20)[:3]
        assert red > 180
        assert max(green, blue) < 110

    def test_keeps_its_transparency(self, processor):
        picture = processor.process(SPECIMENS["webp-transparent"].make(), LISTING)
        assert abs(opened(picture.variants[-1].data)(20, 20)[3] - 128) < 8

    def test_has_a_placeholder_and_a_colour_when_asked(self, processor):
        picture = processor.process(photo(image=drawn(640, 480)), LISTING)
        assert picture.placeholder.startswith("data:image/webp;base64,")
        assert len(picture.placeholder) <= 1024
        assert re.fullmatch(r"#[0-9a-f]{6}", picture.dominant_colour)
        plain = pyvips.Image.black(64, 64, bands=3).copy(interpretation="srgb").linear(1, [255, 0, 0])
        assert (
            processor.process(photo(".png", image=plain.cast("uchar")), LISTING).dominant_colour == "#ff0000"
        )
        assert processor.process(photo(), AVATAR).placeholder is None

    def test_can_be_avif(self, processor):
        recipe = Recipe(widths=(160,), format=OutputFormat.AVIF)
        (variant,) = processor.process(photo(), recipe).variants
        assert variant.data[4:12] == b"ftypavif"
        assert variant.file_name == "160.avif"
        assert processor.process(photo(), recipe).variants == (variant,)


class TestInspect:
    def test_takes_a_file_of_exactly_the_limit(self):
        limits = ImageLimits()
        assert limits.file_bytes == 5 * 1024 * 1024
        file = photo()
        full = file + bytes(limits.file_bytes - len(file))
        assert inspect(full, limits).width == 320
        with pytest.raises(FileTooLarge):
            inspect(full + b"\x00", limits)

    def test_takes_50_megapixels_and_12000_on_a_side(self):
        assert inspect(jpeg_header(10000, 5000), ImageLimits()).height == 5000
        assert inspect(jpeg_header(12000, 4000), ImageLimits()).width == 12000

    def test_is_quick_on_files_made_to_be_slow(self):
        """Whatever is between the markers is skipped by the regular expression engine, not byte by byte."""
        worst = jpeg_header(64, 64)[:-2] + b"\xff\x00" * 2_500_000
        assert inspect(worst, ImageLimits()).width == 64
