"""Signing keys that were made elsewhere, as people keep them: PEM files, JWKs, secrets."""

import json
import re
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt import PyJWK, PyJWTError
from pydantic import SecretStr

from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.credentials.keys import RSA_BITS, SigningKey
from cas_auth.domain.keys import KeyState
from cas_kit.issuers import SECRET_BYTES

_KID = re.compile(r"[!-~]{1,200}")


class UnreadableKey(Exception):
    """The text is not a key that can sign here; the message says why, without quoting it."""


def read_private_key(text: str, *, state: KeyState, kid: str | None = None) -> SigningKey:
    """The key of a PEM file or a JWK.

    :param kid: its name in tokens; else the JWK's own, else its thumbprint.
    :raises UnreadableKey: it is neither, or no private ES256 or RS256 key.
    """
    if text.lstrip().startswith("{"):
        loaded, own_kid = _from_jwk(text)
    else:
        loaded, own_kid = _from_pem(text), None
    kid = kid or own_kid
    if kid is not None and not _KID.fullmatch(kid):
        raise UnreadableKey("a key id is 1 to 200 printable ASCII characters without spaces")
    if isinstance(loaded, EllipticCurvePrivateKey) and isinstance(loaded.curve, SECP256R1):
        return SigningKey.of(loaded, state=state, kid=kid)
    if isinstance(loaded, RSAPrivateKey) and loaded.key_size >= RSA_BITS:
        return SigningKey.of(loaded, state=state, kid=kid)
    raise UnreadableKey(
        f"only private keys of ES256 (P-256) and RS256 ({RSA_BITS} bits or more) can sign here"
    )


def read_secret(text: str, *, state: KeyState, encryption_key: EncryptionKey) -> SigningKey:
    """The HS256 key of a secret; a line break at its end is not part of it.

    :raises UnreadableKey: it is too short to be safe.
    """
    secret = text.removesuffix("\n").removesuffix("\r")
    if len(secret.encode()) < SECRET_BYTES:
        raise UnreadableKey(f"an HS256 secret has at least {SECRET_BYTES} bytes")
    return SigningKey.of_secret(SecretStr(secret), state=state, encryption_key=encryption_key)


def _from_jwk(text: str) -> tuple[Any, str | None]:
    try:
        members = json.loads(text)
        key = PyJWK.from_dict({**members, "alg": members.get("alg") or _usual_algorithm(members)})
    except (ValueError, TypeError, PyJWTError) as error:
        raise UnreadableKey("this is not a JWK") from error
    if not isinstance(key.key_id, str | None):
        raise UnreadableKey("the kid of a JWK is text")
    if key.algorithm_name not in {"ES256", "RS256"}:
        raise UnreadableKey(f"a JWK of {key.algorithm_name} cannot sign here; a secret is read with --hs256")
    return key.key, key.key_id


def _usual_algorithm(members: dict[str, Any]) -> str | None:
    return {"EC": "ES256", "RSA": "RS256"}.get(members.get("kty", ""))


def _from_pem(text: str) -> Any:
    try:
        return load_pem_private_key(text.encode(), password=None)
    except TypeError as error:
        raise UnreadableKey("this PEM file is encrypted; decrypt it first: openssl pkey -in FILE") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnreadableKey("this is neither a PEM file nor a JWK") from error
