"""ID tokens of a provider: what they have to prove before anybody is believed (OpenID Connect Core 1.0, 3.1.3.7)."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

import jwt
from jwt import PyJWK

from cas_auth.domain.external_accounts import is_storable
from cas_auth.domain.identity_refusals import BadIdToken
from cas_kit.jwks import KeySource

LEEWAY = timedelta(seconds=30)  # clocks of two machines may differ this much
ID_TOKEN_MAX_CHARACTERS = 16_384
SUBJECT_MAX_CHARACTERS = 255  # OpenID Connect Core 1.0, section 2
# Headers that would have a key taken from somewhere else, or the token read in another way.
REFUSED_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64"})
# Google writes its name both ways (developers.google.com/identity/openid-connect).
_OTHER_NAMES = {"https://accounts.google.com": "accounts.google.com"}


def verified_claims(
    id_token: str,
    *,
    keys: KeySource,
    issuer: str,
    client_ids: Collection[str],
    access_token: str | None = None,
) -> Mapping[str, Any]:
    """What an ID token says that this issuer signed for one of these clients. The nonce is for the caller to judge.

    :param access_token: what came with it, which has to be the one it was issued with.
    :raises BadIdToken: it proves nothing here.
    :raises Unavailable: the issuer's keys were never had.
    """
    key = _key(id_token, keys)
    try:
        claims: dict[str, Any] = jwt.decode(
            id_token,
            key,
            algorithms=[key.algorithm_name],
            issuer=[issuer, _OTHER_NAMES.get(issuer, issuer)],
            audience=client_ids,
            leeway=LEEWAY,
            options={"require": ["exp", "iat", "iss", "aud"], "enforce_minimum_key_length": True},
        )
    except jwt.InvalidAudienceError as error:
        raise BadIdToken("Unacceptable audience in id_token") from error
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadIdToken("Bad ID token") from error
    _check_parties(claims, client_ids)
    if access_token is not None and "at_hash" in claims:
        _check_access_token(claims["at_hash"], access_token, key)
    return claims


def _key(id_token: str, keys: KeySource) -> PyJWK:
    """The issuer's key that has to have signed the token; which algorithm it is for, the key says."""
    if len(id_token) > ID_TOKEN_MAX_CHARACTERS or not id_token.isascii():
        raise BadIdToken("Bad ID token")
    try:
        header = jwt.get_unverified_header(id_token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise BadIdToken("Bad ID token") from error
    key = keys.key(header["kid"]) if _is_plain(header) else None
    if key is None or header.get("alg") != key.algorithm_name:
        raise BadIdToken("Bad ID token")
    return key


def _is_plain(header: Mapping[str, Any]) -> bool:
    """Whether a header names a key and wants nothing special. Other tokens of an issuer say of what type they are."""
    kid, kind = header.get("kid"), header.get("typ", "JWT")
    is_id_token = isinstance(kind, str) and kind.upper() == "JWT"
    return isinstance(kid, str) and is_id_token and not REFUSED_HEADERS & header.keys()


def _check_parties(claims: Mapping[str, Any], client_ids: Collection[str]) -> None:
    audience, party = claims["aud"], claims.get("azp")
    if not is_storable(claims.get("sub"), max_characters=SUBJECT_MAX_CHARACTERS):
        raise BadIdToken("Missing sub claim in id_token")
    if party is None and isinstance(audience, list) and len(audience) > 1:
        raise BadIdToken("Unacceptable audience in id_token: several, and no azp")
    if party is not None and not (isinstance(party, str) and party in client_ids):
        raise BadIdToken("Unacceptable azp in id_token: it is none of the configured client ids")


def _check_access_token(at_hash: object, access_token: str, key: PyJWK) -> None:
    digest = key.Algorithm.compute_hash_digest(access_token.encode())
    half = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if not isinstance(at_hash, str) or not hmac.compare_digest(half.encode(), at_hash.encode()):
        raise BadIdToken("The access token is not the one the id_token was issued with")
