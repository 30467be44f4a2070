"""The auth service's public keys, as Kong wants them."""

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cas_gateway.document import Problem, Refused

PRIVATE = "d"


def jwt_secrets(jwks_file: Path) -> list[dict[str, str]]:
    """One credential for each key of a JWKS document.

    :raises Refused: the file is no JWKS, or holds a private key or one that is not for ES256.
    """
    try:
        return [_credential(key) for key in json.loads(jwks_file.read_text())["keys"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused([Problem("consumers[0].jwt_secrets", f"{jwks_file}: {error!r}")]) from error


def _credential(key: dict[str, Any]) -> dict[str, str]:
    if PRIVATE in key:
        raise ValueError("holds a private key; the gateway needs the public one only")
    if (key["kty"], key["crv"]) != ("EC", "P-256"):
        raise ValueError("every key must be an EC key on P-256, for ES256")
    public = ec.EllipticCurvePublicNumbers(
        _integer(key["x"]), _integer(key["y"]), ec.SECP256R1()
    ).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {"key": key["kid"], "algorithm": "ES256", "rsa_public_key": pem}


def _integer(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
