"""The keys that sign access tokens: encrypted at rest; the public halves are published as a JWKS."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt import PyJWK
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import SecretStr

from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.domain.keys import KeyState
from cas_kit.issuers import Algorithm
from cas_kit.jwks import shared_key

PURPOSE = "signing keys"
RSA_BITS = 2048  # RFC 7518 3.3
RSA_EXPONENT = 65_537
# The members of a public key that its thumbprint is made of, in their order (RFC 7638 3.2).
_THUMBPRINT_MEMBERS = {Algorithm.ES256: ("crv", "kty", "x", "y"), Algorithm.RS256: ("e", "kty", "n")}

Private = EllipticCurvePrivateKey | RSAPrivateKey
"""What signs ES256 and RS256. HS256 has a secret, text as both sides were given it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key, ready to use.

    :param public_jwk: None for a shared secret, which is never published.
    """

    kid: str
    algorithm: Algorithm
    state: KeyState
    private: Private | SecretStr = field(repr=False)
    public_jwk: Mapping[str, Any] | None

    @classmethod
    def of(cls, private: Private, *, state: KeyState, kid: str | None = None) -> Self:
        """The key pair of this private key.

        :param kid: its name in tokens; its RFC 7638 thumbprint when None.
        """
        if isinstance(private, EllipticCurvePrivateKey):
            algorithm, members = Algorithm.ES256, ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        else:
            algorithm, members = Algorithm.RS256, RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        public = {name: members[name] for name in _THUMBPRINT_MEMBERS[algorithm]}
        kid = kid or _thumbprint(public)
        public_jwk = {**public, "kid": kid, "alg": algorithm, "use": "sig", "key_ops": ["verify"]}
        return cls(kid=kid, algorithm=algorithm, state=state, private=private, public_jwk=public_jwk)

    @classmethod
    def of_secret(cls, secret: SecretStr, *, state: KeyState, encryption_key: EncryptionKey) -> Self:
        """The HS256 key of this secret, under a name from which nobody can guess it."""
        digest = hmac.digest(
            encryption_key.derive("names of secrets"), secret.get_secret_value().encode(), "sha256"
        )
        return cls(
            kid=_base64url(digest), algorithm=Algorithm.HS256, state=state, private=secret, public_jwk=None
        )

    @classmethod
    def generate(cls, algorithm: Algorithm = Algorithm.ES256, *, state: KeyState = KeyState.CURRENT) -> Self:
        """A new key pair.

        :raises ValueError: the algorithm has none.
        """
        if algorithm is Algorithm.ES256:
            return cls.of(ec.generate_private_key(ec.SECP256R1()), state=state)
        if algorithm is Algorithm.RS256:
            return cls.of(generate_private_key(RSA_EXPONENT, RSA_BITS), state=state)
        raise ValueError(f"{algorithm} has a shared secret, which is not ours to choose")

    def sealed(self, encryption_key: EncryptionKey) -> bytes:
        """The private key or secret as the database may hold it."""
        if isinstance(self.private, SecretStr):
            plain = self.private.get_secret_value().encode()
        else:
            plain = self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return encryption_key.seal(plain, purpose=PURPOSE, name=self.kid)

    @classmethod
    def unseal(
        cls, sealed: bytes, *, kid: str, algorithm: Algorithm, state: KeyState, encryption_key: EncryptionKey
    ) -> Self:
        """The key that `sealed` holds.

        :raises WrongEncryptionKey: it was sealed under another encryption key.
        """
        plain = encryption_key.unseal(sealed, purpose=PURPOSE, name=kid)
        if algorithm is Algorithm.HS256:
            private: Private | SecretStr = SecretStr(plain.decode())
            return cls(kid=kid, algorithm=algorithm, state=state, private=private, public_jwk=None)
        loaded = load_der_private_key(plain, password=None)
        if not isinstance(loaded, EllipticCurvePrivateKey | RSAPrivateKey):
            raise TypeError(f"signing key {kid} is neither an elliptic curve key nor an RSA key")
        return cls.of(loaded, state=state, kid=kid)

    @property
    def signer(self) -> Private | bytes:
        """What PyJWT signs with."""
        if isinstance(self.private, SecretStr):
            return self.private.get_secret_value().encode()
        return self.private


@dataclass(frozen=True, slots=True)
class _Held:
    """The keys of one moment, so that nobody sees half of a change."""

    keys: tuple[SigningKey, ...] = ()
    public: Mapping[str, PyJWK] = field(default_factory=dict)
    secret: PyJWK | None = None


class KeyRing:
    """The signing keys of this process, empty until they were loaded; the `KeySource` of its own verifier."""

    def __init__(self) -> None:
        self._held = _Held()

    def replace(self, keys: Iterable[SigningKey]) -> None:
        """Use these keys from now on."""
        keys = tuple(keys)
        self._held = _Held(
            keys=keys,
            public={key.kid: PyJWK.from_dict(dict(key.public_jwk)) for key in keys if key.public_jwk},
            secret=next(
                (shared_key(key.private) for key in keys if isinstance(key.private, SecretStr)), None
            ),
        )

    @property
    def states(self) -> Mapping[str, KeyState]:
        """Which keys there are, and in which state, by id."""
        return {key.kid: key.state for key in self._held.keys}

    @property
    def current(self) -> SigningKey:
        """The one that signs."""
        return next(key for key in self._held.keys if key.state is KeyState.CURRENT)

    def key(self, kid: str) -> PyJWK | None:
        """The public key of this id, None when it is not ours."""
        return self._held.public.get(kid)

    def secret(self) -> PyJWK | None:
        """What HS256 tokens are verified with, None when there is no such key."""
        return self._held.secret

    def published(self) -> list[Mapping[str, Any]]:
        """The public keys, as the JWKS document lists them."""
        return [key.public_jwk for key in self._held.keys if key.public_jwk]


def _thumbprint(members: Mapping[str, Any]) -> str:
    return _base64url(sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def _base64url(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
