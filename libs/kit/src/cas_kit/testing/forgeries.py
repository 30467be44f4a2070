"""Tokens that look like ours: what every service has to refuse, and the gateway before it.

`FORGERIES[name](forger)` makes one. Their maker has our real signing key, so that each is wrong in one way only.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from cas_kit.testing.forger import ABSENT, Forger, decode, encode

HOUR, DAY = 3_600, 86_400
TOO_LONG = 9_000  # characters; no token of ours comes near

Make = Callable[[Forger], str]


def _der(part: str) -> str:
    raw = decode(part)
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    return encode(encode_dss_signature(r, s))


def _respelled(part: str) -> str:
    """The same bytes: the last character has bits that mean nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) + 1]


def _twice(document: Mapping[str, Any], **second: Any) -> bytes:
    """JSON with a name that occurs again, which parsers read differently."""
    return json.dumps(document)[:-1].encode() + b"," + json.dumps(second)[1:].encode()


def _number(document: Mapping[str, Any], name: str, literal: str) -> bytes:
    """JSON with a number that Python would not write so."""
    return json.dumps({**document, name: "@"}).replace('"@"', literal).encode()


UNSIGNED: dict[str, Make] = {
    "alg none": lambda f: f.unsigned(alg="none"),
    "alg None": lambda f: f.unsigned(alg="None"),
    "alg NONE": lambda f: f.unsigned(alg="NONE"),
    "alg nOnE": lambda f: f.unsigned(alg="nOnE"),
    "alg none, with a signature": lambda f: f.unsigned(b"x" * 64, alg="none"),
    "alg empty": lambda f: f.unsigned(alg=""),
    "alg null": lambda f: f.unsigned(alg=None),
    "alg missing": lambda f: f.unsigned(alg=ABSENT),
    "alg missing, signed": lambda f: f.signed(f.claims, alg=ABSENT),
    "alg list": lambda f: f.signed(f.claims, alg=["ES256"]),
    "alg number": lambda f: f.unsigned(alg=256),
    "alg in small letters": lambda f: f.signed(f.claims, alg="es256"),
    "alg with a space": lambda f: f.signed(f.claims, alg="ES256 "),
    "signature absent": lambda f: f.unsigned(),
    "signature of zeros": lambda f: f.unsigned(bytes(64)),  # what broken ECDSA takes for anything
    "signature of ones": lambda f: f.unsigned(b"\xff" * 64),
    "signature of 63 bytes": lambda f: f.unsigned(b"x" * 63),
    "signature of 65 bytes": lambda f: f.unsigned(b"x" * 65),
    "signature of one byte": lambda f: f.unsigned(b"x"),
}

# The public key, or something else that everybody knows, used as if it were a shared secret.
SHARED_SECRETS: dict[str, Make] = {
    "HS256 with the PEM": lambda f: f.hmac(f.public(Encoding.PEM)),
    "HS256 with the stripped PEM": lambda f: f.hmac(f.public(Encoding.PEM).strip()),
    "HS256 with the DER": lambda f: f.hmac(f.public(Encoding.DER)),
    "HS256 with the JWK": lambda f: f.hmac(json.dumps(f.jwk).encode()),
    "HS256 with the JWK in one line": lambda f: f.hmac(json.dumps(f.jwk, separators=(",", ":")).encode()),
    "HS256 with x": lambda f: f.hmac(decode(f.jwk["x"])),
    "HS256 with the key id": lambda f: f.hmac(f.jwk["kid"].encode()),
    "HS256 with the issuer": lambda f: f.hmac(f.claims["iss"].encode()),
    "HS256 with nothing": lambda f: f.hmac(b""),
    "HS256 with nothing, no kid": lambda f: f.hmac(b"", kid=ABSENT),
    "HS256 with the PEM, no kid": lambda f: f.hmac(f.public(Encoding.PEM), kid=ABSENT),
    "HS384 with the PEM": lambda f: f.hmac(f.public(Encoding.PEM), "HS384"),
    "HS512 with the PEM": lambda f: f.hmac(f.public(Encoding.PEM), "HS512"),
    "ES256 over an HMAC": lambda f: f.hmac(f.public(Encoding.PEM), "ES256"),
    "RS256 over an HMAC": lambda f: f.hmac(f.public(Encoding.PEM), "RS256"),
}

OTHER_KEYS: dict[str, Make] = {
    "another key": lambda f: f.foreign(),
    "another key, unknown kid": lambda f: f.foreign(kid="unknown"),
    "another key, no kid": lambda f: f.signed(f.claims, key=f.stranger, kid=ABSENT),
    "another key, kid in the payload": lambda f: f.signed(f.claims | {"kid": {"a": 1}}, key=f.stranger),
    "another key in the header": lambda f: f.foreign(jwk=f.strangers_jwk),
    "another key in the header, other kid": lambda f: f.foreign(kid="x", jwk={**f.strangers_jwk, "kid": "x"}),
    "another key's address": lambda f: f.foreign(jku="http://127.0.0.1:1/jwks.json"),
    "another key's certificate": lambda f: f.foreign(x5c=[base64.b64encode(f.public(Encoding.DER)).decode()]),
    "another key's certificate address": lambda f: f.foreign(x5u="http://127.0.0.1:1/certificate.pem"),
    "RS256": lambda f: f.foreign(rsa.generate_private_key(65537, 2048), "RS256"),
    "PS256": lambda f: f.foreign(rsa.generate_private_key(65537, 2048), "PS256"),
    "ES384": lambda f: f.foreign(ec.generate_private_key(ec.SECP384R1()), "ES384"),
    "ES256K": lambda f: f.foreign(ec.generate_private_key(ec.SECP256K1()), "ES256K"),
    "EdDSA": lambda f: f.foreign(ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    "a stranger as issuer": lambda f: f.signed(f.claims | {"iss": "https://x.example"}, key=f.stranger),
    "kid path": lambda f: f.signed(f.claims, key=f.stranger, kid="../../../../dev/null"),
    "kid SQL": lambda f: f.signed(f.claims, key=f.stranger, kid="x' UNION SELECT 'secret' --"),
    "kid URL": lambda f: f.signed(f.claims, key=f.stranger, kid="http://127.0.0.1:1/key"),
    "kid NUL": lambda f: f.signed(f.claims, key=f.stranger, kid=f"{f.jwk['kid']}\0"),
}

# Our key has signed these, but under another name.
KEY_IDS: dict[str, Make] = {
    "our key, unknown kid": lambda f: f.signed(f.claims, kid="unknown"),
    "our key, kid empty": lambda f: f.signed(f.claims, kid=""),
    "our key, no kid": lambda f: f.signed(f.claims, kid=ABSENT),
    "our key, kid null": lambda f: f.signed(f.claims, kid=None),
    "our key, kid number": lambda f: f.signed(f.claims, kid=1),
    "our key, kid list": lambda f: f.signed(f.claims, kid=[f.jwk["kid"]]),
    "our key, kid object": lambda f: f.signed(f.claims, kid={"kid": f.jwk["kid"]}),
    "our key, kid with NUL": lambda f: f.signed(f.claims, kid=f"{f.jwk['kid']}\0"),
    "our key, kid in another case": lambda f: f.signed(f.claims, kid=f.jwk["kid"].swapcase()),
    "our key, kid with a space": lambda f: f.signed(f.claims, kid=f"{f.jwk['kid']} "),
}

# Our key has signed these, but with a header that no token of ours has.
HEADERS: dict[str, Make] = {
    "header with jku": lambda f: f.signed(f.claims, jku="https://x.example/jwks.json"),
    "header with jwk": lambda f: f.signed(f.claims, jwk=f.strangers_jwk),
    "header with x5u": lambda f: f.signed(f.claims, x5u="https://x.example/certificate.pem"),
    "header with x5c": lambda f: f.signed(f.claims, x5c=["MA=="]),
    "header with crit": lambda f: f.signed(f.claims, crit=["exp"]),
    "header with empty crit": lambda f: f.signed(f.claims, crit=[]),
    "header with b64": lambda f: f.signed(f.claims, b64=False, crit=["b64"]),
    "header with b64 alone": lambda f: f.signed(f.claims, b64=False),
    "typ of another kind": lambda f: f.signed(f.claims, typ="dpop+jwt"),
    "typ number": lambda f: f.signed(f.claims, typ=1),
    "typ null": lambda f: f.signed(f.claims, typ=None),
    "header with alg twice": lambda f: f.raw(_twice(f.header, alg="ES256"), f.claims),
    "header with kid twice": lambda f: f.raw(_twice({**f.header, "kid": "x"}, kid=f.jwk["kid"]), f.claims),
}

INSTANTS: dict[str, Make] = {
    "expired": lambda f: f.token(exp=f.now - HOUR),
    "expired long ago": lambda f: f.token(exp=1),
    "not valid yet": lambda f: f.token(nbf=f.now + DAY),
    "issued in the future": lambda f: f.token(iat=f.now + DAY),
    "exp missing": lambda f: f.token(exp=ABSENT),
    "exp null": lambda f: f.token(exp=None),
    "exp zero": lambda f: f.token(exp=0),
    "exp negative": lambda f: f.token(exp=-1),
    "exp huge": lambda f: f.token(exp=10**400),
    "exp far": lambda f: f.token(exp=10**13),
    "exp infinite": lambda f: f.signed(_number(f.claims, "exp", "Infinity")),
    "exp overflowing": lambda f: f.signed(_number(f.claims, "exp", "1e400")),
    "exp NaN": lambda f: f.signed(_number(f.claims, "exp", "NaN")),
    "exp string": lambda f: f.token(exp=str(f.now + HOUR)),
    "exp words": lambda f: f.token(exp="never"),
    "exp true": lambda f: f.token(exp=True),
    "exp list": lambda f: f.token(exp=[f.now + HOUR]),
    "exp object": lambda f: f.token(exp={}),
    "exp twice": lambda f: f.signed(_twice({**f.claims, "exp": 1}, exp=f.now + HOUR)),
    "iat missing": lambda f: f.token(iat=ABSENT),
    "iat string": lambda f: f.token(iat=str(f.now)),
    "iat true": lambda f: f.token(iat=True),
    "iat negative": lambda f: f.token(iat=-1),
    "iat NaN": lambda f: f.signed(_number(f.claims, "iat", "NaN")),
    "nbf string": lambda f: f.token(nbf=str(f.now)),
    "nbf true": lambda f: f.token(nbf=True),
    "nbf negative": lambda f: f.token(nbf=-1),
    "nbf NaN": lambda f: f.signed(_number(f.claims, "nbf", "NaN")),
}

PARTIES: dict[str, Make] = {
    "iss missing": lambda f: f.token(iss=ABSENT),
    "iss null": lambda f: f.token(iss=None),
    "iss other": lambda f: f.token(iss="https://x.example/auth/v1"),
    "iss with a slash": lambda f: f.token(iss=f"{f.claims['iss']}/"),
    "iss in another case": lambda f: f.token(iss=f.claims["iss"].upper()),
    "iss list": lambda f: f.token(iss=[f.claims["iss"]]),
    "iss number": lambda f: f.token(iss=1),
    "iss twice": lambda f: f.signed(_twice({**f.claims, "iss": "https://x.example"}, iss=f.claims["iss"])),
    "aud missing": lambda f: f.token(aud=ABSENT),
    "aud null": lambda f: f.token(aud=None),
    "aud other": lambda f: f.token(aud="anon"),
    "aud prefix": lambda f: f.token(aud=f.claims["aud"][:-1]),
    "aud in another case": lambda f: f.token(aud=f.claims["aud"].upper()),
    "aud empty": lambda f: f.token(aud=""),
    "aud number": lambda f: f.token(aud=1),
    "aud object": lambda f: f.token(aud={f.claims["aud"]: True}),
    "aud empty list": lambda f: f.token(aud=[]),
    "aud list of others": lambda f: f.token(aud=["anon", "web"]),
    "aud list": lambda f: f.token(aud=[f.claims["aud"]]),
    "aud list of more": lambda f: f.token(aud=["anon", f.claims["aud"]]),
}

# Good tokens, but of nobody.
SUBJECTS: dict[str, Make] = {
    "sub missing": lambda f: f.token(sub=ABSENT),
    "sub null": lambda f: f.token(sub=None),
    "sub number": lambda f: f.token(sub=1),
    "sub list": lambda f: f.token(sub=[f.claims["sub"]]),
    "sub empty": lambda f: f.token(sub=""),
    "sub word": lambda f: f.token(sub="admin"),
    "sub with more": lambda f: f.token(sub=f"{f.claims['sub']} OR 1=1"),
    "sub with a line break": lambda f: f.token(sub=f"{f.claims['sub']}\r\nX-User-Role: admin"),
    "sub twice": lambda f: f.signed(_twice({**f.claims, "sub": str(uuid4())}, sub=f.claims["sub"])),
}

# Good tokens of programs that may do everything, and therefore act for no user.
PROGRAMS: dict[str, Make] = {
    "a service role": lambda f: f.token(role="service_role", sub=ABSENT, session_id=ABSENT),
    "a service role in a user's name": lambda f: f.token(role="service_role", session_id=ABSENT),
    "an administrator of Supabase": lambda f: f.token(role="supabase_admin", session_id=""),
}

PAYLOADS: dict[str, Make] = {
    "payload null": lambda f: f.signed(None),
    "payload number": lambda f: f.signed(1),
    "payload string": lambda f: f.signed("sub"),
    "payload list": lambda f: f.signed([f.claims]),
    "payload empty object": lambda f: f.signed({}),
    "payload no JSON": lambda f: f.signed(b"{sub: 1}"),
    "payload cut off": lambda f: f.signed(json.dumps(f.claims)[:-1].encode()),
    "payload bad UTF-8": lambda f: f.signed(b'{"sub": "\xff"}'),
    "payload nested deep": lambda f: f.signed(b"[" * 2000 + b"]" * 2000),
    "header null": lambda f: f.raw(None, f.claims),
    "header list": lambda f: f.raw(["ES256"], f.claims),
    "header number": lambda f: f.raw(7, f.claims),
    "header no JSON": lambda f: f.raw(b"nonsense", f.claims),
}

# Good tokens, changed after they were signed.
CHANGED: dict[str, Make] = {
    "other payload": lambda f: f.changed(payload=lambda _: encode(f.claims | {"sub": str(uuid4())})),
    "raised role": lambda f: f.changed(payload=lambda _: encode(f.claims | {"role": "service_role"})),
    "claims added": lambda f: f.changed(payload=lambda p: encode(_twice(json.loads(decode(p)), x=1))),
    "other header": lambda f: f.changed(header=lambda _: encode(f.header | {"x": 1})),
    "other order in the header": lambda f: f.changed(
        header=lambda _: encode(dict(reversed(f.header.items())))
    ),
    "signature of another token": lambda f: f.changed(signature=lambda _: f.token(x=1).split(".")[2]),
    "signature truncated": lambda f: f.changed(signature=lambda s: s[:-2]),
    "signature halved": lambda f: f.changed(signature=lambda s: s[:43]),
    "signature extended": lambda f: f.changed(signature=lambda s: encode(decode(s) + b"\0")),
    "signature doubled": lambda f: f.changed(signature=lambda s: encode(decode(s) * 2)),
    "signature backwards": lambda f: f.changed(signature=lambda s: encode(decode(s)[::-1])),
    "signature in DER": lambda f: f.changed(signature=_der),
    "signature with one bit changed": lambda f: f.changed(
        signature=lambda s: encode(bytes([decode(s)[0] ^ 1]) + decode(s)[1:])
    ),
}

# The bytes are those of a good token, but base64url has one spelling for each.
SPELLINGS: dict[str, Make] = {
    "signature respelled": lambda f: f.changed(signature=_respelled),
    "signature padded": lambda f: f.changed(signature=lambda s: f"{s}=="),
    "signature with foreign characters": lambda f: f.changed(signature=lambda s: f"{s[:10]}!!!!{s[10:]}"),
    "signature with a dash too many": lambda f: f.changed(signature=lambda s: f"{s}-"),
    "payload padded": lambda f: f.changed(payload=lambda p: p + "=" * (-len(p) % 4 or 4)),
    "header padded": lambda f: f.changed(header=lambda h: h + "=" * (-len(h) % 4 or 4)),
}

SHAPES: dict[str, Make] = {
    "a word": lambda _: "hello",
    "words": lambda _: "not a token",
    "no dots": lambda f: f.token().replace(".", ""),
    "two parts": lambda f: f.token().rpartition(".")[0],
    "four parts": lambda f: f"{f.token()}.x",
    "five parts": lambda f: f"{f.token()}.x.y",
    "dots": lambda _: "..",
    "an inner space": lambda f: f.token().replace(".", " .", 1),
    "twice the scheme": lambda f: f"Bearer {f.token()}",
    "in quotes": lambda f: f'"{f.token()}"',
    "two tokens": lambda f: f"{f.token()},{f.token()}",
    "JSON": lambda f: json.dumps(
        dict(zip(("protected", "payload", "signature"), f.token().split("."), strict=True))
    ),
    "very long": lambda _: "a" * TOO_LONG,
    "very long and signed": lambda f: f.token(user_metadata={"x": "y" * TOO_LONG}),
    "refresh token": lambda f: f.refresh_token,
    "publishable key": lambda _: "sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH",
}

GROUPS: dict[str, dict[str, Make]] = {
    "unsigned": UNSIGNED,
    "shared secrets": SHARED_SECRETS,
    "other keys": OTHER_KEYS,
    "key ids": KEY_IDS,
    "headers": HEADERS,
    "instants": INSTANTS,
    "parties": PARTIES,
    "subjects": SUBJECTS,
    "programs": PROGRAMS,
    "payloads": PAYLOADS,
    "changed": CHANGED,
    "spellings": SPELLINGS,
    "shapes": SHAPES,
}
FORGERIES: dict[str, Make] = {name: make for group in GROUPS.values() for name, make in group.items()}
"""All of them, by what is wrong."""

GOOD: dict[str, Make] = {
    "as it is": lambda f: f.token(),
    "without typ": lambda f: f.signed(f.claims, typ=ABSENT),
    "with a claim nobody knows": lambda f: f.token(x={"y": [1, 2.5, None, "é"]}),
    "with fractions of a second": lambda f: f.token(exp=f.now + HOUR + 0.5, iat=f.now - 0.5),
    "about to expire": lambda f: f.token(exp=f.now + 30),
    "a moment too early": lambda f: f.token(nbf=f.now + 10, iat=f.now + 10),
    "without nbf": lambda f: f.token(nbf=ABSENT),
}
"""What they are made from: where these are refused too, the refusals prove nothing."""

SIGNED_BY_US = {
    *(name for name in HEADERS if "twice" not in name),
    "our key, kid empty",
    "our key, no kid",
    "issued in the future",
    "exp far",
    "iat missing",
    "aud list",
    "aud list of more",
    "a service role in a user's name",
    "an administrator of Supabase",
    "signature extended",
    "signature respelled",
    "signature padded",
    "signature with a dash too many",
    "very long and signed",
}
"""What a gateway may let through to the services: our own key has signed it, and only its form is odd."""
