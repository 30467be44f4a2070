"""GET /user believes no token but our own."""

import base64
import hashlib
import hmac
import json
import time
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def encoded(part) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Forger:
    """Has one genuine token, the published key, and everything it takes to sign but our private key."""

    def __init__(self, token: str, jwk: dict, own_key):
        self.token = token
        self.jwk = jwk
        self.own_key = own_key
        self.head, self.payload, self.signature = token.split(".")
        self.header = jwt.get_unverified_header(token)
        self.claims = jwt.decode(token, options={"verify_signature": False})
        self.other = ec.generate_private_key(ec.SECP256R1())
        self.pem = jwt.PyJWK(jwk).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def unsigned(self, alg, signature=b""):
        return f"{encoded({**self.header, 'alg': alg})}.{self.payload}.{encoded(signature)}"

    def hmac(self, secret, alg="HS256"):
        signed = f"{encoded({**self.header, 'alg': alg})}.{self.payload}"
        return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"

    def foreign(self, key=None, alg="ES256", **header):
        kid = header.pop("kid", self.header["kid"])
        return jwt.encode(self.claims, key or self.other, alg, headers={"kid": kid, **header})

    def own(self, header=None, **changes):
        """Signed with our own key: as if another part of this service had made it."""
        claims = {name: value for name, value in {**self.claims, **changes}.items() if value is not ...}
        return jwt.encode(
            claims, self.own_key, "ES256", headers={"kid": self.header["kid"], **(header or {})}
        )


FORGERIES = {
    "other payload": lambda f: f"{f.head}.{encoded({**f.claims, 'sub': str(uuid4())})}.{f.signature}",
    "raised role": lambda f: f"{f.head}.{encoded({**f.claims, 'role': 'service_role'})}.{f.signature}",
    "other header": lambda f: f"{encoded({**f.header, 'typ': 'at+jwt'})}.{f.payload}.{f.signature}",
    "no signature": lambda f: f"{f.head}.{f.payload}.",
    "two parts": lambda f: f"{f.head}.{f.payload}",
    "four parts": lambda f: f"{f.token}.x",
    "zero signature": lambda f: f"{f.head}.{f.payload}.{encoded(bytes(64))}",
    "short signature": lambda f: f"{f.head}.{f.payload}.{f.signature[:40]}",
    "long signature": lambda f: f"{f.head}.{f.payload}.{f.signature}AAAA",
    "flipped signature": lambda f: f"{f.head}.{f.payload}.{f.signature[::-1]}",
    "DER signature": lambda f: f"{f.head}.{f.payload}.{encoded(b'0' * 70)}",
    "alg none": lambda f: f.unsigned("none"),
    "alg None": lambda f: f.unsigned("None"),
    "alg nOnE": lambda f: f.unsigned("nOnE"),
    "alg empty": lambda f: f.unsigned(""),
    "alg null": lambda f: f.unsigned(None),
    "alg number": lambda f: f.unsigned(256),
    "alg list": lambda f: f.unsigned(["ES256"]),
    "alg lower case": lambda f: f.unsigned("es256", b"x" * 64),
    "HS256 with the PEM": lambda f: f.hmac(f.pem),
    "HS256 with the JWK": lambda f: f.hmac(json.dumps(f.jwk).encode()),
    "HS256 with x": lambda f: f.hmac(base64.urlsafe_b64decode(f.jwk["x"] + "=")),
    "HS256 with nothing": lambda f: f.hmac(b""),
    "HS256 said to be ES256": lambda f: f.hmac(f.pem, alg="ES256"),
    "RS256": lambda f: f.foreign(rsa.generate_private_key(65537, 2048), "RS256"),
    "ES384": lambda f: f.foreign(ec.generate_private_key(ec.SECP384R1()), "ES384"),
    "another key": lambda f: f.foreign(),
    "another key, unknown kid": lambda f: f.foreign(kid="unknown"),
    "kid path": lambda f: f.foreign(kid="../../../../dev/null"),
    "kid SQL": lambda f: f.foreign(kid="' UNION SELECT 'x"),
    "kid empty": lambda f: f.foreign(kid=""),
    "kid NUL": lambda f: f.foreign(kid="\x00"),
    "kid number": lambda f: f"{encoded({**f.header, 'kid': 7})}.{f.payload}.{f.signature}",
    "kid absent": lambda f: jwt.encode(f.claims, f.other, "ES256"),
    "jku": lambda f: f.foreign(jku="https://evil.example/jwks.json"),
    "x5u": lambda f: f.foreign(x5u="https://evil.example/cert.pem"),
    "embedded jwk": lambda f: f.foreign(
        jwk=jwt.algorithms.ECAlgorithm.to_jwk(f.other.public_key(), as_dict=True)
    ),
    "crit, own key": lambda f: f.own(header={"crit": ["exp"]}),
    "jku, own key": lambda f: f.own(header={"jku": "https://evil.example/jwks.json"}),
    "expired": lambda f: f.own(exp=int(time.time()) - 60),
    "no exp": lambda f: f.own(exp=...),
    "exp text": lambda f: f.own(exp="tomorrow"),
    "exp huge": lambda f: f.own(exp=10**400),
    "not yet valid": lambda f: f.own(nbf=int(time.time()) + 600),
    "issued tomorrow": lambda f: f.own(iat=int(time.time()) + 86_400),
    "other issuer": lambda f: f.own(iss="https://evil.example/auth/v1"),
    "issuer with a slash": lambda f: f.own(iss=f.claims["iss"] + "/"),
    "no issuer": lambda f: f.own(iss=...),
    "other audience": lambda f: f.own(aud="account"),
    "list of audiences": lambda f: f.own(aud=["authenticated"]),
    "no audience": lambda f: f.own(aud=...),
    "no sub": lambda f: f.own(sub=...),
    "no session": lambda f: f.own(session_id=...),
    "session no UUID": lambda f: f.own(session_id="1"),
    "payload a list": lambda f: f"{f.head}.{encoded([f.claims])}.{f.signature}",
    "payload null": lambda f: f"{f.head}.{encoded(None)}.{f.signature}",
    "payload no JSON": lambda f: f"{f.head}.{encoded(b'{')}.{f.signature}",
    "header no JSON": lambda f: f"{encoded(b'{')}.{f.payload}.{f.signature}",
    "header nested deep": lambda f: f"{encoded(b'[' * 5000)}.{f.payload}.{f.signature}",
    "padding": lambda f: f"{f.token}=",
    "very long": lambda f: f.own(padding="x" * 9000),
    "refresh token": lambda f: f.refresh_token,
    "publishable key": lambda f: "sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH",
    "not ASCII": lambda f: "ünsinn".encode(),
}


@pytest.fixture
def forger(auth):
    session = auth.sign_up().json()
    keys = auth.service.app.state.dependencies.keys
    forger = Forger(session["access_token"], dict(keys.published()[0]), keys.current.private_key)
    forger.refresh_token = session["refresh_token"]
    return forger


def ask(auth, token):
    value = token if isinstance(token, bytes) else token.encode()
    return auth.client.get("/auth/v1/user", headers={"Authorization": b"Bearer " + value})


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_token_is_refused(auth, forger, name):
    answer = ask(auth, FORGERIES[name](forger))
    assert (answer.status_code, answer.json()["code"]) == (403, "bad_jwt")
    assert answer.json()["message"].startswith("invalid JWT: unable to parse or verify signature")
    assert ask(auth, forger.token).status_code == 200


def test_own_key_signs_what_is_believed(auth, forger):
    assert ask(auth, forger.own()).status_code == 200


@pytest.mark.parametrize("sub", ["", "ada", "123", "../admin"])
def test_subject_must_be_a_uuid(auth, forger, sub):
    answer = ask(auth, forger.own(sub=sub))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_jwt")


def test_every_user_endpoint_demands_the_same(auth, forger):
    headers = {"Authorization": f"Bearer {forger.unsigned('none')}"}
    for method, path in (("GET", "user"), ("PUT", "user"), ("POST", "logout")):
        answer = auth.client.request(method, f"/auth/v1/{path}", headers=headers, json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "bad_jwt")
