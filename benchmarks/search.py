"""Measure searches, index builds and writes: ours, the naive way, and tantivy.

`make bench-search`, or `ARGS="--rows 100000 --explain"`. Needs 10 GB of disk for a million listings.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from uuid import UUID

import psycopg

from benchmarks.corpus import Corpus, corpus
from benchmarks.naive_search import Naive
from benchmarks.search_queries import PAGE, Question, questions
from benchmarks.search_ways import (
    Built,
    Ours,
    build_naive,
    build_ours,
    build_tantivy,
    on_one_core,
)
from benchmarks.tantivy_search import Tantivy
from cas_listings.domain.states import Action

SIZES = (100_000, 1_000_000)
WRITES = 100
FEWEST = 2  # answers of each way in each round, however slow
CURSORS_SECONDS = 15
MANY = 100  # answers; of fewer the slowest stands for p99
EXPLAINED = 40  # questions, among which the slowest statement is looked for
WAYS = ("ours", "naive", "tantivy")
Ask = Callable[[Question], int]


@dataclass(slots=True)
class Way:
    """How one of them answers one shape; milliseconds so far."""

    ask: Ask
    questions: Iterator[Question]
    taken: list[float] = field(default_factory=list)

    def run(self, seconds: float) -> list[float]:
        """Ask one after the other; the milliseconds of each."""
        taken: list[float] = []
        end = time.perf_counter() + seconds
        while len(taken) < FEWEST or time.perf_counter() < end:
            question = next(self.questions)
            started = time.perf_counter()
            self.ask(question)
            taken.append((time.perf_counter() - started) * 1_000)
        return taken


def main() -> None:
    """Measure every size and print tables."""
    chosen = _options()
    for rows in chosen.rows or SIZES:
        with (
            tempfile.TemporaryDirectory(prefix="cas-bench-search-") as folder,
            corpus(Path(folder) / "postgres", rows=rows, seed=chosen.seed) as made,
        ):
            _measure(made, chosen, rows=rows)


def _measure(made: Corpus, chosen: argparse.Namespace, *, rows: int) -> None:
    built = {"ours": build_ours(made), "naive": build_naive(made)}
    engine, built["tantivy"] = build_tantivy(made)
    ours = Ours(made.url)
    try:
        with made.connect() as connection:
            on_one_core(ours.backend(), connection.info.backend_pid)
            asked = questions(seed=chosen.seed)
            ways = _ways(asked, ours, Naive(connection), engine)
            _ask(ways, seconds=chosen.seconds, rounds=chosen.rounds)
            written = _write(ours, connection)
            _report(rows, ways, built, written)
            if chosen.explain:
                _explain(asked, ours)
    finally:
        ours.close()


# ---- measuring ----


def _ways(
    asked: Mapping[str, Sequence[Question]], ours: Ours, naive: Naive, engine: Tantivy
) -> dict[str, dict[str, Way]]:
    """By shape and name."""
    ways: dict[str, dict[str, Way]] = {}
    for shape, found in asked.items():
        asks: tuple[Ask, Ask, Ask] = (ours.ask, naive.ask, engine.ask)
        each: Sequence[Sequence[Question]] = (found, found, found)
        if shape == "suggest":
            asks = (ours.suggest, naive.suggest, engine.suggest)
        elif shape == "typo":
            asks = (ours.ask, naive.ask, engine.ask_near)
        elif shape.endswith("cursor"):
            later = [question | {"offset": question["offset"] + PAGE} for question in found]
            each = ([*_following(ours, found)], later, later)
        ways[shape] = {
            name: Way(ask, cycle(those)) for name, ask, those in zip(WAYS, asks, each, strict=True)
        }
    return ways


def _following(ours: Ours, found: Sequence[Question]) -> Iterator[Question]:
    """The pages that follow, of as many as can be had in a while."""
    end = time.perf_counter() + CURSORS_SECONDS
    for number, question in enumerate(found):
        if number >= FEWEST and time.perf_counter() > end:
            return
        yield ours.after(question)


def _ask(ways: Mapping[str, Mapping[str, Way]], *, seconds: float, rounds: int) -> None:
    """In turn, so that what else a machine does meets them all; the first round warms up."""
    for number in range(rounds + 1):
        for shape, by_name in ways.items():
            print(f"round {number} of {rounds}: {shape}", file=sys.stderr)
            for way in by_name.values():
                taken = way.run(seconds if number else seconds / 2)
                way.taken += taken if number else []


def _write(ours: Ours, connection: psycopg.Connection) -> dict[str, dict[str, list[float]]]:
    """Edits and publications in turn, durable before the next; milliseconds by what was done and the way."""
    taken: dict[str, dict[str, list[float]]] = {"edit": {}, "publish": {}}
    listings = "SELECT id, profile_id FROM service_listings ORDER BY id LIMIT %s"
    for number, (listing, owner) in enumerate(connection.execute(listings, [WRITES]).fetchall()):
        for done, way, write in _writes(ours, connection, listing, owner, number):
            started = time.perf_counter()
            write()
            taken[done].setdefault(way, []).append((time.perf_counter() - started) * 1_000)
    return taken


def _writes(
    ours: Ours, connection: psycopg.Connection, listing: UUID, owner: UUID, number: int
) -> Iterator[tuple[str, str, Callable[[], object]]]:
    title = f"Patient tuition in everything, part {number}"
    edit = "UPDATE naive_listings SET title = %s WHERE id = %s"
    move = "UPDATE naive_listings SET status = %s WHERE id = %s"
    yield "edit", "ours", lambda: ours.edit(listing, owner, title)
    yield "edit", "naive", lambda: connection.execute(edit, [title, listing])
    ours.move(listing, owner, Action.UNPUBLISH)
    connection.execute(move, ["unpublished", listing])
    yield "publish", "ours", lambda: ours.move(listing, owner, Action.PUBLISH)
    yield "publish", "naive", lambda: connection.execute(move, ["published", listing])


# ---- reporting ----


def _report(
    rows: int,
    ways: Mapping[str, Mapping[str, Way]],
    built: Mapping[str, Built],
    written: Mapping[str, Mapping[str, list[float]]],
) -> None:
    """Markdown tables of one size."""
    print(f"\n{rows:,} listings, milliseconds\n")
    print(
        "| shape | ours p50 | p99 | naive p50 | p99 | naive / ours p50 | p99 "
        "| tantivy p50 | p99 | ours / tantivy p50 | p99 | answers |"
    )
    print("|---" * 12 + "|")
    for shape, by_name in ways.items():
        print(_line_of(shape, by_name))
    print("\n| | build s | listings/s | index MB |\n|---|---|---|---|")
    for name, cost in built.items():
        print(f"| {name} | {cost.seconds:.0f} | {rows / cost.seconds:,.0f} | {cost.size / 1e6:,.0f} |")
    print("\n| write | ours p50 | p99 | naive p50 | p99 |\n|---|---|---|---|---|")
    for done, by_way in written.items():
        figures = [f"{each:.1f}" for name in ("ours", "naive") for each in _percentiles(by_way[name])]
        print(f"| {done} | {' | '.join(figures)} |", flush=True)


def _line_of(shape: str, by_name: Mapping[str, Way]) -> str:
    (p50, p99), naive, engine = (_percentiles(by_name[name].taken) for name in WAYS)
    columns = [
        shape,
        *(f"{each:.1f}" for each in (p50, p99, *naive, naive[0] / p50, naive[1] / p99)),
        *(f"{each:.2f}" for each in engine),
        *(f"{each:.1f}" for each in (p50 / engine[0], p99 / engine[1])),
        " / ".join(str(len(by_name[name].taken)) for name in WAYS),
    ]
    return f"| {' | '.join(columns)} |"


def _percentiles(taken: Sequence[float]) -> tuple[float, float]:
    """The median, and what 99 of 100 stay under; of few answers the slowest."""
    slowest = statistics.quantiles(taken, n=100)[98] if len(taken) > MANY else max(taken)
    return statistics.median(taken), slowest


def _explain(asked: Mapping[str, Sequence[Question]], ours: Ours) -> None:
    for shape, found in asked.items():
        those = [*islice(found, EXPLAINED)]
        print(f"\n{shape}: the slowest statement\n\n```")
        print(ours.explain_slowest(those, suggesting=shape == "suggest"), end="\n```\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, action="append", help="listings; may be repeated (default: both)")
    parser.add_argument("--seed", type=int, default=1, help="another number makes other listings")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each way, shape and round")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved repetitions")
    parser.add_argument(
        "--explain", action="store_true", help="print the plan of each shape's slowest statement"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
