"""The REST edge speaks the protocol: bodies, statuses, headers."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from cas_auth.models import User
from cas_kit.jwks import usable_keys
from cas_kit.tokens import TokenVerifier

SESSION_KEYS = {"access_token", "token_type", "expires_in", "expires_at", "refresh_token", "user"}
USER_KEYS = {
    "id", "aud", "role", "email", "email_confirmed_at", "phone", "confirmed_at", "last_sign_in_at", "app_metadata",
    "user_metadata", "identities", "created_at", "updated_at", "is_anonymous",
}  # fmt: skip
IDENTITY_KEYS = {
    "identity_id", "id", "user_id", "identity_data", "provider", "last_sign_in_at", "created_at", "updated_at", "email",
}  # fmt: skip


def refused(answer, status, code, message=None):
    """Whether the answer is this refusal, in the form that old and new clients understand."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert (body["error_code"], body["msg"]) == (body["code"], body["message"])
    assert isinstance(body["message"], str)
    assert body["message"]
    assert answer.headers["x-sb-error-code"] == code
    assert answer.headers["x-supabase-api-version"] == "2024-01-01"
    if message is not None:
        assert body["message"] == message
    return True


def instant(text):
    return datetime.fromisoformat(text)


class TestSignUp:
    def test_answers_a_session_where_addresses_are_trusted(self, auth):
        answer = auth.sign_up(
            "Ada@Example.com",
            data={"full_name": "Ada"},
            gotrue_meta_security={"captcha_token": None},
            code_challenge=None,
            code_challenge_method=None,
        )
        session = answer.json()
        assert answer.status_code == 200
        assert set(session) == SESSION_KEYS
        assert (session["token_type"], session["expires_in"]) == ("bearer", 3600)
        assert abs(session["expires_at"] - datetime.now(UTC).timestamp() - 3600) < 60
        user = session["user"]
        assert set(user) == USER_KEYS
        assert (user["email"], user["phone"], user["role"], user["aud"]) == (
            "ada@example.com", "", "authenticated", "authenticated",
        )  # fmt: skip
        assert user["user_metadata"] == {"full_name": "Ada"}
        assert user["is_anonymous"] is False
        assert instant(user["created_at"]).tzinfo is not None

    def test_shows_the_identity(self, auth):
        user = auth.sign_up().json()["user"]
        [identity] = user["identities"]
        assert set(identity) == IDENTITY_KEYS
        assert UUID(identity["identity_id"])
        assert (identity["id"], identity["user_id"]) == (user["id"], user["id"])
        assert (identity["provider"], identity["email"]) == ("email", "ada@example.com")
        assert identity["identity_data"] == {
            "sub": user["id"], "email": "ada@example.com", "email_verified": True, "phone_verified": False,
        }  # fmt: skip

    def test_answers_the_bare_user_where_addresses_await_confirmation(self, start):
        answer = start(email_auto_confirm=False).sign_up()
        assert answer.status_code == 200
        missing = {"email_confirmed_at", "confirmed_at", "last_sign_in_at"}
        assert set(answer.json()) == USER_KEYS - missing | {"confirmation_sent_at"}

    @pytest.mark.parametrize(
        ("fields", "status", "code", "message"),
        [
            ({"email": "ada"}, 400, "validation_failed", "Unable to validate email address: invalid format"),
            ({"password": None}, 400, "validation_failed", "Signup requires a valid password"),
            ({"password": "short"}, 422, "weak_password", "Password should be at least 8 characters."),
            ({"password": "x" * 1025}, 400, "validation_failed", "Password cannot be longer than 1024 bytes"),
            ({"phone": "447700900000"}, 400, "validation_failed", None),
            (
                {"email": None, "phone": "447700900000"},
                400,
                "phone_provider_disabled",
                "Phone signups are disabled",
            ),
            ({"email": None}, 422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled"),
            ({"email": 5}, 400, "validation_failed", None),
            ({"data": ["no", "object"]}, 400, "validation_failed", None),
        ],
    )
    def test_refuses_bad_fields(self, auth, fields, status, code, message):
        assert refused(auth.sign_up(**fields), status, code, message)

    def test_names_the_reasons_of_a_weak_password(self, auth):
        assert auth.sign_up(password="short").json()["weak_password"] == {"reasons": ["length"]}

    def test_refuses_a_known_address(self, auth):
        auth.sign_up()
        assert refused(auth.sign_up(), 422, "user_already_exists", "User already registered")

    def test_can_be_switched_off(self, start):
        answer = start(signup_enabled=False).sign_up()
        assert refused(answer, 422, "signup_disabled", "Signups not allowed for this instance")


class TestPasswordGrant:
    def test_answers_a_session(self, auth):
        known = auth.sign_up().json()
        answer = auth.sign_in("ADA@example.com")
        assert answer.status_code == 200
        assert set(answer.json()) == SESSION_KEYS
        assert answer.json()["user"]["id"] == known["user"]["id"]
        assert answer.headers["sb-auth-user-id"] == known["user"]["id"]
        assert answer.headers["cache-control"] == "no-store"

    def test_refuses_wrong_credentials(self, auth):
        auth.sign_up()
        assert refused(
            auth.sign_in(password="wrong"), 400, "invalid_credentials", "Invalid login credentials"
        )

    def test_refuses_an_unconfirmed_address(self, start):
        auth = start(email_auto_confirm=False)
        auth.sign_up()
        assert refused(auth.sign_in(), 400, "email_not_confirmed", "Email not confirmed")

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"phone": "447700900000", "password": "x"}, 422, "phone_provider_disabled"),
            ({"phone": "447700900000", "email": "ada@example.com"}, 400, "validation_failed"),
            ({"password": "x"}, 400, "validation_failed"),
            ({"email": "ada@example.com"}, 400, "invalid_credentials"),
            ({"email": "no address", "password": "x"}, 400, "invalid_credentials"),
        ],
    )
    def test_refuses_other_ways(self, auth, body, status, code):
        assert refused(auth.client.post("/auth/v1/token?grant_type=password", json=body), status, code)


class TestOtherGrants:
    @pytest.mark.parametrize("query", ["", "?grant_type=", "?grant_type=client_credentials"])
    @pytest.mark.parametrize("body", [{}, {"json": {}}])
    def test_are_refused(self, auth, query, body):
        answer = auth.client.post(f"/auth/v1/token{query}", **body)
        assert refused(answer, 400, "invalid_credentials", "unsupported_grant_type")

    def test_web3_is_disabled(self, auth):
        answer = auth.client.post("/auth/v1/token?grant_type=web3", json={"chain": "ethereum"})
        assert refused(answer, 422, "web3_provider_disabled", "Web3 provider is disabled")


class TestRefreshGrant:
    def test_rotates_and_repeats(self, auth):
        first = auth.sign_up().json()
        answer = auth.refresh(first["refresh_token"])
        renewed = answer.json()
        assert answer.status_code == 200
        assert set(renewed) == SESSION_KEYS
        assert renewed["refresh_token"] != first["refresh_token"]
        assert answer.headers["sb-auth-refresh-token-rotated"] == "true"
        assert answer.headers["sb-auth-refresh-token-counter"] == "1"
        assert auth.user(renewed["access_token"]).status_code == 200
        repeated = auth.refresh(first["refresh_token"])
        assert repeated.json()["refresh_token"] == renewed["refresh_token"]
        assert repeated.headers["sb-auth-refresh-token-rotated"] == "false"
        causes = repeated.headers["sb-auth-refresh-token-reuse-cause"]
        assert causes == "concurrent-refresh,fail-to-save"
        assert "sb-auth-refresh-token-reuse-cause" not in answer.headers

    def test_ends_the_session_when_an_old_token_returns(self, start):
        auth = start(refresh_reuse_interval=timedelta(0))
        first = auth.sign_up().json()
        second = auth.refresh(first["refresh_token"]).json()
        third = auth.refresh(second["refresh_token"]).json()
        answer = auth.refresh(first["refresh_token"])
        assert refused(answer, 400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
        assert refused(auth.refresh(third["refresh_token"]), 400, "refresh_token_not_found")
        assert refused(auth.user(third["access_token"]), 403, "session_not_found")

    @pytest.mark.parametrize("token", [None, "", "abcdefghijkl", "a" * 56, "💥"])
    def test_refuses_a_malformed_token(self, auth, token):
        assert refused(auth.refresh(token), 400, "validation_failed")

    def test_refuses_a_forged_token(self, auth):
        genuine = auth.sign_up().json()["refresh_token"]
        forged = genuine[:30] + ("A" if genuine[30] != "A" else "B") + genuine[31:]
        message = "Invalid Refresh Token: Refresh Token Not Found"
        assert refused(auth.refresh(forged), 400, "refresh_token_not_found", message)

    def test_fails_after_logout(self, auth):
        session = auth.sign_up().json()
        auth.sign_out(session["access_token"])
        assert refused(auth.refresh(session["refresh_token"]), 400, "refresh_token_not_found")

    def test_refuses_the_banned(self, auth, database):
        session = auth.sign_up().json()
        with database.transaction() as transaction:
            transaction.execute(update(User).values(banned_until=datetime.now(UTC) + timedelta(days=1)))
        assert refused(auth.refresh(session["refresh_token"]), 400, "user_banned")
        assert refused(auth.sign_in(), 400, "user_banned")
        assert refused(auth.user(session["access_token"]), 403, "user_banned")


class TestUser:
    def test_answers_the_caller(self, auth):
        session = auth.sign_up().json()
        answer = auth.user(session["access_token"])
        assert answer.status_code == 200
        assert answer.json() == session["user"]

    @pytest.mark.parametrize(
        "header", [{}, {"Authorization": ""}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "}]
    )
    def test_demands_a_token(self, auth, header):
        answer = auth.client.get("/auth/v1/user", headers=header)
        assert refused(answer, 401, "no_authorization", "This endpoint requires a valid Bearer token")
        assert answer.headers["www-authenticate"] == "Bearer"

    def test_knows_an_ended_session(self, auth):
        session = auth.sign_up().json()
        auth.sign_out(session["access_token"])
        assert refused(auth.user(session["access_token"]), 403, "session_not_found")

    def test_knows_an_erased_user(self, auth, database):
        session = auth.sign_up().json()
        with database.transaction() as transaction:
            transaction.delete(transaction.get(User, UUID(session["user"]["id"])))
        assert refused(auth.user(session["access_token"]), 403, "user_not_found")

    def test_merges_metadata_and_ignores_nulls(self, auth):
        token = auth.sign_up(data={"full_name": "Ada", "theme": "dark"}).json()["access_token"]
        answer = auth.update(
            token, data={"theme": None, "tags": [1]}, email=None, password=None, app_metadata=None, unknown=1
        )
        assert answer.status_code == 200
        assert answer.json()["user_metadata"] == {"full_name": "Ada", "tags": [1]}

    def test_carries_the_largest_metadata_in_a_token(self, auth):
        token = auth.sign_up(data={"text": "é" * 680}).json()["access_token"]
        assert auth.user(token).status_code == 200

    def test_changes_the_password(self, auth):
        token = auth.sign_up().json()["access_token"]
        other = auth.sign_in().json()
        assert auth.update(token, password="another password").status_code == 200
        assert auth.user(token).status_code == 200
        assert refused(auth.user(other["access_token"]), 403, "session_not_found")
        assert refused(auth.sign_in(), 400, "invalid_credentials")
        assert auth.sign_in(password="another password").status_code == 200

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"password": "correct horse battery"}, 422, "same_password"),
            ({"password": "short"}, 422, "weak_password"),
            ({"email": "ada"}, 400, "validation_failed"),
            ({"email": "eve@example.com"}, 422, "email_exists"),
            ({"phone": "447700900000"}, 422, "phone_provider_disabled"),
            ({"app_metadata": {"roles": ["admin"]}}, 403, "not_admin"),
            ({"data": {"text": "x" * 5000}}, 400, "validation_failed"),
        ],
    )
    def test_refuses_bad_changes(self, auth, changes, status, code):
        auth.sign_up("eve@example.com")
        token = auth.sign_up().json()["access_token"]
        assert refused(auth.update(token, **changes), status, code)

    def test_changes_a_trusted_address(self, auth):
        token = auth.sign_up().json()["access_token"]
        assert auth.update(token, email="Lovelace@Example.com").json()["email"] == "lovelace@example.com"

    def test_a_new_address_awaits_confirmation(self, auth, start):
        token = auth.sign_up().json()["access_token"]
        answer = start(email_auto_confirm=False).update(token, email="lovelace@example.com")
        assert answer.status_code == 200
        assert (answer.json()["email"], answer.json()["new_email"]) == (
            "ada@example.com",
            "lovelace@example.com",
        )


class TestLogout:
    @pytest.mark.parametrize(
        ("scope", "own", "other"), [("local", 403, 200), ("others", 200, 403), ("global", 403, 403)]
    )
    def test_ends_the_sessions_of_its_scope(self, auth, scope, own, other):
        first, second = auth.sign_up().json(), auth.sign_in().json()
        answer = auth.sign_out(first["access_token"], scope)
        assert (answer.status_code, answer.content) == (204, b"")
        assert auth.user(first["access_token"]).status_code == own
        assert auth.user(second["access_token"]).status_code == other

    def test_is_global_by_default_and_takes_an_empty_json_body(self, auth):
        token = auth.sign_up().json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json;charset=UTF-8"}
        assert auth.client.post("/auth/v1/logout", headers=headers).status_code == 204
        assert refused(auth.client.post("/auth/v1/logout", headers=headers), 403, "session_not_found")

    def test_refuses_an_unknown_scope(self, auth):
        token = auth.sign_up().json()["access_token"]
        assert refused(auth.sign_out(token, "everywhere"), 400, "validation_failed")


class TestAbout:
    def test_health(self, auth):
        answer = auth.client.get("/auth/v1/health")
        assert set(answer.json()) == {"version", "name", "description"}

    def test_settings(self, start):
        answer = start(email_auto_confirm=False, signup_enabled=False).client.get("/auth/v1/settings")
        assert answer.json() == {
            "external": {"email": True, "phone": False, "anonymous_users": False, "google": False},
            "disable_signup": True,
            "mailer_autoconfirm": False,
            "phone_autoconfirm": False,
            "sms_provider": "",
            "saml_enabled": False,
            "saml_private_key_next_configured": False,
            "passkeys_enabled": False,
        }

    def test_jwks_lets_others_verify_tokens(self, auth, settings):
        answer = auth.client.get("/auth/v1/.well-known/jwks.json")
        assert answer.headers["cache-control"] == "public, max-age=600"
        keys = answer.json()["keys"]
        assert len(keys) == 2
        assert all("d" not in key for key in keys)
        verifier = TokenVerifier(
            issuer=settings.issuer,
            audience=settings.audience,
            keys=SimpleNamespace(key=usable_keys(answer.json()).get),
        )
        session = auth.sign_up().json()
        assert str(verifier.verify(session["access_token"]).user_id) == session["user"]["id"]


class TestErrors:
    def post(self, auth, content, content_type="application/json"):
        return auth.client.post("/auth/v1/signup", content=content, headers={"Content-Type": content_type})

    @pytest.mark.parametrize("content", [b"{", b"nonsense", b"\xff\xfe", b'{"email": "\xed\xa0\x80"}'])
    def test_bad_json(self, auth, content):
        assert refused(self.post(auth, content), 400, "bad_json")

    @pytest.mark.parametrize(
        "content", [b"", b"[]", b'"text"', b"null", b'{"email": "a\\u0000b@example.com"}']
    )
    def test_json_of_another_form(self, auth, content):
        assert refused(self.post(auth, content), 400, "validation_failed")

    def test_too_large_a_body(self, auth):
        content = json.dumps({"email": "x" * 1024 * 1024}).encode()
        assert refused(self.post(auth, content), 413, "request_entity_too_large")

    def test_another_content_type(self, auth):
        content = b"email=ada%40example.com"
        assert refused(
            self.post(auth, content, "application/x-www-form-urlencoded"), 415, "validation_failed"
        )

    def test_no_such_route_or_method(self, auth):
        assert refused(auth.client.get("/auth/v1/nowhere"), 404, "validation_failed")
        answer = auth.client.delete("/auth/v1/user")
        assert refused(answer, 405, "validation_failed")

    def test_a_crash_tells_nothing(self, auth, monkeypatch):
        def crash(*_args, **_kwargs):
            raise RuntimeError("secret detail")

        monkeypatch.setattr("cas_auth.operations.accounts.add_email_user", crash)
        answer = auth.sign_up()
        assert refused(answer, 500, "unexpected_failure")
        assert "secret detail" not in answer.text

    def test_too_many_hashes_at_once(self, start):
        auth = start(hash_concurrency=1, hash_waiting=0)
        with auth.service.app.state.dependencies.tools.hasher._places:
            answer = auth.sign_in()
        assert refused(answer, 503, "unexpected_failure")
        assert answer.headers["retry-after"] == "1"


class TestRateLimits:
    @pytest.fixture
    def address(self):
        """An address no other test has used: the counters outlive a test."""
        return f"{uuid4()}@example.com"

    @pytest.fixture
    def network(self):
        return f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}"

    def sign_in(self, auth, address, forwarded_for):
        return auth.client.post(
            "/auth/v1/token?grant_type=password",
            json={"email": address, "password": "wrong"},
            headers={"X-Forwarded-For": forwarded_for},
        )

    def test_per_account_however_it_is_written_and_wherever_from(self, start, address):
        auth = start(sign_in_limit_per_account_for_strangers="2/hour")
        for number in range(2):
            assert self.sign_in(auth, address, f"203.0.{number}.1").status_code == 400
        answer = self.sign_in(auth, address.upper(), "203.0.9.1")
        assert refused(answer, 429, "over_request_rate_limit", "Request rate limit reached")
        assert 1 <= int(answer.headers["retry-after"]) <= 3600

    def test_per_network_whatever_the_client_claims(self, start, network):
        auth = start(sign_in_limit_per_ip="2/hour")
        answers = [
            self.sign_in(auth, f"{uuid4()}@example.com", f"198.51.100.{number}, {network}::{number}")
            for number in range(3)
        ]
        assert [answer.status_code for answer in answers] == [400, 400, 429]

    def test_per_unknown_network(self, start):
        auth = start(sign_in_limit_per_ip="1/hour")
        answers = [self.sign_in(auth, f"{uuid4()}@example.com", "nonsense") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [400, 429]

    def test_sign_up(self, start, address):
        auth = start(signup_limit_per_account="1/hour", email_auto_confirm=False)
        assert auth.sign_up(address).status_code == 200
        assert refused(auth.sign_up(address), 429, "over_request_rate_limit")
        again = start(signup_limit_per_ip="1/hour", trusted_proxy_hops=0)
        again.client.post("/auth/v1/signup", json={"email": address, "password": "x"})
        assert refused(again.sign_up(), 429, "over_request_rate_limit")

    def test_changes_of_an_account(self, start):
        auth = start(update_limit_per_user="1/hour")
        token = auth.sign_up().json()["access_token"]
        assert auth.update(token, data={}).status_code == 200
        assert refused(auth.update(token, data={}), 429, "over_request_rate_limit")

    def test_passwords_tried_with_a_stolen_token(self, start):
        auth = start(password_change_limit_per_user="1/hour")
        token = auth.sign_up().json()["access_token"]
        assert refused(auth.update(token, password="some guess", email="nonsense"), 400, "validation_failed")
        assert refused(auth.update(token, password="some guess"), 429, "over_request_rate_limit")
        assert auth.update(token, data={}).status_code == 200

    def test_of_an_owner_are_not_used_up_by_sessions_that_ended(self, start):
        auth = start(update_limit_per_user="1/hour", password_change_limit_per_user="1/hour")
        ended = auth.sign_up().json()["access_token"]
        auth.sign_out(ended)
        for _ in range(2):
            assert refused(auth.update(ended, password="another password"), 403, "session_not_found")
        owner = auth.sign_in().json()["access_token"]
        assert auth.update(owner, password="another password").status_code == 200

    def test_are_lifted_while_redis_is_away(self, start, address):
        auth = start(sign_in_limit_per_account_for_strangers="1/hour", redis_url="redis://127.0.0.1:1/0")
        assert [self.sign_in(auth, address, "203.0.113.1").status_code for _ in range(3)] == [400] * 3

    def test_do_not_touch_refresh(self, start):
        auth = start(sign_in_limit_per_ip="1/hour", sign_in_limit_per_account_and_network="1/hour")
        token = auth.sign_up().json()["refresh_token"]
        assert [auth.refresh(token).status_code for _ in range(5)] == [200] * 5


class TestClientIp:
    def test_reaches_the_audit_log(self, auth, audit):
        auth.client.post(
            "/auth/v1/signup",
            json={"email": "ada@example.com", "password": "correct horse battery"},
            headers={
                "X-Forwarded-For": "198.51.100.1, 203.0.113.5",
                "X-Request-Id": "r-1",
                "User-Agent": "x" * 600,
            },
        )
        entry = audit()[0]
        assert (str(entry.ip), entry.request_id, entry.user_agent) == ("203.0.113.5", "r-1", "x" * 512)


class TestOpenApi:
    PUBLIC = frozenset(
        {
            ("post", "/auth/v1/signup"),
            ("post", "/auth/v1/token"),
            ("get", "/auth/v1/health"),
            ("get", "/auth/v1/settings"),
            ("get", "/auth/v1/.well-known/jwks.json"),
            ("get", "/auth/v1/.well-known/openid-configuration"),
            ("get", "/auth/v1/authorize"),
            ("get", "/auth/v1/callback"),
            ("post", "/auth/v1/callback"),
            ("post", "/auth/v1/recover"),
            ("post", "/auth/v1/otp"),
            ("post", "/auth/v1/magiclink"),
            ("post", "/auth/v1/resend"),
            ("get", "/auth/v1/verify"),
            ("post", "/auth/v1/verify"),
        }
    )

    def test_every_other_operation_demands_a_token(self, auth):
        paths = auth.service.app.openapi()["paths"]
        public = {
            (method, path)
            for path, methods in paths.items()
            for method, operation in methods.items()
            if "security" not in operation
        }
        assert public == self.PUBLIC


class TestAbsent:
    """What the protocol has and we do not."""

    @pytest.mark.parametrize(("method", "path", "code"), [
        ("POST", "/sso", "saml_provider_disabled"),
        ("GET", "/sso/saml/metadata", "saml_provider_disabled"),
        ("GET", "/admin/sso/providers", "saml_provider_disabled"),
        ("GET", "/passkeys", "passkey_disabled"),
        ("POST", "/passkeys/authentication/options", "passkey_disabled"),
        ("DELETE", "/admin/users/1/passkeys/2", "passkey_disabled"),
        ("GET", "/.well-known/oauth-authorization-server", "feature_disabled"),
        ("POST", "/oauth/token", "feature_disabled"),
        ("DELETE", "/user/oauth/grants", "feature_disabled"),
        ("PUT", "/admin/custom-providers/acme", "feature_disabled"),
    ])  # fmt: skip
    def test_says_so(self, auth, method, path, code):
        assert refused(auth.client.request(method, f"/auth/v1{path}"), 404, code)

    def test_says_so_whatever_is_sent(self, auth):
        answer = auth.client.request(
            "POST", "/auth/v1/sso", content=b"not json", headers={"Content-Type": "text/plain"}
        )
        assert refused(answer, 404, "saml_provider_disabled", "SAML 2.0 is disabled")
