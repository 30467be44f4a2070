"""Signing in with an ID token that an app got by itself."""

import base64
from hashlib import sha256

import pytest

from cas_kit.testing.jwks_server import JwksServer

from .browsing import google_settings
from .conftest import bearer
from .test_rest import SESSION_KEYS, refused


@pytest.fixture
def auth(start, provider):
    return start(**google_settings(provider, google_app_client_ids=["phone-app"]))


def show(auth, id_token, *, headers=None, **fields):
    body = {"provider": "google", "id_token": id_token, "gotrue_meta_security": {}, **fields}
    return auth.client.post(
        "/auth/v1/token", params={"grant_type": "id_token"}, json=body, headers=headers or {}
    )


def refused_as_oauth(answer, error, description=None):
    """Whether it is a refusal in the words of OAuth, and of nothing else."""
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "error_description"}
    assert answer.json()["error"] == error
    assert answer.json()["error_description"]
    return description is None or description in answer.json()["error_description"]


class TestSigningIn:
    def test_answers_a_session(self, auth, provider):
        answer = show(auth, provider.id_token(), access_token=None, nonce=None)
        assert answer.status_code == 200
        assert set(answer.json()) == SESSION_KEYS
        assert answer.json()["user"]["email"] == "ada@example.com"

    def test_is_the_same_user_as_through_the_browser(self, auth, provider):
        first, again = (show(auth, provider.id_token()).json()["user"] for _ in range(2))
        assert first["id"] == again["id"]

    def test_takes_tokens_of_an_app(self, auth, provider):
        token = provider.id_token(audience="phone-app", azp="phone-app")
        assert show(auth, token, provider="Google").status_code == 200

    def test_finds_the_provider_by_issuer_and_client(self, auth, provider):
        token = provider.id_token()
        answer = show(auth, token, provider=None, issuer=provider.issuer, client_id="phone-app")
        assert answer.status_code == 200

    @pytest.mark.parametrize("said", ["raw-nonce", sha256(b"raw-nonce").hexdigest()])
    def test_holds_the_nonce_against_the_token(self, auth, provider, said):
        assert show(auth, provider.id_token(nonce=said), nonce="raw-nonce").status_code == 200

    def test_asks_for_a_proof_of_the_address(self, start, provider):
        auth = start(**google_settings(provider, email_auto_confirm=False))
        answer = show(auth, provider.id_token(email_verified=False))
        assert refused(answer, 403, "provider_email_needs_verification")


class TestRefusing:
    def test_needs_a_token(self, auth):
        assert refused_as_oauth(show(auth, None), "invalid request", "id_token required")

    def test_needs_to_know_the_provider(self, auth, provider):
        answer = show(auth, provider.id_token(), provider=None, issuer=provider.issuer)
        assert refused_as_oauth(answer, "invalid request", "provider or client_id and issuer required")

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"provider": "apple"}, "provider_disabled"),
            ({"provider": "nobody"}, "validation_failed"),
            (
                {"provider": None, "issuer": "https://evil.example.com", "client_id": "cas"},
                "validation_failed",
            ),
            ({"issuer": "https://evil.example.com"}, "validation_failed"),
            ({"client_id": "somebody"}, "validation_failed"),
        ],
    )
    def test_knows_no_other_provider(self, auth, provider, fields, code):
        assert refused(show(auth, provider.id_token(), **fields), 400, code)

    def test_says_when_google_is_not_configured(self, start, provider):
        assert refused(show(start(), provider.id_token()), 400, "provider_disabled")

    @pytest.mark.parametrize("said", ["", "a.b.c", "x" * 20_000, "é"])
    def test_refuses_what_is_no_token(self, auth, said):
        assert refused_as_oauth(show(auth, said), "invalid request")

    @pytest.mark.parametrize(
        ("claims", "description"),
        [
            ({"aud": "somebody"}, "Unacceptable audience"),
            ({"iss": "https://evil.example.com"}, "Bad ID token"),
            ({"exp": 1}, "Bad ID token"),
            ({"sub": None}, "Missing sub claim"),
            ({"azp": "somebody"}, "azp"),
        ],
    )
    def test_refuses_a_token_that_proves_nothing(self, auth, provider, claims, description):
        assert refused_as_oauth(show(auth, provider.id_token(**claims)), "invalid request", description)

    @pytest.mark.parametrize(("said", "sent"), [("n", None), (None, "n"), ("n", "")])
    def test_wants_the_nonce_on_both_sides(self, auth, provider, said, sent):
        answer = show(auth, provider.id_token(nonce=said), nonce=sent)
        assert refused_as_oauth(answer, "invalid request", "should either both exist or not")

    def test_is_on_record(self, auth, provider, audit):
        show(auth, provider.id_token(aud="somebody"))
        entry = audit()[-1]
        assert (entry.action, entry.actor_id, entry.traits) == ("login_failed", None, {"provider": "google"})
        assert str(entry.ip) == "203.0.113.9"

    def test_refuses_another_nonce(self, auth, provider):
        assert refused_as_oauth(show(auth, provider.id_token(nonce="n"), nonce="m"), "invalid nonce")

    def test_refuses_an_access_token_of_somebody_else(self, auth, provider):
        half = base64.urlsafe_b64encode(sha256(b"mine").digest()[:16]).rstrip(b"=").decode()
        token = provider.id_token(at_hash=half)
        assert refused_as_oauth(show(auth, token, access_token="theirs"), "invalid request")
        assert show(auth, token, access_token="mine").status_code == 200

    def test_waits_for_nobody_whose_keys_cannot_be_had(self, start, provider):
        token = provider.id_token()
        with JwksServer() as gone:
            issuer = gone.url
        auth = start(**google_settings(provider, google_issuer=issuer))
        assert refused(show(auth, token), 503, "unexpected_failure")

    def test_limits_how_often_one_network_tries(self, start, provider):
        auth = start(**google_settings(provider, sign_in_limit_per_ip="1/minute"))
        assert show(auth, provider.id_token()).status_code == 200
        assert refused(show(auth, provider.id_token()), 429, "over_request_rate_limit")


class TestLinking:
    @pytest.fixture
    def grace(self, auth):
        return auth.sign_up("grace@example.com").json()

    def test_adds_the_account_to_the_caller(self, auth, provider, grace):
        answer = show(auth, provider.id_token(), link_identity=True, headers=bearer(grace["access_token"]))
        assert answer.status_code == 200
        user = answer.json()["user"]
        assert (user["id"], user["email"]) == (grace["user"]["id"], "grace@example.com")
        assert [known["provider"] for known in user["identities"]] == ["email", "google"]

    def test_needs_a_caller(self, auth, provider):
        answer = show(auth, provider.id_token(), link_identity=True)
        assert refused(answer, 401, "no_authorization")
        answer = show(auth, provider.id_token(), link_identity=True, headers=bearer("sb_publishable_key"))
        assert refused(answer, 403, "bad_jwt")

    def test_asks_for_no_caller_otherwise(self, auth, provider):
        answer = show(auth, provider.id_token(), headers=bearer("sb_publishable_key"))
        assert answer.status_code == 200

    def test_takes_no_account_of_somebody_else(self, auth, provider, grace):
        show(auth, provider.id_token())
        answer = show(auth, provider.id_token(), link_identity=True, headers=bearer(grace["access_token"]))
        assert refused(answer, 422, "identity_already_exists")

    def test_can_be_switched_off(self, start, provider):
        auth = start(**google_settings(provider, manual_linking_enabled=False))
        token = auth.sign_up().json()["access_token"]
        answer = show(auth, provider.id_token(), link_identity=True, headers=bearer(token))
        assert refused(answer, 404, "manual_linking_disabled", "Manual linking is disabled")
