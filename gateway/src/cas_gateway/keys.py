"""The keys of every issuer, as Kong wants them."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cas_gateway.document import Problem, Refused
from cas_gateway.settings import Settings
from cas_kit.issuers import PUBLISHED, Algorithm, TrustedIssuer

PRIVATE = "d"

Json = dict[str, Any]


def placeholders_of(settings: Settings) -> dict[str, object]:
    """What fills kong.yml: the settings, and what follows from them.

    :raises Refused: a file with keys cannot be used.
    """
    others: list[Json] = [
        {"issuer": entry.issuer, "audience": entry.audience, "subjects": str(entry.subjects)}
        for entry in settings.other_issuers
    ]
    return settings.model_dump() | {"other_issuers": others, "consumers": consumers(settings)}


def consumers(settings: Settings) -> list[Json]:
    """One for each issuer, with its credentials as far as there are files with keys.

    :raises Refused: a file is no JWKS, or holds a key that cannot be used.
    """
    ours = _credentials(settings.jwks_file, tuple(PUBLISHED), _entries(settings, settings.issuer))
    return [
        {"username": "auth-service", "custom_id": settings.issuer, "jwt_secrets": ours},
        *(
            {
                "username": f"issuer-{number}",
                "custom_id": other.issuer,
                "jwt_secrets": _credentials(
                    settings.trusted_jwks_files.get(other.issuer),
                    (other.algorithm,),
                    _entries(settings, other.issuer),
                ),
            }
            for number, other in enumerate(settings.other_issuers, start=1)
        ),
    ]


def missing_for_kong(settings: Settings) -> Iterator[Problem]:
    """What Kong lacks to accept the tokens of every issuer; Envoy fetches keys, and tries secrets."""
    for number, entry in enumerate(settings.trusted_issuers):
        spot = f"CAS_GATEWAY_TRUSTED_ISSUERS[{number}]"
        if entry.secret is not None and entry.kid is None:
            yield Problem(spot, "give kid: Kong looks for the key of that name, whatever the algorithm")
        if entry.algorithm in PUBLISHED and entry.issuer not in settings.trusted_jwks_files:
            yield Problem(
                spot, f"name a file with the keys of {entry.issuer} in CAS_GATEWAY_TRUSTED_JWKS_FILES"
            )


def _entries(settings: Settings, issuer: str) -> list[TrustedIssuer]:
    return [entry for entry in settings.trusted_issuers if entry.issuer == issuer]


def _credentials(
    file: Path | None, algorithms: Sequence[Algorithm], entries: Sequence[TrustedIssuer]
) -> list[Json]:
    published = jwt_secrets(file, algorithms=algorithms) if file else []
    secrets = [
        {"key": entry.kid, "algorithm": "HS256", "secret": entry.secret.get_secret_value()}
        for entry in entries
        if entry.secret is not None and entry.kid is not None
    ]
    return published + secrets


def jwt_secrets(
    jwks_file: Path, *, algorithms: Sequence[Algorithm] = (Algorithm.ES256, Algorithm.RS256)
) -> list[Json]:
    """One credential for each key of a JWKS document.

    :raises Refused: the file is no JWKS, or holds a private key or one for another algorithm.
    """
    try:
        return [_credential(key, algorithms) for key in json.loads(jwks_file.read_text())["keys"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused([Problem("consumers[0].jwt_secrets", f"{jwks_file}: {error!r}")]) from error


def _credential(key: Json, algorithms: Sequence[Algorithm]) -> Json:
    if PRIVATE in key:
        raise ValueError("holds a private key; the gateway needs the public one only")
    algorithm = _algorithm(key)
    if algorithm not in algorithms or key.get("alg", algorithm) != algorithm:
        raise ValueError(f"every key must be for {' or '.join(sorted(algorithms))}")
    public = _elliptic(key) if algorithm is Algorithm.ES256 else _rsa(key)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {"key": key["kid"], "algorithm": str(algorithm), "rsa_public_key": pem}


def _algorithm(key: Json) -> Algorithm | None:
    match key["kty"], key.get("crv"):
        case "EC", "P-256":
            return Algorithm.ES256
        case "RSA", None:
            return Algorithm.RS256
    return None


def _elliptic(key: Json) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicNumbers(_integer(key["x"]), _integer(key["y"]), ec.SECP256R1()).public_key()


def _rsa(key: Json) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(e=_integer(key["e"]), n=_integer(key["n"])).public_key()


def _integer(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
