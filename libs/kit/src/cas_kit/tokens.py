"""Access tokens: who is calling, proven by a signature (docs/spec/auth-protocol.md 2.1)."""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt

from cas_kit.errors import Unauthenticated
from cas_kit.issuers import Algorithm
from cas_kit.jwks import KeySource

LEEWAY = timedelta(seconds=30)  # clocks of two machines may differ this much
CACHED_TOKENS = 20_000
# A token that was seen outlives the withdrawal of its key no longer than this, whatever its own expiry.
REMEMBERED_FOR = timedelta(minutes=10)
MAX_TOKEN_BYTES = 8_192
LATEST_INSTANT = 253_402_300_799  # the last second of the year 9999
REFUSED_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})  # keys come from our JWKS only
# Python's base64 skips foreign characters, so that many spellings of one token would pass.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


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
                algorithms=[Algorithm.ES256],
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


def _kid(header: Mapping[str, Any]) -> str:
    kid = header.get("kid")
    if header.get("alg") != Algorithm.ES256 or not isinstance(kid, str) or REFUSED_HEADERS & header.keys():
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
