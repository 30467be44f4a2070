"""The keys that sign access tokens: ES256, encrypted at rest, published as a JWKS."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt import PyJWK
from jwt.algorithms import ECAlgorithm

from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.domain.keys import KeyState
from cas_kit.issuers import Algorithm

PURPOSE = "signing keys"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair, ready to use; `kid` is its RFC 7638 thumbprint."""

    kid: str
    state: KeyState
    private_key: ec.EllipticCurvePrivateKey
    public_jwk: Mapping[str, Any]

    @classmethod
    def of(cls, private_key: ec.EllipticCurvePrivateKey, *, state: KeyState) -> Self:
        """The key pair of this private key."""
        point = ECAlgorithm.to_jwk(private_key.public_key(), as_dict=True)
        kid = _thumbprint(point)
        public_jwk = {**point, "kid": kid, "alg": Algorithm.ES256, "use": "sig", "key_ops": ["verify"]}
        return cls(kid=kid, state=state, private_key=private_key, public_jwk=public_jwk)

    @classmethod
    def generate(cls) -> Self:
        """A new key pair that may sign."""
        return cls.of(ec.generate_private_key(ec.SECP256R1()), state=KeyState.CURRENT)

    def sealed(self, encryption_key: EncryptionKey) -> bytes:
        """The private key as the database may hold it."""
        der = self.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return encryption_key.seal(der, purpose=PURPOSE, name=self.kid)

    @classmethod
    def unseal(cls, sealed: bytes, *, kid: str, state: KeyState, encryption_key: EncryptionKey) -> Self:
        """The key pair that `sealed` holds.

        :raises WrongEncryptionKey: it was sealed under another encryption key.
        """
        private_key = load_der_private_key(
            encryption_key.unseal(sealed, purpose=PURPOSE, name=kid), password=None
        )
        if not isinstance(private_key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"signing key {kid} is not an elliptic curve key")
        return cls.of(private_key, state=state)


class KeyRing:
    """The signing keys of this process, empty until they were loaded; the `KeySource` of its own verifier."""

    def __init__(self) -> None:
        self._keys: tuple[SigningKey, ...] = ()
        self._verifying: dict[str, PyJWK] = {}

    def replace(self, keys: Iterable[SigningKey]) -> None:
        """Use these keys from now on."""
        self._keys = tuple(keys)
        self._verifying = {key.kid: PyJWK.from_dict(dict(key.public_jwk)) for key in self._keys}

    @property
    def current(self) -> SigningKey:
        """The one that signs."""
        return next(key for key in self._keys if key.state is KeyState.CURRENT)

    def key(self, kid: str) -> PyJWK | None:
        """The public key of this id, None when it is not ours."""
        return self._verifying.get(kid)

    def published(self) -> list[Mapping[str, Any]]:
        """The public keys, as the JWKS document lists them."""
        return [key.public_jwk for key in self._keys]


def _thumbprint(jwk: Mapping[str, Any]) -> str:
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    digest = sha256(json.dumps(required, separators=(",", ":")).encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
