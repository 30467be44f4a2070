"""The OpenID Connect provider of this machine is a real one: it holds its clients to the rules."""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from cas_local.oidc_provider import CALLBACK, CLIENT_ID, CLIENT_SECRET, OidcProvider

VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def shared_provider():
    with OidcProvider() as running:
        yield running


@pytest.fixture
def provider(shared_provider):
    yield shared_provider
    shared_provider.overrides = {}


def authorize(provider, **changes):
    asked = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "scope": "openid email profile",
        "state": "state-1",
        "nonce": secrets.token_urlsafe(),
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    asked = {name: value for name, value in asked.items() if value is not None}
    return httpx.get(f"{provider.issuer}/authorize", params=asked)


def answer_of(redirected):
    assert redirected.status_code == 302
    location = urlsplit(redirected.headers["location"])
    assert location._replace(query="").geturl() == CALLBACK
    return {name: values[0] for name, values in parse_qs(location.query).items()}


def exchange(provider, code, *, auth=(CLIENT_ID, CLIENT_SECRET), **changes):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        **changes,
    }
    return httpx.post(f"{provider.issuer}/token", data=form, auth=auth)


def claims_of(provider, id_token):
    keys = KeySet.import_key_set(httpx.get(f"{provider.issuer}/jwks").json())
    return jwt.decode(id_token, keys, algorithms=[provider.algorithm]).claims


class TestSigningIn:
    def test_gives_tokens_for_a_code(self, provider):
        answer = answer_of(authorize(provider, nonce="nonce-1"))
        assert answer["state"] == "state-1"
        tokens = exchange(provider, answer["code"]).json()
        claims = claims_of(provider, tokens["id_token"])
        assert (claims["iss"], claims["aud"], claims["nonce"]) == (provider.issuer, CLIENT_ID, "nonce-1")
        assert (claims["sub"], claims["email"], claims["email_verified"]) == ("ada", "ada@example.com", True)
        assert claims["at_hash"]
        userinfo = httpx.get(
            f"{provider.issuer}/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"}
        )
        assert userinfo.json()["name"] == "Ada Lovelace"

    def test_takes_the_secret_in_the_form_too(self, provider):
        code = answer_of(authorize(provider))["code"]
        answer = exchange(provider, code, auth=None, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        assert answer.status_code == 200

    def test_renews_tokens(self, provider):
        tokens = exchange(provider, answer_of(authorize(provider))["code"]).json()
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        renewed = httpx.post(f"{provider.issuer}/token", data=form, auth=(CLIENT_ID, CLIENT_SECRET))
        assert renewed.json()["access_token"] != tokens["access_token"]

    def test_signs_in_whom_the_hint_names(self, provider):
        httpx.put(f"{provider.issuer}/people/grace", json={"email": "grace@example.com"})
        code = answer_of(authorize(provider, login_hint="grace@example.com"))["code"]
        assert claims_of(provider, exchange(provider, code).json()["id_token"])["sub"] == "grace"

    def test_says_only_what_the_scope_allows(self, provider):
        code = answer_of(authorize(provider, scope="openid"))["code"]
        claims = claims_of(provider, exchange(provider, code).json()["id_token"])
        assert not {"email", "name"} & claims.keys()

    def test_can_be_made_to_lie(self, provider):
        provider.overrides = {"nonce": "another", "email": None}
        code = answer_of(authorize(provider))["code"]
        claims = claims_of(provider, exchange(provider, code).json()["id_token"])
        assert claims["nonce"] == "another"
        assert "email" not in claims


class TestRefusing:
    @pytest.mark.parametrize(
        "changes",
        [
            {"redirect_uri": "http://localhost:8000/elsewhere"},
            {"redirect_uri": None},
            {"client_id": "somebody"},
        ],
    )
    def test_sends_nobody_to_an_address_that_is_not_the_clients(self, provider, changes):
        assert authorize(provider, **changes).status_code in {400, 401}

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"consent": "refused"}, "access_denied"),
            ({"login_hint": "nobody"}, "access_denied"),
            ({"nonce": None}, "invalid_request"),
            ({"code_challenge": None}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
        ],
    )
    def test_tells_the_client_why(self, provider, changes, error):
        answer = authorize(provider, **changes)
        found = answer_of(answer) if answer.status_code == 302 else answer.json()
        assert found["error"] == error

    def test_takes_a_nonce_once(self, provider):
        answer_of(authorize(provider, nonce="once"))
        answer = authorize(provider, nonce="once")
        assert "code" not in (answer.headers.get("location") or "")

    @pytest.mark.parametrize(
        "changes",
        [
            {"auth": (CLIENT_ID, "wrong")},
            {"auth": None},
            {"code_verifier": "w" * 43},
            {"code_verifier": ""},
            {"redirect_uri": "http://localhost:8000/elsewhere"},
            {"code": "guessed"},
        ],
    )
    def test_exchanges_no_code_of_somebody_else(self, provider, changes):
        code = changes.pop("code", None) or answer_of(authorize(provider))["code"]
        assert exchange(provider, code, **changes).status_code in {400, 401}

    def test_exchanges_a_code_once(self, provider):
        code = answer_of(authorize(provider))["code"]
        assert exchange(provider, code).status_code == 200
        assert exchange(provider, code).status_code == 400

    def test_tells_nothing_without_a_token(self, provider):
        assert httpx.get(f"{provider.issuer}/userinfo").status_code == 401
