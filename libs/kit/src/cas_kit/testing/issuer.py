"""A token issuer for tests: a real ES256 key, in process."""

import time
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt import PyJWK

ISSUER = "http://localhost:8000/auth/v1"
AUDIENCE = "authenticated"


class Issuer:
    """Signs tokens, and is the `KeySource` that verifies them."""

    def __init__(self, kid: str = "test-key") -> None:
        self.kid = kid
        self.private_key = ec.generate_private_key(ec.SECP256R1())
        public = jwt.algorithms.ECAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        self.jwk: dict[str, Any] = {**public, "kid": kid, "alg": "ES256", "use": "sig"}

    def key(self, kid: str) -> PyJWK | None:
        """The public key, for its own id."""
        return PyJWK.from_dict(self.jwk) if kid == self.kid else None

    def token(self, user_id: UUID | str | None = None, **claims: Any) -> str:
        """An access token as the auth service signs it; `claims` replace or, when None, remove its own."""
        now = int(time.time())
        payload = {
            "iss": ISSUER,
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
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, self.private_key, algorithm="ES256", headers={"kid": self.kid})

    def bearer(self, user_id: UUID | str | None = None, **claims: Any) -> dict[str, str]:
        """The headers of a request made with such a token."""
        return {"Authorization": f"Bearer {self.token(user_id, **claims)}"}
