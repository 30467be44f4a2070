"""Whoever makes forged tokens: has our signing key, and one of a stranger."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

ABSENT = object()
"""Leaves a claim or a name of the header out."""


class Forger:
    """Has an ES256 key of ours, published as `jwk`, and what a good token says."""

    def __init__(
        self,
        private_key: EllipticCurvePrivateKey,
        jwk: Mapping[str, Any],
        claims: Mapping[str, Any],
        *,
        refresh_token: str = "",
    ) -> None:
        self.private_key = private_key
        self.jwk = dict(jwk)
        self.claims = dict(claims)
        self.refresh_token = refresh_token or encode(b"\x01" + bytes(47))
        self.header = {"alg": "ES256", "typ": "JWT", "kid": jwk["kid"]}
        self.stranger = ec.generate_private_key(ec.SECP256R1())
        self.now = int(time.time())

    # ---- tokens that our key has signed ----

    def token(self, /, **changes: Any) -> str:
        """A good one, but for these claims; `ABSENT` leaves one out."""
        return self.signed(_changed(self.claims, changes))

    def signed(self, payload: object, /, key: EllipticCurvePrivateKey | None = None, **header: Any) -> str:
        """Any payload, bytes as they are; `ABSENT` leaves a name of the header out."""
        return self.raw(_changed(self.header, header), payload, key=key)

    def raw(self, header: object, payload: object, *, key: EllipticCurvePrivateKey | None = None) -> str:
        """Any header and payload, bytes as they are."""
        text = f"{encode(header)}.{encode(payload)}"
        signature = ECAlgorithm(ECAlgorithm.SHA256).sign(text.encode(), key or self.private_key)
        return f"{text}.{encode(signature)}"

    def changed(self, **parts: Callable[[str], str]) -> str:
        """A good token of which one part is another: `header`, `payload` or `signature`."""
        token = dict(zip(("header", "payload", "signature"), self.token().split("."), strict=True))
        for name, change in parts.items():
            token[name] = change(token[name])
        return ".".join(token.values())

    # ---- tokens that it has not ----

    def unsigned(self, signature: bytes = b"", **header: Any) -> str:
        """With these bytes for a signature."""
        return f"{encode(_changed(self.header, header))}.{encode(self.claims)}.{encode(signature)}"

    def hmac(self, secret: bytes, alg: str = "HS256", **header: Any) -> str:
        """Signed with what is no secret."""
        text = f"{encode(_changed(self.header, {'alg': alg, **header}))}.{encode(self.claims)}"
        digest = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(alg, hashlib.sha256)
        return f"{text}.{encode(hmac.digest(secret, text.encode(), digest))}"

    def foreign(self, key: Any = None, alg: str = "ES256", **header: Any) -> str:
        """Signed with a stranger's key under our key id."""
        return jwt.encode(
            self.claims, key or self.stranger, alg, headers={"kid": self.header["kid"], **header}
        )

    def public(self, encoding: Encoding) -> bytes:
        """Our public key, as a file would hold it."""
        return self.private_key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)

    @property
    def strangers_jwk(self) -> dict[str, Any]:
        """The public key of the stranger."""
        return ECAlgorithm.to_jwk(self.stranger.public_key(), as_dict=True)


def encode(data: object) -> str:
    """A part of a token: bytes as they are, anything else as JSON."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(part: str) -> bytes:
    """The bytes of a part."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _changed(known: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**known, **changes}.items() if value is not ABSENT}
