"""The Kong plugin and tokens of other issuers: each issuer's keys are good for its own name alone."""

from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cas_kit.issuers import Subjects, local_user_id
from cas_kit.testing import Issuer

from .kong_pdk import Credential, Exchange, Exit, Kong, jwt_plugin
from .test_kong_plugins import check, record_of
from .tokens import AUDIENCE, ISSUER, SigningKey

PROJECT = "https://project.example/auth/v1"
IMPORTED = "https://imported.example/auth/v1"
SECRET = b"a secret of at least thirty-two bytes"
CONFIG: dict[str, Any] = {
    "issuer": ISSUER,
    "audience": AUDIENCE,
    "others": [
        {"issuer": PROJECT, "audience": "web", "subjects": "derived"},
        {"issuer": IMPORTED, "audience": AUDIENCE, "subjects": "same"},
    ],
}


@pytest.fixture(scope="module")
def theirs() -> Issuer:
    return Issuer("theirs", algorithm="RS256", url=PROJECT)


@pytest.fixture
def call(key: SigningKey, theirs: Issuer) -> Any:
    """What becomes of a request with this token."""
    pem = jwt.PyJWK(theirs.jwk).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    credentials = {
        key.kid: Credential(key.public_pem, ISSUER),
        "ours-before": Credential(SECRET, ISSUER, "HS256"),
        "theirs": Credential(pem, PROJECT, "RS256"),
        "imported": Credential(SECRET[::-1], IMPORTED, "HS256"),
    }

    def ask(token: str, **config: Any) -> Exchange:
        exchange = Exchange(request={"authorization": [f"Bearer {token}"]})
        kong = Kong(exchange)
        try:
            kong.run("caller-identity", "rewrite")
            exchange.phase = "access"
            jwt_plugin(exchange, credentials)
            kong.run("caller-identity", "access", CONFIG | config)
        except Exit as ended:
            exchange.status = ended.status
        return exchange

    return ask


def hs256(secret: bytes, kid: str, **claims: Any) -> str:
    return jwt.encode(Issuer().claims(**claims), secret, "HS256", headers={"kid": kid})


class TestATokenOfAnotherIssuer:
    @pytest.mark.parametrize("subject", ["auth0|ada", "6f1c8e0e-3a9b-4a54-8f57-0a4ac6a1d2a3", "é", "x" * 255])
    def test_names_the_user_the_services_derive(self, call: Any, theirs: Issuer, subject: str) -> None:
        exchange = call(theirs.token(subject, aud="web"))
        expected = local_user_id(subject, issuer=PROJECT, subjects=Subjects.DERIVED)
        assert (exchange.status, exchange.request["x-user-id"]) == (200, [str(expected)])

    def test_names_a_local_user_where_it_may(self, call: Any) -> None:
        user = str(uuid4())
        token = hs256(SECRET[::-1], "imported", iss=IMPORTED, sub=user)
        assert call(token).request["x-user-id"] == [user]
        assert call(hs256(SECRET[::-1], "imported", iss=IMPORTED, sub="ada")).status == 401

    @pytest.mark.parametrize("subject", ["", "x" * 256])
    def test_names_somebody(self, call: Any, theirs: Issuer, subject: str) -> None:
        assert call(theirs.token(aud="web", sub=subject)).status == 401

    def test_is_for_the_audience_agreed(self, call: Any, theirs: Issuer) -> None:
        assert call(theirs.token(aud=AUDIENCE)).status == 401

    def test_opens_nothing_where_the_issuer_is_not_trusted(self, call: Any, theirs: Issuer) -> None:
        assert call(theirs.token(aud="web"), others=[]).status == 401


class TestOurOwnOldSecret:
    def test_is_still_good(self, call: Any) -> None:
        user = str(uuid4())
        assert call(hs256(SECRET, "ours-before", sub=user)).request["x-user-id"] == [user]

    def test_is_good_for_programs_too(self, call: Any) -> None:
        token = hs256(SECRET, "ours-before", sub=None, role="service_role")
        assert call(token, needs_user=False).status == 200
        assert call(token).status == 401


class TestKeysOfOneIssuer:
    """...open nothing under the name of another."""

    def test_are_not_for_our_name(self, call: Any, theirs: Issuer) -> None:
        assert call(theirs.token(iss=ISSUER)).status == 401
        assert call(hs256(SECRET[::-1], "imported", iss=ISSUER)).status == 401

    def test_of_ours_are_not_for_theirs(self, call: Any, key: SigningKey) -> None:
        assert call(key.token(iss=PROJECT, aud="web")).status == 401
        assert call(hs256(SECRET, "ours-before", iss=IMPORTED)).status == 401

    def test_of_a_third_are_not_for_theirs(self, call: Any) -> None:
        assert call(hs256(SECRET[::-1], "imported", iss=PROJECT, aud="web")).status == 401

    def test_are_of_one_algorithm(self, call: Any, key: SigningKey) -> None:
        assert call(hs256(key.public_pem.replace(b"-----", b""), key.kid)).status == 401


def test_the_schema_knows_other_issuers() -> None:
    check(record_of("caller-identity"), CONFIG)
