"""One stack per data folder, one start at a time: locks that the system releases however their holders end."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cas_local.errors import AlreadyRunning


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock and write our pid into it.

    :raises AlreadyRunning: when somebody else holds it
    """
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunning(f"Already running as pid {file.read()} on {path.parent}.") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def turn(path: Path, *, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock, after waiting for whoever holds it now."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another stack to have started.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def holder(path: Path) -> int | None:
    """Give the pid of the process that holds the lock, None when nobody does."""
    if not path.exists():
        return None
    try:
        with path.open("r+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(path.read_text(encoding="ascii"))
    return None
