"""Measure several ways of doing the same thing in turn, so that what else a machine does meets them all."""

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping

from benchmarks.load import Result

WARM_UP_SECONDS = 3
Measure = Callable[[int | None, int], Result]  # from the rate (None: as fast as it goes) and the seconds


def options(description: str | None, *, rate: int) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--rate", type=int, default=rate, help="requests per second, for latencies (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement (default: %(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="interleaved repetitions (default: %(default)s)"
    )
    return parser.parse_args()


def interleaved(
    ways: Mapping[str, Measure], *, rate: int, seconds: int, rounds: int
) -> dict[str, dict[str, Result]]:
    """Medians over rounds in which each way has its turn, kept busy and at a fixed rate."""
    for measure in ways.values():
        measure(None, WARM_UP_SECONDS)
    results: dict[str, dict[str, list[Result]]] = {"busy": {}, "paced": {}}
    for number in range(1, rounds + 1):
        for way, measure in ways.items():
            print(f"round {number}: {way}", file=sys.stderr)
            for kind, pace in (("busy", None), ("paced", rate)):
                results[kind].setdefault(way, []).append(measure(pace, seconds))
    return {kind: {way: median(found) for way, found in by_way.items()} for kind, by_way in results.items()}


def median(results: list[Result]) -> Result:
    """Each figure's median."""
    return Result(
        per_second=statistics.median(result.per_second for result in results),
        p50=statistics.median(result.p50 for result in results),
        p99=statistics.median(result.p99 for result in results),
        cpu={group: statistics.median(result.cpu[group] for result in results) for group in results[0].cpu},
    )


def report(title: str, *, baseline: str, busy: Mapping[str, Result], paced: Mapping[str, Result]) -> None:
    """Print a Markdown table, with the service's CPU as a share of the baseline's where there is one."""
    print(f"\n{title}\n")
    print("| way | CPU ms | of baseline | gateway CPU ms | database CPU ms | per second | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|---|")
    for way, result in busy.items():
        columns = [
            way,
            f"{result.cpu['service']:.2f}",
            f"{result.cpu['service'] / busy[baseline].cpu['service']:.0%}" if baseline else "",
            f"{result.cpu['gateway']:.2f}" if way == "gateway" else "",
            f"{result.cpu['database']:.2f}" if way != "argon2" else "",
            f"{result.per_second:.0f}",
            f"{paced[way].p50:.2f}",
            f"{paced[way].p99:.2f}",
        ]
        print(f"| {' | '.join(columns)} |")
