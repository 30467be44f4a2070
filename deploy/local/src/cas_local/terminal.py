"""What a person sees: the table of addresses and the logs of all parts as one stream."""

import datetime
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, TextIO

from honcho.colour import get_colours
from honcho.printer import Message, Printer

HISTORY_BYTES = 4096


class LogFollower:
    """Prints what is new in several log files, each line behind the name of its part."""

    def __init__(
        self, logs: Mapping[str, Path], *, output: TextIO = sys.stdout, history: bool = False
    ) -> None:
        """Begin at the end of each file, or a little before it with ``history``."""
        self._printer = Printer(output, width=max(map(len, logs), default=0))
        self._files: dict[str, BinaryIO] = {}
        self._unfinished = dict.fromkeys(logs, b"")
        self._colours = dict(zip(logs, get_colours(), strict=False))
        for name, log in logs.items():
            file = log.open("rb")
            size = file.seek(0, 2)
            file.seek(max(0, size - HISTORY_BYTES) if history else size)
            if history and size > HISTORY_BYTES:
                file.readline()
            self._files[name] = file

    def print_new(self) -> None:
        """Print every line that was finished since the last time."""
        for name, file in self._files.items():
            *lines, self._unfinished[name] = (self._unfinished[name] + file.read()).split(b"\n")
            for line in lines:
                now = datetime.datetime.now(tz=datetime.UTC).astimezone()
                self._printer.write(Message("line", line, now, name, self._colours[name]))

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def table(rows: list[tuple[str, ...]]) -> str:
    """Line up columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line.rstrip()}" for line in lines)
