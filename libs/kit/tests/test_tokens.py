"""Only a token that the issuer signed, for us and for now, names a caller."""

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from cas_kit.errors import Unauthenticated
from cas_kit.testing import Issuer
from cas_kit.testing.issuer import AUDIENCE, ISSUER
from cas_kit.tokens import LEEWAY, MAX_TOKEN_BYTES, REMEMBERED_FOR, SubjectNotAUser, TokenVerifier

REAL = Issuer()
STRANGER = Issuer(kid=REAL.kid)


def encoded(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def claims(**changes):
    return jwt.decode(REAL.token(**changes), options={"verify_signature": False})


def signed(payload, **header):
    """Whatever payload and header, signed with the real key."""
    head = {"alg": "ES256", "typ": "JWT", "kid": REAL.kid, **header}
    head = {name: value for name, value in head.items() if value is not ...}
    text = f"{encoded(head)}.{encoded(payload)}"
    algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    return f"{text}.{encoded(algorithm.sign(text.encode(), REAL.private_key))}"


def unsigned(signature="", **header):
    return f"{encoded({'typ': 'JWT', 'kid': REAL.kid, **header})}.{encoded(claims())}.{signature}"


def hmac_signed(secret, alg="HS256"):
    text = f"{encoded({'alg': alg, 'typ': 'JWT', 'kid': REAL.kid})}.{encoded(claims())}"
    return f"{text}.{encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def with_parts(*, header=None, payload=None, signature=None):
    """A good token with one of its parts replaced."""
    parts = REAL.token().split(".")
    for place, part in enumerate([header, payload, signature]):
        if part is not None:
            parts[place] = part(parts[place])
    return ".".join(parts)


def der_signature(part):
    raw = decoded(part)
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    return encoded(encode_dss_signature(r, s))


def public_pem():
    return REAL.private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_der():
    return REAL.private_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def rsa_signed():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims(), key, algorithm="RS256", headers={"kid": REAL.kid})


NOW = int(time.time())
DAY = 86_400
PAST_LEEWAY = int(LEEWAY.total_seconds()) + 3600  # however long after collection these are used
ELLIPTIC_JWK = {name: REAL.jwk[name] for name in ("kty", "crv", "x", "y")}

FORGED = {
    # Nothing signed it.
    "alg none": unsigned(alg="none"),
    "alg None": unsigned(alg="None"),
    "alg NONE": unsigned(alg="NONE"),
    "alg NoNe": unsigned(alg="NoNe"),
    "alg none, with a signature": unsigned(alg="none", signature=encoded(b"x" * 64)),
    "alg empty": unsigned(alg=""),
    "alg null": unsigned(alg=None),
    "alg missing": unsigned(),
    "alg list": unsigned(alg=["ES256"]),
    "alg number": unsigned(alg=256),
    "alg ES256, no signature": unsigned(alg="ES256"),
    "alg ES256, zero signature": unsigned(alg="ES256", signature=encoded(bytes(64))),
    "alg es256": signed(claims(), alg="es256"),
    "alg ES256 with a space": signed(claims(), alg="ES256 "),
    # The public key used as if it were a shared secret.
    "HS256 with the PEM": hmac_signed(public_pem()),
    "HS256 with the stripped PEM": hmac_signed(public_pem().strip()),
    "HS256 with the DER": hmac_signed(public_der()),
    "HS256 with the JWK": hmac_signed(json.dumps(REAL.jwk).encode()),
    "HS256 with x": hmac_signed(decoded(REAL.jwk["x"])),
    "HS256 with nothing": hmac_signed(b""),
    "HS512 with the PEM": hmac_signed(public_pem(), alg="HS512"),
    "ES256 over an HMAC": hmac_signed(public_pem(), alg="ES256"),
    # Another key or another algorithm.
    "RS256": rsa_signed(),
    "ES384 in the header": signed(claims(), alg="ES384"),
    "another key, same kid": STRANGER.token(),
    "another key, another kid": Issuer(kid="other").token(),
    # Key ids that a careless look-up would follow.
    "kid path": signed(claims(), kid="../../dev/null"),
    "kid SQL": signed(claims(), kid="x' UNION SELECT 'secret' --"),
    "kid URL": signed(claims(), kid="https://evil.example/key"),
    "kid empty": signed(claims(), kid=""),
    "kid missing": signed(claims(), kid=...),
    "kid null": signed(claims(), kid=None),
    "kid number": signed(claims(), kid=1),
    "kid list": signed(claims(), kid=[REAL.kid]),
    "kid object": signed(claims(), kid={"kid": REAL.kid}),
    "kid with NUL": signed(claims(), kid=REAL.kid + "\0"),
    "kid in another case": signed(claims(), kid=REAL.kid.upper()),
    # Headers that bring or point to a key, or change what is signed.
    "jku": signed(claims(), jku="https://evil.example/jwks.json"),
    "jwk": signed(claims(), jwk=ELLIPTIC_JWK),
    "x5u": signed(claims(), x5u="https://evil.example/cert.pem"),
    "x5c": signed(claims(), x5c=[encoded(public_der())]),
    "crit": signed(claims(), crit=["exp"]),
    "b64 false": signed(claims(), b64=False, crit=["b64"]),
    # Claims that are wrong although the signature is right.
    "expired": REAL.token(exp=NOW - PAST_LEEWAY),
    "not valid yet": REAL.token(nbf=NOW + DAY),
    "issued in the future": REAL.token(iat=NOW + DAY),
    "exp huge": REAL.token(exp=10**400),
    "exp far": REAL.token(exp=10**13),
    "exp infinite": signed(json.dumps(claims(exp=float("inf"))).encode()),
    "exp NaN": signed(json.dumps(claims(exp=float("nan"))).encode()),
    "exp string": REAL.token(exp=str(NOW + 3600)),
    "exp words": REAL.token(exp="never"),
    "exp negative": REAL.token(exp=-1),
    "exp zero": REAL.token(exp=0),
    "exp true": REAL.token(exp=True),
    "exp list": REAL.token(exp=[NOW + 3600]),
    "exp missing": REAL.token(exp=None),
    "iat string": REAL.token(iat=str(NOW)),
    "iat true": REAL.token(iat=True),
    "iat missing": REAL.token(iat=None),
    "nbf string": REAL.token(nbf=str(NOW)),
    "sub missing": REAL.token(sub=None),
    "sub null": signed({**claims(), "sub": None}),
    "sub number": signed({**claims(), "sub": 1}),
    "sub list": signed({**claims(), "sub": [str(uuid4())]}),
    "sub empty": signed({**claims(), "sub": ""}),
    "sub no UUID": REAL.token(sub="admin"),
    "sub with more": REAL.token(sub=f"{uuid4()} OR 1=1"),
    "iss missing": REAL.token(iss=None),
    "iss other": REAL.token(iss="https://evil.example"),
    "iss with a slash": REAL.token(iss=ISSUER + "/"),
    "iss in another case": REAL.token(iss=ISSUER.upper()),
    "iss list": signed({**claims(), "iss": [ISSUER]}),
    "aud missing": REAL.token(aud=None),
    "aud other": REAL.token(aud="anon"),
    "aud prefix": REAL.token(aud=AUDIENCE[:-1]),
    "aud list": REAL.token(aud=[AUDIENCE]),
    "aud list of more": REAL.token(aud=["anon", AUDIENCE]),
    "aud object": REAL.token(aud={AUDIENCE: True}),
    "aud number": REAL.token(aud=1),
    "aud empty": REAL.token(aud=""),
    # Payloads that are no claims.
    "payload null": signed(None),
    "payload number": signed(1),
    "payload list": signed([claims()]),
    "payload string": signed("sub"),
    "payload empty": signed(b""),
    "payload no JSON": signed(b"{sub: 1}"),
    "payload bad UTF-8": signed(b'{"sub": "\xff"}'),
    "payload deep": signed(b"[" * 3000 + b"]" * 3000),
    # A good token, changed.
    "other payload": with_parts(payload=lambda _: encoded(claims())),
    "duplicate claims": with_parts(payload=lambda p: encoded(decoded(p)[:-1] + b',"sub":"x"}')),
    "other header": with_parts(header=lambda _: encoded({"kid": REAL.kid, "alg": "ES256"})),
    "duplicate alg": with_parts(header=lambda h: encoded(b'{"alg":"none",' + decoded(h)[1:])),
    "header no JSON": with_parts(header=lambda _: encoded(b"nonsense")),
    "header list": with_parts(header=lambda _: encoded(["ES256"])),
    "header null": with_parts(header=lambda _: encoded(None)),
    "signature truncated": with_parts(signature=lambda s: s[:-2]),
    "signature halved": with_parts(signature=lambda s: s[:43]),
    "signature extended": with_parts(signature=lambda s: encoded(decoded(s) + b"\0")),
    "signature doubled": with_parts(signature=lambda s: s + s),
    "signature DER": with_parts(signature=der_signature),
    "signature changed": with_parts(signature=lambda s: ("B" if s[0] == "A" else "A") + s[1:]),
    "signature with foreign characters": with_parts(signature=lambda s: s[:10] + "!!!!" + s[10:]),
    "signature padded": with_parts(signature=lambda s: s + "=="),
    "signature empty": with_parts(signature=lambda _: ""),
    # No token at all.
    "empty": "",
    "words": "not a token",
    "two parts": ".".join(REAL.token().split(".")[:2]),
    "four parts": REAL.token() + ".x",
    "dots": "..",
    "non-ASCII": REAL.token() + "é",
    "surrogate": REAL.token() + "\udcff",
    "NUL": REAL.token() + "\0",
    "line break": REAL.token() + "\n",
    "inner space": REAL.token().replace(".", " .", 1),
    "giant": "a" * (MAX_TOKEN_BYTES + 1),
    "giant and signed": REAL.token(user_metadata={"x": "y" * MAX_TOKEN_BYTES}),
}


@pytest.fixture
def verifier():
    return TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=REAL)


class TestVerify:
    @pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
    def test_refuses_forged(self, verifier, token):
        with pytest.raises(Unauthenticated):
            verifier.verify(token)
        assert verifier.remembered(token) is None

    def test_accepts_what_the_forgeries_are_made_from(self, verifier):
        """Or else the refusals above would prove nothing."""
        for token in (signed(claims()), with_parts(signature=lambda s: encoded(decoded(s)))):
            verifier.verify(token)

    def test_tells_a_foreign_subject_from_a_bad_token(self, verifier):
        with pytest.raises(SubjectNotAUser):
            verifier.verify(REAL.token(sub="service-role"))
        with pytest.raises(Unauthenticated) as refusal:
            verifier.verify(REAL.token(sub=None))
        assert not isinstance(refusal.value, SubjectNotAUser)

    def test_tells_who_is_calling(self, verifier):
        user_id, session_id = uuid4(), str(uuid4())
        token = REAL.token(user_id, session_id=session_id, role="authenticated")
        principal = verifier.verify(token)
        assert (principal.user_id, principal.session_id) == (user_id, session_id)
        assert principal.claims["role"] == "authenticated"
        assert principal.digest == hashlib.sha256(token.encode()).digest()

    @pytest.mark.parametrize("session_id", [None, ""])
    def test_has_no_session_when_the_token_names_none(self, verifier, session_id):
        assert verifier.verify(REAL.token(session_id=session_id)).session_id == ""

    @pytest.mark.parametrize(("claim", "offset"), [("exp", -10), ("nbf", 20), ("iat", 20)])
    def test_forgives_small_differences_between_clocks(self, verifier, claim, offset):
        assert verifier.verify(REAL.token(**{claim: int(time.time()) + offset}))


class TestRemembered:
    def test_only_after_verification(self, verifier):
        token = REAL.token()
        assert verifier.remembered(token) is None
        principal = verifier.verify(token)
        assert verifier.remembered(token) is principal
        assert verifier.verify(token) is principal

    def test_until_the_token_expires(self):
        clock = [time.time()]
        verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=REAL, now=lambda: clock[0])
        expires_at = int(clock[0]) + 60
        token = REAL.token(exp=expires_at)
        verifier.verify(token)
        clock[0] = expires_at + LEEWAY.total_seconds() - 1
        assert verifier.remembered(token)
        clock[0] = expires_at + LEEWAY.total_seconds()
        assert verifier.remembered(token) is None

    def test_no_longer_than_a_withdrawn_key_may_count(self):
        clock = [time.time()]
        keys = {REAL.kid: REAL.key(REAL.kid)}
        verifier = TokenVerifier(
            issuer=ISSUER, audience=AUDIENCE, keys=SimpleNamespace(key=keys.get), now=lambda: clock[0]
        )
        token = REAL.token(exp=int(clock[0]) + 86_400)
        assert verifier.verify(token)
        keys.clear()
        clock[0] += REMEMBERED_FOR.total_seconds() - 1
        assert verifier.remembered(token)
        clock[0] += 1
        assert verifier.remembered(token) is None
        with pytest.raises(Unauthenticated):
            verifier.verify(token)

    def test_forgets_the_oldest_when_there_are_too_many(self, verifier, monkeypatch):
        monkeypatch.setattr("cas_kit.tokens.CACHED_TOKENS", 2)
        tokens = [REAL.token() for _ in range(3)]
        for token in tokens:
            verifier.verify(token)
        assert [verifier.remembered(token) is not None for token in tokens] == [False, True, True]

    def test_serves_many_threads(self, verifier):
        users = {REAL.token(user_id): user_id for user_id in (uuid4() for _ in range(8))}
        with ThreadPoolExecutor(8) as pool:
            tokens = list(users) * 25
            principals = list(pool.map(verifier.verify, tokens))
        assert [principal.user_id for principal in principals] == [users[token] for token in tokens]
