"""Token issuers for tests: real keys, in process."""

import time
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt import PyJWK
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "http://localhost:8000/auth/v1"
AUDIENCE = "authenticated"


class Issuer:
    """Signs tokens, and is the `KeySource` that verifies them.

    :param algorithm: ES256 or RS256
    :param url: its name, as the tokens have it
    """

    def __init__(self, kid: str = "test-key", *, algorithm: str = "ES256", url: str = ISSUER) -> None:
        self.kid = kid
        self.algorithm = algorithm
        self.url = url
        self.private_key: EllipticCurvePrivateKey | RSAPrivateKey
        if algorithm == "RS256":
            self.private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = RSAAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        else:
            self.private_key = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        self.jwk: dict[str, Any] = {**public, "kid": kid, "alg": algorithm, "use": "sig"}

    def key(self, kid: str) -> PyJWK | None:
        """The public key, for its own id."""
        return PyJWK.from_dict(self.jwk) if kid == self.kid else None

    def token(self, user_id: UUID | str | None = None, **claims: Any) -> str:
        """An access token as the auth service signs it; `claims` replace or, when None, remove its own."""
        payload = self.claims(user_id, **claims)
        return jwt.encode(payload, self.private_key, algorithm=self.algorithm, headers={"kid": self.kid})

    def claims(self, user_id: UUID | str | None = None, **claims: Any) -> dict[str, Any]:
        """What such a token says."""
        now = int(time.time())
        payload = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": str(user_id or uuid4()),
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "role": "authenticated",
            "email": "ada@example.com",
            "email_verified": True,
            "phone": "",
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {},
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}],
            "session_id": str(uuid4()),
            "is_anonymous": False,
            **claims,
        }
        return {name: value for name, value in payload.items() if value is not None}

    def bearer(self, user_id: UUID | str | None = None, **claims: Any) -> dict[str, str]:
        """The headers of a request made with such a token."""
        return {"Authorization": f"Bearer {self.token(user_id, **claims)}"}
