"""What pictures cost on one core: our pipeline beside a plain Pillow one that makes the same files.

Every measurement is a process of its own, so that its peak of memory is that of one picture.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pyvips

from benchmarks import naive_images
from cas_kit.images import ImageLimits, decoding, inspect
from cas_kit.images.recipes import Job
from cas_kit.testing.photos import drawn, photo
from cas_listings.domain.images import RECIPE

PHOTOS = {
    "12 MP JPEG": (4000, 3000, ".jpg"),
    "4 MP PNG": (2448, 1632, ".png"),
    "12 MP WebP": (4000, 3000, ".webp"),
}
BASELINES = {"ours": "Pillow", "ours, not encoded": "Pillow, not encoded"}
GRAIN = 6  # standard deviation: about what a telephone's sensor adds
LIMITS = ImageLimits(file_bytes=64 * 1024 * 1024)
# As in the worker; libvips reads it when it is loaded.
ENVIRONMENT = {"VIPS_CONCURRENCY": "1", "MALLOC_ARENA_MAX": "1"}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one picture: seconds of computing, and the most memory its process held."""

    cpu: float
    mebibytes: float


def main() -> None:
    """Print a Markdown table of medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=3, help="interleaved repetitions (default: %(default)s)"
    )
    parser.add_argument("--measure", nargs=2, metavar=("WAY", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        way, file = arguments.measure
        print(json.dumps(asdict(_measure(_ways()[way], Path(file).read_bytes()))))
        return
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print("| photo | way | pictures/s per core | times Pillow | peak MB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, (width, height, kind) in PHOTOS.items():
            file = Path(folder) / f"photo{kind}"
            file.write_bytes(_photo(width, height, kind))
            _report(
                name, {way: _median(costs) for way, costs in _interleaved(file, arguments.rounds).items()}
            )


def _photo(width: int, height: int, kind: str) -> bytes:
    """The same each time: shapes, gradients and grain."""
    grain = pyvips.Image.gaussnoise(width, height, mean=0, sigma=GRAIN, seed=1)
    image = (drawn(width, height) + grain).cast("uchar").copy(interpretation="srgb")
    return photo(kind, image=image, **({} if kind == ".png" else {"Q": 85}))


def _ways() -> dict[str, Callable[[bytes], object]]:
    return {
        "ours": _render,
        "Pillow": lambda data: naive_images.render(data, RECIPE.widths, RECIPE.quality),
        "ours, not encoded": _resize,
        "Pillow, not encoded": lambda data: naive_images.resize(data, RECIPE.widths),
    }


def _render(data: bytes) -> object:
    return decoding.render(Job(RECIPE, inspect(data, LIMITS).type.value, LIMITS.pixels, data))


def _resize(data: bytes) -> list[bytes]:
    """What the pipeline does before it encodes: the largest at once, the smaller ones of that."""
    largest = pyvips.Image.thumbnail_buffer(data, RECIPE.widths[-1], size="down").copy_memory()
    return [largest.thumbnail_image(width).write_to_memory() for width in RECIPE.widths[:-1]]


def _measure(make: Callable[[bytes], object], data: bytes) -> Cost:
    make(photo(image=drawn(64, 64)))  # what libraries load at their first picture is not the picture's
    began = time.process_time()
    make(data)
    cpu = time.process_time() - began
    return Cost(cpu=cpu, mebibytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _interleaved(file: Path, rounds: int) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {way: [] for way in _ways()}
    for _ in range(rounds):
        for way, found in costs.items():
            command = [sys.executable, "-m", "benchmarks.images", "--measure", way, str(file)]
            answer = subprocess.run(command, env={**ENVIRONMENT}, check=True, capture_output=True).stdout
            found.append(Cost(**json.loads(answer)))
    return costs


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        cpu=statistics.median(cost.cpu for cost in costs),
        mebibytes=statistics.median(cost.mebibytes for cost in costs),
    )


def _report(name: str, costs: dict[str, Cost]) -> None:
    for way, cost in costs.items():
        baseline = costs[BASELINES[way]].cpu / cost.cpu if way in BASELINES else 1
        print(f"| {name} | {way} | {1 / cost.cpu:.1f} | {baseline:.1f} | {cost.mebibytes:.0f} |", flush=True)


if __name__ == "__main__":
    main()
