"""Access tokens as the auth service issues them, and everything that only looks like one."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

ISSUER = "http://localhost:8000/auth/v1"
AUDIENCE = "authenticated"
HOUR = 3600


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

    def sign(self, header: object, payload: object, *, signature: bytes | None = None) -> str:
        """Any header and payload, with a true signature unless another is given."""
        signed = f"{_encode(header)}.{_encode(payload)}"
        if signature is None:
            signature = ECAlgorithm(ECAlgorithm.SHA256).sign(signed.encode(), self.private)
        return f"{signed}.{_base64(signature)}"


def forged(key: SigningKey) -> dict[str, str]:
    """Authorization values none of which may open a protected route, by what is wrong with them."""
    good = key.token()
    header, payload, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    true_header = {"alg": "ES256", "typ": "JWT", "kid": key.kid}
    now = int(time.time())
    stranger = SigningKey(key.kid)
    bearer = {
        "empty": "",
        "a word": "hello",
        "no dots": good.replace(".", ""),
        "two parts": f"{header}.{payload}",
        "four parts": f"{good}.{signature}",
        "empty parts": "..",
        "bad base64": f"{header}.%%%.{signature}",
        "header is no JSON": f"{_base64(b'{')}.{payload}.{signature}",
        "header is null": key.sign(None, claims),
        "header is a list": key.sign([], claims),
        "payload is null": key.sign(true_header, None),
        "payload is a number": key.sign(true_header, 7),
        "payload is a string": key.sign(true_header, "user"),
        "payload is a list": key.sign(true_header, [1]),
        "no signature": f"{header}.{payload}.",
        "signature of one byte": f"{header}.{payload}.{_base64(b'x')}",
        "signature of 63 bytes": key.sign(true_header, claims, signature=b"x" * 63),
        "signature of 65 bytes": key.sign(true_header, claims, signature=b"x" * 65),
        "signature of zeros": key.sign(true_header, claims, signature=bytes(64)),
        "signature in DER": key.sign(true_header, claims, signature=bytes([0x30, 0x06, 2, 1, 1, 2, 1, 1])),
        "tampered payload": f"{header}.{_encode(claims | {'sub': str(uuid.uuid4())})}.{signature}",
        "tampered header": f"{_encode(true_header | {'x': 1})}.{payload}.{signature}",
        "signed by a stranger": stranger.token(),
        "unknown kid": SigningKey("unknown").token(),
        "unknown kid, true key": key.token(headers={"kid": "unknown"}),
        "kid as a path": key.token(headers={"kid": "../../etc/passwd"}),
        "kid as a number": key.sign(true_header | {"kid": 1}, claims),
        "kid in the payload": stranger.sign(true_header, claims | {"kid": {"a": 1}}),
        "alg none": f"{_encode({'alg': 'none', 'kid': key.kid})}.{payload}.",
        "alg NoNe": f"{_encode({'alg': 'NoNe', 'kid': key.kid})}.{payload}.{signature}",
        "alg missing": key.sign({"kid": key.kid}, claims),
        "alg HS256 with the public key": _hs256(key.public_pem, key.kid, claims),
        "alg HS256 with an empty key": _hs256(b"", key.kid, claims),
        "alg HS256 with the JWK": _hs256(json.dumps(key.public_jwk).encode(), key.kid, claims),
        "alg RS256": jwt.encode(
            claims, rsa.generate_private_key(65537, 2048), algorithm="RS256", headers={"kid": key.kid}
        ),
        "own key in the header": stranger.token(headers={"kid": key.kid, "jwk": stranger.public_jwk}),
        "own key address in the header": stranger.token(headers={"jku": "http://127.0.0.1:1/jwks.json"}),
        "expired": key.token(exp=now - 120),
        "never expires": key.token(exp=None),
        "expiry as text": key.sign(true_header, claims | {"exp": "tomorrow"}),
        "not valid yet": key.token(nbf=now + HOUR),
        "another issuer": key.token(iss="http://localhost:8000/auth/v2"),
        "issuer with a slash": key.token(iss=ISSUER + "/"),
        "no issuer": key.token(iss=None),
        "another audience": key.token(aud="somebody"),
        "no audience": key.token(aud=None),
        "no subject": key.token(sub=None),
        "subject is no user": key.token(user="admin"),
        "subject with a line break": key.token(user=f"{uuid.uuid4()}\r\nX-User-Role: admin"),
    }
    return {name: f"Bearer {token}" for name, token in bearer.items()} | {
        "another scheme": f"Basic {good}",
        "no scheme": good,
        "scheme without space": f"Bearer{good}",
    }


def _hs256(secret: bytes, kid: str, claims: object) -> str:
    signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{_encode(claims)}"
    return f"{signed}.{_base64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def _encode(part: object) -> str:
    return _base64(json.dumps(part).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
