"""Access tokens as the auth service issues them, and what only looks like one."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from cas_kit.testing.forger import Forger
from cas_kit.testing.forgeries import FORGERIES, SIGNED_BY_US
from cas_kit.testing.issuer import AUDIENCE, ISSUER

HOUR = 3600
# Refused where a user is needed: our key has signed that they speak of nobody.
NOBODYS = {"a service role", "sub missing", "sub null", "sub empty"}


class SigningKey:
    """One key pair of the auth service."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.private = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_jwk(self) -> dict[str, str]:
        """As its JWKS document has it."""
        jwk = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return jwk | {"kid": self.kid, "alg": "ES256", "use": "sig"}

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def token(
        self, *, user: str | None = None, headers: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """A good one, apart from what is said here; a claim of None is left out."""
        now = int(time.time())
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user or str(uuid.uuid4()),
            "role": "authenticated",
            "iat": now,
            "nbf": now,
            "exp": now + HOUR,
        } | claims
        return jwt.encode(
            {name: value for name, value in payload.items() if value is not None},
            self.private,
            algorithm="ES256",
            headers={"kid": self.kid} | dict(headers or {}),
        )


def forger(key: SigningKey) -> Forger:
    """Whoever makes them."""
    return Forger(key.private, key.public_jwk, jwt.decode(key.token(), options={"verify_signature": False}))


def forged(key: SigningKey) -> dict[str, str]:
    """Authorization values none of which may open a protected route, by what is wrong with them."""
    bearer = {name: make(forger(key)) for name, make in FORGERIES.items() if name not in SIGNED_BY_US}
    good = key.token()
    return {name: f"Bearer {token}" for name, token in bearer.items()} | {
        "nothing": "Bearer ",
        "another scheme": f"Basic {good}",
        "no scheme": good,
        "scheme without space": f"Bearer{good}",
    }
