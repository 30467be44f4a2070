"""Whether a password has been seen in a breach, asked without giving it away (the range API of Have I Been Pwned)."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha1

import httpx
import structlog

from cas_auth.metrics import PWNED_PASSWORD_LOOKUPS

PREFIX_CHARACTERS = 5  # what is sent of the 40 of a digest; several hundred passwords share it
AT_ONCE = 8  # every look-up keeps a request thread waiting

log = structlog.get_logger(__name__)


class PwnedPasswords:
    """Asks a range API; who cannot be told within `patience` is told no, because people must be able to sign in.

    After a failure nobody is asked for a while. Never call it inside a transaction.
    """

    def __init__(
        self,
        url: str,
        *,
        patience: timedelta = timedelta(seconds=5),
        pause: timedelta = timedelta(seconds=30),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url.rstrip("/")
        self._patience = patience.total_seconds()
        self._pause = pause.total_seconds()
        self._monotonic = monotonic
        self._quiet_until = float("-inf")
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._tls = httpx.create_ssl_context()

    def contain(self, password: str) -> bool:
        """Whether the password is known to have been seen in a breach."""
        if self._monotonic() < self._quiet_until or not self._places.acquire(blocking=False):
            PWNED_PASSWORD_LOOKUPS.labels("skipped").inc()
            return False
        try:
            seen = self._look_up(sha1(password.encode(), usedforsecurity=False).hexdigest().upper())
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            self._quiet_until = self._monotonic() + self._pause
            PWNED_PASSWORD_LOOKUPS.labels("failed").inc()
            log.warning("pwned_password_lookup_failed", reason=type(error).__name__)
            return False
        finally:
            self._places.release()
        PWNED_PASSWORD_LOOKUPS.labels("seen" if seen else "clean").inc()
        return seen

    def _look_up(self, digest: str) -> bool:
        text = asyncio.run(self._fetch(digest[:PREFIX_CHARACTERS]))
        counts = dict(line.split(":", 1) for line in text.split())
        return int(counts.get(digest[PREFIX_CHARACTERS:], "0")) > 0  # padding has the count 0

    async def _fetch(self, prefix: str) -> str:
        """The range of this prefix. Asynchronous because only so can all of a request be given a time limit."""
        async with (
            asyncio.timeout(self._patience),
            httpx.AsyncClient(verify=self._tls, timeout=self._patience) as client,
        ):
            answer = await client.get(f"{self._url}/{prefix}", headers={"Add-Padding": "true"})
        return answer.raise_for_status().text
