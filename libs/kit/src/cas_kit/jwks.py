"""The keys that verify access tokens, as their issuer publishes them."""

import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any, Protocol

import httpx
import jwt
import structlog
from jwt import PyJWK, PyJWKSet
from pydantic import SecretStr

from cas_kit.errors import Unavailable
from cas_kit.issuers import PUBLISHED, Algorithm

log = structlog.get_logger(__name__)


class KeySource(Protocol):
    """Where verification keys come from."""

    def key(self, kid: str) -> PyJWK | None:
        """The public key of this id, None when there is none."""


def fetch_document(url: str) -> Any:
    """The JSON document at an address of the issuer's."""
    return httpx.get(url, timeout=2.0).raise_for_status().json()


class JwksCache:
    """An issuer's published keys, fetched when an unknown key id turns up.

    At most one fetch every `hold_off`, so that forged key ids cannot make us hammer the issuer. Keys are fetched again
    after `max_age`; while the issuer is away, the known ones stay in use.

    :param algorithms: keys of others are none.
    :param fetch: gets the document; may raise `httpx.HTTPError` and `ValueError`.
    """

    def __init__(
        self,
        url: str,
        *,
        algorithms: Collection[Algorithm] = PUBLISHED,
        fetch: Callable[[str], Any] = fetch_document,
        hold_off: timedelta = timedelta(seconds=5),
        max_age: timedelta = timedelta(minutes=10),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        self._algorithms = algorithms
        self._get = fetch
        self._hold_off = hold_off.total_seconds()
        self._max_age = max_age.total_seconds()
        self._monotonic = monotonic
        self._keys: dict[str, PyJWK] | None = None
        self._tried_at = float("-inf")
        self._fetched_at = float("-inf")
        self._lock = threading.Lock()

    def key(self, kid: str) -> PyJWK | None:
        """The public key of this id, None when the issuer does not publish it.

        :raises Unavailable: no keys were ever had.
        """
        known = self._keys is not None and kid in self._keys
        if not known or self._is_stale():
            self._refresh(wait=not known)
        if self._keys is None:
            raise Unavailable
        return self._keys.get(kid)

    def _is_stale(self) -> bool:
        return self._monotonic() - self._fetched_at > self._max_age

    def _refresh(self, *, wait: bool) -> None:
        """Fetch the keys, one caller at a time; who has an old key already need not wait for another's fetch."""
        if not self._lock.acquire(blocking=wait):
            return
        try:
            if self._monotonic() - self._tried_at >= self._hold_off:
                self._tried_at = self._monotonic()
                self._fetch()
        finally:
            self._lock.release()

    def _fetch(self) -> None:
        try:
            self._keys = usable_keys(self._get(self.url), algorithms=self._algorithms)
        except (httpx.HTTPError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
            log.warning("jwks_fetch_failed", reason=type(error).__name__)
        else:
            self._fetched_at = self._monotonic()


def usable_keys(
    document: Mapping[str, Any], *, algorithms: Collection[Algorithm] = PUBLISHED
) -> dict[str, PyJWK]:
    """The keys of a JWKS document that verify signatures of these algorithms, by key id.

    A key has the one algorithm that it names itself, or that follows from its type.

    :raises jwt.PyJWTError: the document holds no key at all.
    """
    keys = PyJWKSet.from_dict(dict(document)).keys
    return {
        key.key_id: key
        for key in keys
        if isinstance(key.key_id, str) and key.algorithm_name in algorithms and key.public_key_use != "enc"
    }


def shared_key(secret: SecretStr) -> PyJWK:
    """The key of HS256 tokens."""
    octets = urlsafe_b64encode(secret.get_secret_value().encode()).rstrip(b"=").decode()
    return PyJWK({"kty": "oct", "alg": Algorithm.HS256, "k": octets})
