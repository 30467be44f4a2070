"""Through the browser to a real provider and back: addresses, codes, fragments, refusals."""

import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
from sqlalchemy import select, update

from cas_auth.models import FlowState, User
from cas_auth.operations.housekeeping import forget_stale
from cas_auth.rest.providers import BROWSER_COOKIE
from cas_kit.testing.jwks_server import JwksServer
from cas_local.oidc_provider import CLIENT_ID

from .browsing import S256, VERIFIER, Browser, Landed, fields, google_settings
from .conftest import bearer
from .test_rest import SESSION_KEYS, refused

SITE = "https://site.example.com"


@pytest.fixture
def auth(start, provider):
    return start(**google_settings(provider))


@pytest.fixture
def browser(auth):
    return Browser(auth.client)


def failed(landed, error, code, *, at=SITE):
    """Whether the browser landed with this failure, told in both places where clients look."""
    assert landed.address == at
    assert landed.query == landed.fragment
    assert (landed.query["error"], landed.query["error_code"]) == (error, code)
    assert landed.query["error_description"]
    return True


def change_flows(database, **columns):
    with database.transaction() as session:
        session.execute(update(FlowState).values(**columns))


class TestAuthorize:
    def test_sends_the_browser_to_the_provider(self, browser, provider):
        answer = browser.authorize(**S256)
        assert answer.status_code == 302
        location = urlsplit(answer.headers["location"])
        assert location._replace(query="").geturl() == f"{provider.issuer}/authorize"
        query = fields(location.query)
        assert query["redirect_uri"] == "http://localhost:8000/auth/v1/callback"
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge"] != S256["code_challenge"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"

    def test_passes_on_what_is_for_the_provider(self, browser):
        answer = browser.authorize(
            scopes="calendar, email  drive",
            prompt="consent",
            login_hint="ada",
            apikey="k",
            skip_http_redirect="true",
        )
        query = fields(urlsplit(answer.headers["location"]).query)
        assert query["scope"] == "openid email profile calendar drive"
        assert (query["prompt"], query["login_hint"]) == ("consent", "ada")
        assert not {"apikey", "skip_http_redirect", "provider", "scopes", "redirect_to"} & query.keys()

    @pytest.mark.parametrize(
        "theirs",
        ["state", "nonce", "redirect_uri", "client_id", "scope", "response_type", "code_challenge_method"],
    )
    def test_lets_nobody_replace_what_is_ours(self, browser, theirs):
        answer = browser.authorize(**{**S256, theirs: "s256" if "method" in theirs else "replaced"})
        assert "replaced" not in answer.headers["location"]

    @pytest.mark.parametrize("name", ["request", "request_uri", "response_mode"])
    def test_keeps_back_what_would_change_the_answer(self, browser, name):
        assert name not in fields(urlsplit(browser.authorize(**{name: "x"}).headers["location"]).query)

    def test_bounds_what_it_passes_on(self, browser):
        many = {f"extra{number}": "x" for number in range(100)}
        query = fields(urlsplit(browser.authorize(**many, long="y" * 600).headers["location"]).query)
        assert "long" not in query
        assert sum(name.startswith("extra") for name in query) == 20

    @pytest.mark.parametrize("name", ["github", "", "google ", "email", "../google"])
    def test_refuses_an_unknown_provider(self, browser, name):
        answer = browser.authorize(provider=name)
        assert refused(answer, 400, "validation_failed")
        assert answer.json()["msg"].startswith("Unsupported provider")

    def test_refuses_google_where_it_is_not_configured(self, start):
        assert refused(Browser(start().client).authorize(), 400, "validation_failed")

    @pytest.mark.parametrize(
        "challenge",
        [
            {"code_challenge": "c" * 43},
            {"code_challenge_method": "s256"},
            {**S256, "code_challenge": "short"},
        ],
    )
    def test_refuses_half_a_challenge(self, browser, challenge):
        assert refused(browser.authorize(**challenge), 400, "validation_failed")

    def test_tells_the_site_when_the_provider_is_away(self, start, provider):
        with JwksServer() as gone:
            issuer = gone.url
        away = Browser(start(**google_settings(provider, google_issuer=issuer)).client)
        landed = Landed.of(away.authorize(redirect_to=f"{SITE}/welcome"))
        assert failed(landed, "server_error", "unexpected_failure", at=f"{SITE}/welcome")

    def test_limits_how_often_one_network_goes(self, start, provider):
        limited = Browser(start(**google_settings(provider, sign_in_limit_per_ip="1/minute")).client)
        assert limited.authorize().status_code == 302
        assert refused(limited.authorize(), 429, "over_request_rate_limit")


class TestImplicitFlow:
    def test_ends_with_a_session_in_the_fragment(self, auth, browser):
        landed = browser.sign_in(redirect_to=f"{SITE}/welcome?tab=1")
        assert (landed.address, landed.query) == (f"{SITE}/welcome", {"tab": "1"})
        session = landed.fragment
        assert set(session) == SESSION_KEYS - {"user"} | {"provider_token", "provider_refresh_token"}
        assert (session["token_type"], session["expires_in"]) == ("bearer", "3600")
        assert abs(int(session["expires_at"]) - time.time() - 3600) < 60
        user = auth.user(session["access_token"]).json()
        assert (user["email"], user["app_metadata"]["provider"]) == ("ada@example.com", "google")
        assert user["user_metadata"]["full_name"] == "Ada Lovelace"
        assert user["identities"][0]["identity_data"]["sub"] == "ada"
        assert auth.refresh(session["refresh_token"]).status_code == 200

    def test_says_in_the_token_how_it_was_proven(self, auth, browser):
        claims = jwt.decode(browser.sign_in().fragment["access_token"], options={"verify_signature": False})
        assert claims["amr"][0]["method"] == "oauth"

    def test_hands_over_tokens_that_work_at_the_provider(self, browser, provider):
        token = browser.sign_in().fragment["provider_token"]
        answer = httpx.get(f"{provider.issuer}/userinfo", headers=bearer(token))
        assert answer.json()["sub"] == "ada"

    def test_leads_home_without_a_wish(self, browser):
        assert browser.sign_in().address == SITE

    def test_is_bound_to_the_browser_that_left(self, auth, browser):
        """Nobody can sign a victim in as themselves by handing them the end of their own journey."""
        query = browser.at_provider(browser.authorize())
        browser.client.cookies.clear()
        assert failed(browser.come_back(query), "access_denied", "bad_oauth_state")

    def test_takes_several_journeys_of_one_browser(self, browser):
        first = browser.at_provider(browser.authorize())
        second = browser.at_provider(browser.authorize())
        assert "access_token" in browser.come_back(first).fragment
        assert "access_token" in browser.come_back(second).fragment

    def test_keeps_the_cookie_from_scripts_and_other_sites(self, start, provider):
        auth = start(**google_settings(provider, issuer="https://api.example.com/auth/v1"))
        cookie = Browser(auth.client).authorize().headers["set-cookie"]
        assert cookie.startswith(f"{BROWSER_COOKIE}=")
        for attribute in ("HttpOnly", "Secure", "SameSite=lax", "Path=/auth/v1", "Max-Age=600"):
            assert attribute in cookie

    def test_replaces_a_cookie_that_is_none_of_ours(self, browser):
        browser.client.cookies.set(BROWSER_COOKIE, "short")
        assert "set-cookie" in browser.authorize().headers
        assert (
            len(browser.client.cookies.get(BROWSER_COOKIE, path="/auth/v1", domain="testserver.local")) == 43
        )


class TestPkceFlow:
    def test_ends_with_a_code(self, browser):
        landed = browser.sign_in(redirect_to=f"{SITE}/welcome?tab=1", **S256)
        assert (landed.address, landed.fragment) == (f"{SITE}/welcome", {})
        assert set(landed.query) == {"tab", "code"}
        answer = browser.exchange(landed.query["code"])
        assert answer.status_code == 200
        assert set(answer.json()) == SESSION_KEYS | {"provider_token", "provider_refresh_token"}
        assert answer.json()["user"]["email"] == "ada@example.com"

    def test_sets_no_cookie(self, browser):
        assert "set-cookie" not in browser.authorize(**S256).headers

    def test_needs_the_clients_secret(self, browser):
        code = browser.sign_in(**S256).query["code"]
        assert refused(browser.exchange(code, "w" * 43), 400, "bad_code_verifier")
        assert browser.exchange(code, VERIFIER).status_code == 200

    def test_gives_the_providers_tokens_once(self, browser, database):
        code = browser.sign_in(**S256).query["code"]
        with database.transaction() as session:
            sealed = session.scalars(select(FlowState.provider_tokens)).one()
        token = browser.exchange(code).json()["provider_token"]
        assert token.encode() not in sealed
        with database.transaction() as session:
            assert session.scalars(select(FlowState)).all() == []
        assert refused(browser.exchange(code), 404, "flow_state_not_found")

    def test_forgets_them_when_nobody_comes(self, auth, browser, database):
        browser.sign_in(**S256)
        with database.transaction() as session:
            forget_stale(
                session,
                auth.service.app.state.dependencies.tools,
                now=datetime.now(UTC) + timedelta(minutes=5, seconds=1),
            )
            [flow] = session.scalars(select(FlowState))
            assert flow.provider_tokens is None

    def test_keeps_nothing_of_them_in_the_session(self, auth, browser):
        session = browser.exchange(browser.sign_in(**S256).query["code"]).json()
        assert "provider_token" not in auth.refresh(session["refresh_token"]).json()


class TestComingBack:
    @pytest.mark.parametrize(
        "state",
        ["", "x", "0" * 32, "0" * 75, "zz" * 40, "ada\x00", "é" * 40],
    )
    def test_refuses_a_state_that_is_none(self, browser, state):
        landed = browser.come_back({"state": state, "code": "c"})
        assert failed(landed, "access_denied", "bad_oauth_state")

    def test_refuses_a_state_with_another_secret(self, browser):
        query = browser.at_provider(browser.authorize(redirect_to=f"{SITE}/welcome", **S256))
        query["state"] = query["state"][:-1] + ("A" if query["state"][-1] != "A" else "B")
        assert failed(browser.come_back(query), "access_denied", "bad_oauth_state")

    def test_works_once(self, browser):
        query = browser.at_provider(browser.authorize(redirect_to=f"{SITE}/welcome", **S256))
        assert "code" in browser.come_back(query).query
        landed = browser.come_back(query)
        assert failed(landed, "access_denied", "flow_state_already_used", at=f"{SITE}/welcome")

    def test_has_five_minutes(self, browser, database):
        query = browser.at_provider(browser.authorize(**S256))
        change_flows(database, created_at=datetime.now(UTC) - timedelta(minutes=5, seconds=1))
        assert failed(browser.come_back(query), "access_denied", "flow_state_expired")

    def test_tells_the_site_that_the_person_said_no(self, browser):
        landed = browser.sign_in(redirect_to=f"{SITE}/welcome", consent="refused")
        assert failed(landed, "access_denied", "bad_oauth_callback", at=f"{SITE}/welcome")

    @pytest.mark.parametrize(
        ("error", "told"), [("temporarily_unavailable", "temporarily_unavailable"), ("<b>", "server_error")]
    )
    def test_repeats_only_errors_that_look_like_some(self, browser, error, told):
        query = browser.at_provider(browser.authorize(**S256))
        landed = browser.come_back({"state": query["state"], "error": error, "error_description": "a\nb"})
        assert landed.query["error"] == told
        assert landed.query["error_description"] == "google refused"

    @pytest.mark.parametrize(
        ("changes", "description"),
        [
            ({"code": ""}, "OAuth callback with missing authorization code"),
            ({"code": "guessed"}, "Unable to exchange external code"),
            ({"iss": "https://evil.example.com"}, "The answer is another provider's"),
        ],
    )
    def test_refuses_an_answer_that_proves_nothing(self, browser, changes, description):
        landed = browser.come_back(browser.at_provider(browser.authorize(**S256), **changes))
        assert failed(landed, "access_denied", "bad_oauth_callback")
        assert landed.query["error_description"] == description

    def test_is_on_record_when_it_proves_nothing(self, browser, audit):
        browser.come_back(browser.at_provider(browser.authorize(**S256), code="guessed"))
        entry = audit()[-1]
        assert (entry.action, entry.traits) == ("login_failed", {"provider": "google"})

    def test_takes_the_issuers_name_beside_the_code(self, browser, provider):
        landed = browser.come_back(browser.at_provider(browser.authorize(**S256), iss=provider.issuer))
        assert "code" in landed.query

    def test_refuses_a_code_of_another_journey(self, browser):
        first = browser.at_provider(browser.authorize(**S256))
        second = browser.at_provider(browser.authorize(**S256))
        landed = browser.come_back({**first, "code": second["code"]})
        assert failed(landed, "access_denied", "bad_oauth_callback")

    def test_refuses_a_token_with_another_nonce(self, browser, provider):
        provider.overrides = {"nonce": "another"}
        assert failed(browser.sign_in(**S256), "access_denied", "bad_oauth_callback")

    def test_refuses_an_unverified_address(self, start, provider):
        auth = start(**google_settings(provider, email_auto_confirm=False))
        provider.overrides = {"email_verified": False}
        landed = Browser(auth.client).sign_in(**S256)
        assert failed(landed, "access_denied", "provider_email_needs_verification")
        assert auth.letter().address == "ada@example.com"

    def test_refuses_newcomers_where_nobody_may_sign_up(self, start, provider):
        browser = Browser(start(**google_settings(provider, signup_enabled=False)).client)
        assert failed(browser.sign_in(**S256), "access_denied", "signup_disabled")

    @pytest.mark.parametrize("challenge", [{}, S256], ids=["implicit", "pkce"])
    def test_refuses_the_banned(self, auth, browser, database, challenge):
        auth.sign_up()
        with database.transaction() as session:
            session.execute(update(User).values(banned_until=datetime.now(UTC) + timedelta(days=1)))
        assert failed(browser.sign_in(**challenge), "access_denied", "user_banned")

    def test_refuses_an_account_without_an_address(self, browser, provider):
        provider.add_person("nobody")
        landed = browser.sign_in(login_hint="nobody", **S256)
        assert failed(landed, "access_denied", "email_address_not_provided")

    def test_tells_the_site_when_the_provider_is_away(self, auth, browser, provider):
        query = browser.at_provider(browser.authorize(**S256))
        client = auth.service.app.state.dependencies.tools.providers["google"]
        client._http._patience = 0.0
        assert failed(browser.come_back(query), "server_error", "unexpected_failure")

    def test_lets_a_post_come_again_as_a_get(self, auth, browser):
        query = browser.at_provider(browser.authorize(redirect_to=f"{SITE}/welcome"))
        answer = auth.client.post("/auth/v1/callback", data={**query, "user": "{}"}, follow_redirects=False)
        assert answer.status_code == 303
        address = urlsplit(answer.headers["location"])
        assert address._replace(query="").geturl() == "http://localhost:8000/auth/v1/callback"
        assert fields(address.query) == query
        assert "access_token" in browser.come_back(fields(address.query)).fragment

    @pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"state=a&state=b", b"{}", b"x" * 1000])
    def test_survives_any_post(self, auth, body):
        answer = auth.client.post("/auth/v1/callback", content=body, follow_redirects=False)
        assert answer.status_code == 303


class TestWhereItEnds:
    @pytest.mark.parametrize(
        "wanted",
        [
            "https://evil.example.com",
            "https://site.example.com.evil.example.com",
            "https://site.example.com@evil.example.com",
            "https://evil.example.com\\@site.example.com",
            "//evil.example.com",
            "/\\evil.example.com",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://site.example.com",
            "https://site.example.com:8443",
            "https:/evil.example.com",
            "https://SITE.example.com\t.evil.example.com",
            "https://evil.example.com/?https://site.example.com",
            "https://evil.example.com#https://site.example.com",
        ],
    )
    def test_is_never_an_address_that_is_not_allowed(self, browser, wanted):
        assert browser.sign_in(redirect_to=wanted).address == SITE
        assert browser.sign_in(redirect_to=wanted, **S256).address == SITE
        assert browser.sign_in(redirect_to=wanted, consent="refused").address == SITE

    def test_may_be_an_app_that_is_allowed(self, start, provider):
        auth = start(**google_settings(provider, redirect_urls=["com.example.app://login"]))
        landed = Browser(auth.client).sign_in(redirect_to="com.example.app://login", **S256)
        assert landed.address == "com.example.app://login"

    def test_replaces_a_fragment(self, browser):
        landed = browser.sign_in(redirect_to=f"{SITE}/app#/route")
        assert "access_token" in landed.fragment


class TestSettings:
    def test_list_the_providers(self, auth, start):
        external = auth.client.get("/auth/v1/settings").json()["external"]
        assert external["google"] is True
        keycloak = {"issuer": "http://localhost:1/", "client_id": "cas", "client_secret": "s"}
        external = (
            start(oidc_providers={"keycloak": keycloak}).client.get("/auth/v1/settings").json()["external"]
        )
        assert (external["google"], external["keycloak"]) == (False, True)


def test_discovery_leads_verifiers_to_our_keys(auth):
    answer = auth.client.get("/auth/v1/.well-known/openid-configuration")
    document = answer.json()
    assert document["issuer"] == "http://localhost:8000/auth/v1"
    assert document["jwks_uri"] == "http://localhost:8000/auth/v1/.well-known/jwks.json"
    assert document["id_token_signing_alg_values_supported"] == ["ES256"]
    assert answer.headers["cache-control"] == "public, max-age=600"
