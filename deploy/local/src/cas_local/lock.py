"""One stack per data folder, known by a lock that the system releases however its holder ends."""

import fcntl
import os
from collections.abc import Iterator
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
