"""Take over the users of a Supabase project from files that its database wrote."""

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

from cas_auth.credentials.keys import KeyRing
from cas_auth.domain.audit import Origin
from cas_auth.domain.supabase_export import RowKind
from cas_auth.operations.importing import Importer, Problem, SourceRow
from cas_auth.operations.tools import Tools
from cas_auth.settings import Settings
from cas_kit.db import Database
from cas_kit.errors import Unavailable
from cas_kit.service import Command

BATCH = 1000
BAR_WIDTH = 30
REDRAW_EVERY = 0.1  # seconds
MAX_FIELD_BYTES = 1024 * 1024
SHOWN_PROBLEMS = 20


def import_users(settings: Settings, options: argparse.Namespace) -> None:
    """Import the files and say what became of them; the exit status is 1 when something could not be taken."""
    sources = _in_order([Source(path, is_copy_text=options.copy_text) for path in options.files])
    tools = Tools.of(settings, KeyRing())
    database = Database(settings, application_name="cas-auth-import")
    importer = Importer(database, tools)
    report = Report(options.report)
    progress = Progress(sys.stderr, total_bytes=sum(source.size for source in sources))
    try:
        with report.opened():
            for source in sources:
                _import_file(importer, source, report, progress)
        importer.record(origin=Origin(request_id=str(uuid4())), now=datetime.now(UTC))
    except Unavailable:
        sys.exit("\nThe database cannot be reached. What was taken is whole: run the same command again.")
    finally:
        database.dispose()
        tools.close()
    progress.finish()
    _say(importer, report)


class NotReadable(Exception):
    """A line that is no row; the text says why."""


@dataclass(slots=True)
class Source:
    """A file with one row on each line as JSON, or CSV with a header.

    :param is_copy_text: JSON as COPY writes it in its text format, where every backslash is doubled.
    """

    path: Path
    is_copy_text: bool = False
    read_bytes: int = 0

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.path.stat().st_size

    @property
    def kind(self) -> RowKind | None:
        """The table its first row is of."""
        first = next(Source(self.path, self.is_copy_text).rows(), None)
        return RowKind.of(first.columns) if isinstance(first, SourceRow) else None

    def rows(self) -> Iterator[SourceRow | Problem]:
        """Its rows, and what is none."""
        with self.path.open("rb") as file:
            lines = (self._counted(line) for line in file)
            read = self._csv if self.path.suffix.lower() == ".csv" else self._json
            yield from read(lines)

    def _counted(self, line: bytes) -> bytes:
        self.read_bytes += len(line)
        return line

    def _json(self, lines: Iterator[bytes]) -> Iterator[SourceRow | Problem]:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield SourceRow(str(self.path), number, self._object(line))
            except NotReadable as error:
                yield Problem(file=str(self.path), line=number, reason=str(error))

    def _object(self, line: bytes) -> dict[str, Any]:
        text = line.replace(b"\\\\", b"\\") if self.is_copy_text else line
        try:
            found = json.loads(text.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            hint = " (written by COPY in its text format? then --copy-text)" if b"\\\\" in line else ""
            raise NotReadable(f"no JSON in UTF-8{hint}") from error
        if not isinstance(found, dict):
            raise NotReadable("no JSON object")
        return found

    def _csv(self, lines: Iterator[bytes]) -> Iterator[SourceRow | Problem]:
        csv.field_size_limit(MAX_FIELD_BYTES)
        reader = csv.DictReader(line.decode("utf-8-sig", "surrogateescape") for line in lines)
        while True:
            number = max(reader.line_num, 1) + 1
            try:
                columns = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Problem(file=str(self.path), line=number, reason=f"no CSV: {error}")
                continue
            if None in columns or None in columns.values():
                yield Problem(
                    file=str(self.path), line=number, reason="has another number of columns than the header"
                )
            else:
                yield SourceRow(str(self.path), number, columns)


class Report:
    """What could not be taken, one JSON object on a line of a file, and how much it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.count = 0
        self._file: TextIO | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Begin the file anew."""
        with self.path.open("w", encoding="utf-8") as self._file:
            yield

    def add(self, problems: Sequence[Problem]) -> None:
        """Write these down; the first ones are kept to be shown."""
        self.count += len(problems)
        self.problems += problems[: SHOWN_PROBLEMS - len(self.problems)]
        for problem in problems if self._file else ():
            print(json.dumps(asdict(problem)), file=self._file)


class Progress:
    """A bar on a terminal, and a line for every thousand rows elsewhere."""

    def __init__(
        self, stream: TextIO, *, total_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._total_bytes = max(total_bytes, 1)
        self._clock = clock
        self._started = self._drawn = clock()
        self._rows = self._bytes = 0
        self._is_terminal = stream.isatty()

    def advance(self, *, rows: int, read_bytes: int) -> None:
        """Tell how far it is."""
        told = self._rows // BATCH
        self._rows += rows
        self._bytes += read_bytes
        if not self._is_terminal:
            if self._rows // BATCH > told:
                self._write(f"{self._rows:,} rows\n")
        elif self._clock() - self._drawn >= REDRAW_EVERY:
            self._drawn = self._clock()
            self._write("\r" + self._bar(min(self._bytes / self._total_bytes, 1)))

    def finish(self) -> None:
        """Leave the line to others."""
        if self._is_terminal:
            self._write("\r" + self._bar(1) + "\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _bar(self, share: float) -> str:
        seconds = max(self._clock() - self._started, 0.001)
        filled = "█" * int(share * BAR_WIDTH)
        return f"{filled:░<{BAR_WIDTH}} {share:4.0%}  {self._rows:,} rows  {self._rows / seconds:,.0f}/s "


def _in_order(sources: Sequence[Source]) -> Sequence[Source]:
    """Users first: the others are about them."""
    for source in sources:
        if not source.path.is_file():
            sys.exit(f"There is no file {source.path}.")
    order = list(RowKind)
    return sorted(sources, key=lambda source: order.index(source.kind) if source.kind else len(order))


def _import_file(importer: Importer, source: Source, report: Report, progress: Progress) -> None:
    rows, before = source.rows(), 0
    while batch := list(islice(rows, BATCH)):
        report.add([row for row in batch if isinstance(row, Problem)])
        for kind, found in _by_kind([row for row in batch if isinstance(row, SourceRow)]):
            if kind is None:
                report.add([Problem.of(row, "no row of users, identities or mfa_factors") for row in found])
            else:
                report.add(importer.take(kind, found))
        progress.advance(rows=len(batch), read_bytes=source.read_bytes - before)
        before = source.read_bytes


def _by_kind(rows: Sequence[SourceRow]) -> Iterator[tuple[RowKind | None, Sequence[SourceRow]]]:
    found: dict[RowKind | None, list[SourceRow]] = {}
    for row in rows:
        found.setdefault(RowKind.of(row.columns), []).append(row)
    for kind in (*RowKind, None):
        if kind in found:
            yield kind, found[kind]


def _say(importer: Importer, report: Report) -> None:
    for kind, tally in importer.tallies.items():
        if tally.total:
            sys.stdout.write(
                f"{kind}: {tally.added:,} added, {tally.updated:,} updated, {tally.unchanged:,} unchanged, "
                f"{tally.left_out:,} left out, {tally.refused:,} not taken\n"
            )
    for problem in report.problems:
        sys.stdout.write(f"{problem.file}:{problem.line}: {problem.reason}\n")
    if report.count:
        sys.exit(f"{report.count:,} problems; all of them are in {report.path}.")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="JSON lines, or CSV with a header (.csv)"
    )
    parser.add_argument(
        "--report", type=Path, default=Path("import-report.jsonl"), help="where problems are written"
    )
    parser.add_argument(
        "--copy-text",
        action="store_true",
        help="the JSON was written by COPY in its text format, backslashes doubled",
    )


IMPORT = Command(
    "import", "take over the users of a Supabase project; safe to repeat", import_users, _arguments
)
