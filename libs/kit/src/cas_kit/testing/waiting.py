"""Wait for a condition instead of sleeping for a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def until(look: Callable[[], Seen], *, within: float = 10.0) -> Seen:
    """The first truthy result of `look`, tried again and again for `within` seconds.

    :raises AssertionError: it never came.
    """
    deadline = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < deadline, f"did not happen within {within} s"  # noqa: S101
        time.sleep(0.01)
    return seen
