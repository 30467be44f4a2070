"""Access tokens: who is calling, proven by a signature (docs/spec/auth-protocol.md 2.1)."""

import json
import re
import threading
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt
from jwt import PyJWK

from cas_kit.errors import Unauthenticated
from cas_kit.issuers import Algorithm, Subjects, TrustedIssuer, local_user_id
from cas_kit.jwks import JwksCache, KeySource, shared_key

ALGORITHMS = tuple(Algorithm)
LEEWAY = timedelta(seconds=30)  # clocks of two machines may differ this much
CACHED_TOKENS = 20_000
# A token that was seen outlives the withdrawal of its key no longer than this, whatever its own expiry.
REMEMBERED_FOR = timedelta(minutes=10)
MAX_TOKEN_BYTES = 8_192
LATEST_INSTANT = 253_402_300_799  # the last second of the year 9999
REFUSED_HEADERS = frozenset(
    {"jku", "jwk", "x5u", "x5c", "crit", "b64"}
)  # keys come from the issuer's JWKS only
# Roles that may do everything (docs/spec/auth-protocol.md 1): outside a session of ours they are a program's.
SERVICE_ROLES = ("service_role", "supabase_admin")
# Python's base64 skips foreign characters, so that many spellings of one token would pass.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class SubjectNotAUser(Unauthenticated):
    """The token is good, but its `sub` is no UUID."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The user a request acts for.

    `issuer` says who vouches for them; `claims` are the verified ones; `digest` identifies the token without
    revealing it.
    """

    user_id: UUID
    session_id: str
    issuer: str
    claims: Mapping[str, Any]
    digest: bytes


class SessionEnded(Unauthenticated):
    """The token is good, but its session has ended.

    :param principal: whose it was, for the rare answer that is theirs all the same.
    """

    sentence = "Your session has ended. Please sign in again."

    def __init__(self, principal: Principal) -> None:
        super().__init__()
        self.principal = principal


@dataclass(frozen=True, slots=True)
class _Trust:
    """What makes a token of one issuer good. Its keys verify nobody else's tokens."""

    issuer: str
    audience: str
    subjects: Subjects
    keys: KeySource | None = None
    secret: Callable[[], PyJWK | None] = lambda: None

    def key(self, header: Mapping[str, Any]) -> PyJWK | None:
        """The key that has to have signed a token with this header; which algorithm it is for, the key says.

        A secret has no id: it is tried whatever `kid` says, and for HS256 alone.
        """
        kid, algorithm = header.get("kid"), header.get("alg")
        if algorithm == Algorithm.HS256:
            return self.secret()
        if self.keys is None or algorithm not in ALGORITHMS or not kid:
            return None
        return self.keys.key(kid)


class TokenVerifier:
    """Checks tokens of our own issuer and of those we trust, and remembers the good ones for a while.

    A verified token costs one hash and two look-ups; ES256 itself costs 0.2 ms (benchmarks/README.md).

    :param secret: the secret of our own issuer's HS256 tokens, as of now; None while there is none.
    :param revoked: sessions of our own issuer that have ended; their tokens are good no longer, remembered or not.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: KeySource,
        secret: Callable[[], PyJWK | None] = lambda: None,
        trusted: Sequence[TrustedIssuer] = (),
        revoked: Container[str] = frozenset(),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._trusts = {issuer: _Trust(issuer, audience, Subjects.SAME, keys, secret)}
        for entry in trusted:
            self._trusts[entry.issuer] = _extended(self._trusts.get(entry.issuer), entry)
        self._revoked = revoked
        self._now = now
        self._verified: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._lock = threading.Lock()

    def remembered(self, token: str) -> Principal | None:
        """The principal of a token that was verified a short while ago, and neither expired nor was revoked."""
        digest = _digest(token)
        with self._lock:
            until, principal = self._verified.get(digest, (0.0, None))
        if principal is None or self._now() >= until or self._is_revoked(principal):
            return None
        return principal

    def verify(self, token: str) -> Principal:
        """The user of `token`. May fetch keys: not for the event loop.

        :raises Unauthenticated: it is malformed, foreign, expired, signed by no key of its issuer, or a service role's.
        :raises SessionEnded: it was good until its session ended.
        :raises Unavailable: the issuer's keys cannot be had.
        """
        if (principal := self.remembered(token)) is not None:
            return principal
        trust, claims = self._checked(token)
        if self._is_nobodys(trust, claims):
            raise Unauthenticated
        principal = _principal(trust, claims, _digest(token))
        if self._is_revoked(principal):
            raise SessionEnded(principal)
        until = min(claims["exp"] + LEEWAY.total_seconds(), self._now() + REMEMBERED_FOR.total_seconds())
        with self._lock:
            self._verified[principal.digest] = (until, principal)
            while len(self._verified) > CACHED_TOKENS:
                self._verified.popitem(last=False)
        return principal

    def forget(self) -> None:
        """Verify every token anew: a key was withdrawn."""
        with self._lock:
            self._verified.clear()

    def _is_nobodys(self, trust: _Trust, claims: Mapping[str, Any]) -> bool:
        """Whether it acts for no user; a role that may do everything is a user's in a session of ours alone."""
        is_ours = trust.issuer == self._issuer and bool(claims.get("session_id"))
        return claims.get("sub") is None or (claims.get("role") in SERVICE_ROLES and not is_ours)

    def _is_revoked(self, principal: Principal) -> bool:
        return principal.session_id in self._revoked and principal.issuer == self._issuer

    def verified_claims(self, token: str) -> Mapping[str, Any]:
        """What a token of our own issuer says, whether it is a user's or a service role's, which has no `sub`.

        May fetch keys: not for the event loop.

        :raises Unauthenticated: it is malformed, another issuer's, expired, or signed by no key of ours.
        :raises Unavailable: our issuer's keys cannot be had.
        """
        trust, claims = self._checked(token)
        if trust.issuer != self._issuer:
            raise Unauthenticated
        return claims

    def _checked(self, token: str) -> tuple[_Trust, Mapping[str, Any]]:
        if len(token) > MAX_TOKEN_BYTES or not _COMPACT.fullmatch(token):
            raise Unauthenticated
        try:
            header, said = (_json_object(part) for part in token.split(".")[:2])
            trust = self._trusts[said["iss"]]
            claims = _decoded(token, trust, trust.key(header) if _is_plain(header) else None)
        except (jwt.PyJWTError, LookupError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthenticated from error
        if not all(_is_instant(claims[name]) for name in ("exp", "iat", "nbf") if name in claims):
            raise Unauthenticated
        return trust, claims


def _extended(known: _Trust | None, entry: TrustedIssuer) -> _Trust:
    """What was known of an issuer, and what this entry adds."""
    trust = known or _Trust(entry.issuer, entry.audience, entry.subjects)
    if entry.secret is not None:
        key = shared_key(entry.secret)
        return replace(trust, secret=lambda: key)
    return replace(trust, keys=JwksCache(entry.keys_url, algorithms={entry.algorithm}))


def _decoded(token: str, trust: _Trust, key: PyJWK | None) -> dict[str, Any]:
    if key is None:
        raise Unauthenticated
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=[key.algorithm_name],
        issuer=trust.issuer,
        audience=trust.audience,
        leeway=LEEWAY,
        options={
            "require": ["exp", "iat", "iss", "aud"],
            "strict_aud": True,
            "enforce_minimum_key_length": True,
        },
    )
    return claims


def _json_object(part: str) -> dict[str, Any]:
    """A part of a token, read strictly: of two values under one name, parsers choose differently."""
    content = json.loads(
        urlsafe_b64decode(part + "=" * (-len(part) % 4)),
        object_pairs_hook=_without_duplicates,
        parse_constant=_refused_constant,
    )
    if not isinstance(content, dict):
        raise TypeError("not an object")
    return content


def _without_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name occurs twice")
    return content


def _refused_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _is_plain(header: Mapping[str, Any]) -> bool:
    """Whether a header is that of an access token and wants nothing special."""
    kid, kind = header.get("kid", ""), header.get("typ", "JWT")
    return (
        isinstance(kid, str)
        and isinstance(kind, str)
        and kind.upper() == "JWT"
        and not REFUSED_HEADERS & header.keys()
    )


def _is_instant(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST_INSTANT


def _principal(trust: _Trust, claims: Mapping[str, Any], digest: bytes) -> Principal:
    try:
        user_id = local_user_id(claims["sub"], issuer=trust.issuer, subjects=trust.subjects)
    except ValueError as error:
        raise SubjectNotAUser from error
    session_id = str(claims.get("session_id") or "")
    return Principal(
        user_id=user_id, session_id=session_id, issuer=trust.issuer, claims=claims, digest=digest
    )


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
