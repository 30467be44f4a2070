"""`cas-listings reindex`: build the search index anew."""

import argparse
import sys
import time
from collections.abc import Callable
from typing import TextIO

from cas_kit.db import Database
from cas_kit.errors import DomainError
from cas_kit.service import Command
from cas_listings.operations.reindex import reindex
from cas_listings.settings import Settings

BAR_WIDTH = 30
REDRAW_EVERY = 0.1  # seconds
LINE_EVERY = 10_000  # listings, where there is no terminal


class Progress:
    """A bar on a terminal, and a line for every ten thousand listings elsewhere."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._started = clock()
        self._drawn = -REDRAW_EVERY
        self._is_terminal = stream.isatty()
        self._lines = 0

    def tell(self, done: int, total: int) -> None:
        """Say how far it is."""
        if self._is_terminal:
            if done == total or self._clock() - self._drawn >= REDRAW_EVERY:
                self._drawn = self._clock()
                self._write("\r" + self._bar(done, total) + "\n" * (done == total))
        elif done // LINE_EVERY > self._lines:
            self._lines = done // LINE_EVERY
            self._write(f"{done:,} of {total:,} listings\n")

    def _bar(self, done: int, total: int) -> str:
        seconds = max(self._clock() - self._started, 0.001)
        filled = "█" * (done * BAR_WIDTH // total)
        return f"{filled:░<{BAR_WIDTH}} {done / total:4.0%}  {done:,} listings  {done / seconds:,.0f}/s "

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _reindex(settings: Settings, _: argparse.Namespace) -> None:
    database = Database(settings, application_name="cas-listings-reindex")
    try:
        count = reindex(database, tell=Progress(sys.stderr).tell)
    except DomainError as error:
        sys.exit(f"cas-listings reindex: {error.detail}")
    finally:
        database.dispose()
    sys.stdout.write(f"{count:,} listings are in the new index.\n")


REINDEX = Command("reindex", "build the search index anew, while it is searched", _reindex)
