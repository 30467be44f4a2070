"""Access tokens: who is calling, proven by a signature (docs/spec/auth-protocol.md 2.1)."""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

import httpx
import jwt
import structlog
from jwt import PyJWK, PyJWKSet

from cas_kit.errors import Unauthenticated, Unavailable

ALGORITHM = "ES256"
LEEWAY = timedelta(seconds=30)  # clocks of two machines may differ this much
CACHED_TOKENS = 20_000
# A token that was seen outlives the withdrawal of its key no longer than this, whatever its own expiry.
REMEMBERED_FOR = timedelta(minutes=10)
MAX_TOKEN_BYTES = 8_192
LATEST_INSTANT = 253_402_300_799  # the last second of the year 9999
REFUSED_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})  # keys come from our JWKS only
# Python's base64 skips foreign characters, so that many spellings of one token would pass.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

log = structlog.get_logger(__name__)


class SubjectNotAUser(Unauthenticated):
    """The token is good, but its `sub` is no UUID."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The user a request acts for.

    `claims` are the verified ones; `digest` identifies the token without revealing it.
    """

    user_id: UUID
    session_id: str
    claims: Mapping[str, Any]
    digest: bytes


class KeySource(Protocol):
    """Where verification keys come from."""

    def key(self, kid: str) -> PyJWK | None:
        """The public key of this id, None when there is none."""


class TokenVerifier:
    """Checks tokens of one issuer and remembers the good ones for a while.

    A verified token costs one hash and one look-up; ES256 itself costs 0.2 ms (benchmarks/README.md).
    """

    def __init__(
        self, *, issuer: str, audience: str, keys: KeySource, now: Callable[[], float] = time.time
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._now = now
        self._verified: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._lock = threading.Lock()

    def remembered(self, token: str) -> Principal | None:
        """The principal of a token that was verified a short while ago and has not expired."""
        digest = _digest(token)
        with self._lock:
            until, principal = self._verified.get(digest, (0.0, None))
        return principal if self._now() < until else None

    def verify(self, token: str) -> Principal:
        """The principal of `token`. May fetch keys: not for the event loop.

        :raises Unauthenticated: it is malformed, foreign, expired, or signed by no key of the issuer.
        :raises Unavailable: the issuer's keys cannot be had.
        """
        if (principal := self.remembered(token)) is not None:
            return principal
        claims = self._claims(token)
        principal = _principal(claims, _digest(token))
        until = min(claims["exp"] + LEEWAY.total_seconds(), self._now() + REMEMBERED_FOR.total_seconds())
        with self._lock:
            self._verified[principal.digest] = (until, principal)
            while len(self._verified) > CACHED_TOKENS:
                self._verified.popitem(last=False)
        return principal

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_BYTES or not _COMPACT.fullmatch(token):
            raise Unauthenticated
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.key(_kid(header))
            if key is None:
                raise Unauthenticated
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "sub", "iss", "aud"], "strict_aud": True},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthenticated from error
        if not all(_is_instant(claims[name]) for name in ("exp", "iat", "nbf") if name in claims):
            raise Unauthenticated
        return claims


class JwksCache:
    """The issuer's published keys, fetched when an unknown key id turns up.

    At most one fetch every `hold_off`, so that forged key ids cannot make us hammer the issuer. Keys are fetched again
    after `max_age`; while the issuer is away, the known ones stay in use.
    """

    def __init__(
        self,
        url: str,
        *,
        hold_off: timedelta = timedelta(seconds=5),
        max_age: timedelta = timedelta(minutes=10),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
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
            answer = httpx.get(self._url, timeout=2.0).raise_for_status()
            self._keys = usable_keys(answer.json())
        except (httpx.HTTPError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
            log.warning("jwks_fetch_failed", reason=type(error).__name__)
        else:
            self._fetched_at = self._monotonic()


def usable_keys(document: Mapping[str, Any]) -> dict[str, PyJWK]:
    """The ES256 keys of a JWKS document by key id.

    :raises jwt.PyJWTError: the document holds no key at all.
    """
    keys = PyJWKSet.from_dict(dict(document)).keys
    return {key.key_id: key for key in keys if key.key_id and key.algorithm_name == ALGORITHM}


def _kid(header: Mapping[str, Any]) -> str:
    kid = header.get("kid")
    if header.get("alg") != ALGORITHM or not isinstance(kid, str) or REFUSED_HEADERS & header.keys():
        raise Unauthenticated
    return kid


def _is_instant(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST_INSTANT


def _principal(claims: Mapping[str, Any], digest: bytes) -> Principal:
    try:
        user_id = UUID(claims["sub"])
    except (ValueError, TypeError, AttributeError) as error:
        raise SubjectNotAUser from error
    return Principal(
        user_id=user_id, session_id=str(claims.get("session_id") or ""), claims=claims, digest=digest
    )


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
