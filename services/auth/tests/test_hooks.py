"""Asking real HTTP servers that agree, refuse, fail, dawdle and ramble."""

import json
import time

import jwt
import pytest
from pydantic import SecretStr
from services.auth.tests.hook_server import serving
from standardwebhooks import Webhook, WebhookVerificationError

from cas_auth.clients import hooks
from cas_auth.clients.hooks import Hook
from cas_auth.domain.refusals import (
    HookAnswerNotJson,
    HookAnswerTooLarge,
    HookFailed,
    HookRefused,
    HookTimedOut,
    HookUnreachable,
)
from cas_auth.rest.errors import render_error
from cas_local.ports import free_port

from .browsing import S256, Browser, google_settings

OLD, NEW = "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZA==", "whsec_bmV3LW5ldy1uZXctbmV3LW5ldw=="
SECRETS = SecretStr(f"v1,{NEW}|v1,{OLD}")
PAYLOAD = {"user": {"email": "zoë@example.com"}, "metadata": {"name": "before-user-created"}}


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture
def answers(server):
    return server.answers


@pytest.fixture
def hook(server):
    hook = Hook(name="test", url=server.url, secrets=SECRETS)
    yield hook
    hook.close()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(hooks, "TIME_LIMIT", 0.5)


class TestRequest:
    def test_is_the_payload_as_json(self, hook, answers):
        answers.say(body={"decision": "continue"})
        assert hook.call(PAYLOAD) == {"decision": "continue"}
        ((headers, content),) = answers.requests
        assert json.loads(content) == PAYLOAD
        assert headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize("secret", [OLD, NEW])
    def test_is_signed_with_every_secret(self, hook, answers, secret):
        answers.say()
        hook.call(PAYLOAD)
        ((headers, content),) = answers.requests
        assert Webhook(secret).verify(content, headers) == PAYLOAD

    def test_is_not_signed_with_another(self, hook, answers):
        answers.say()
        hook.call(PAYLOAD)
        ((headers, content),) = answers.requests
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_ZWxzZS1lbHNlLWVsc2U=").verify(content, headers)

    def test_keeps_its_id_when_it_is_repeated(self, hook, answers):
        answers.say(503)
        answers.say()
        hook.call(PAYLOAD)
        hook.call(PAYLOAD)
        first, again, other = (headers["webhook-id"] for headers, _ in answers.requests)
        assert first == again != other

    @pytest.mark.parametrize("secrets", [f"{NEW} {OLD}", f"v1,{NEW}|{OLD}", NEW])
    def test_takes_secrets_in_every_usual_form(self, server, answers, secrets):
        answers.say()
        hook = Hook(name="test", url=server.url, secrets=SecretStr(secrets))
        hook.call(PAYLOAD)
        hook.close()
        ((headers, content),) = answers.requests
        assert Webhook(NEW).verify(content, headers) == PAYLOAD

    @pytest.mark.parametrize("secrets", ["", " | ", "v1,", "whsec_", "v1,whsec_é"])
    def test_refuses_to_be_sent_without_a_secret(self, secrets):
        with pytest.raises(ValueError, match="secret"):
            Hook(name="test", url="http://127.0.0.1", secrets=SecretStr(secrets))


class TestAnswer:
    @pytest.mark.parametrize("status", [200, 202, 204])
    def test_may_be_empty(self, hook, answers, status):
        answers.say(status, b"", content_type=None)
        assert hook.call(PAYLOAD) == {}

    @pytest.mark.parametrize("status", [200, 403])
    @pytest.mark.parametrize("wanted", [400, 403, 422, 451])
    def test_may_refuse_in_its_own_words(self, hook, answers, status, wanted):
        answers.say(status, {"error": {"http_code": wanted, "message": "No disposable addresses."}})
        with pytest.raises(HookRefused) as refusal:
            hook.call(PAYLOAD)
        answer = render_error(None, refusal.value)
        assert answer.status_code == wanted
        assert json.loads(answer.body)["message"] == "No disposable addresses."
        assert len(answers.requests) == 1

    @pytest.mark.parametrize("wanted", [200, 302, 500, 503, 999, "400", None, -1])
    def test_cannot_refuse_with_a_status_that_is_no_refusal(self, hook, answers, wanted):
        answers.say(body={"error": {"http_code": wanted, "message": "No."}})
        with pytest.raises(HookFailed) as refusal:
            hook.call(PAYLOAD)
        answer = render_error(None, refusal.value)
        assert (answer.status_code, json.loads(answer.body)["code"]) == (500, "unexpected_failure")

    @pytest.mark.parametrize("error", [{}, {"http_code": 400}, {"message": ""}, "no", None, []])
    def test_with_an_error_that_says_nothing_is_no_refusal(self, hook, answers, error):
        answers.say(body={"error": error})
        assert hook.call(PAYLOAD) == {"error": error}

    @pytest.mark.parametrize("status", [201, 301, 400, 401, 404, 500, 502])
    def test_of_any_other_status_is_a_failure(self, hook, answers, status):
        answers.say(status, b"<html>", content_type="text/html")
        with pytest.raises(HookFailed, match=str(status)):
            hook.call(PAYLOAD)
        assert len(answers.requests) == 1

    @pytest.mark.parametrize("content_type", [None, "text/plain", "text/html", "application/jsonp"])
    def test_must_be_json_by_name(self, hook, answers, content_type):
        answers.say(content_type=content_type)
        with pytest.raises(HookAnswerNotJson):
            hook.call(PAYLOAD)

    @pytest.mark.parametrize(
        "body",
        [b"{", b"[]", b'"x"', b"null", b"\xff", b'{"error":{"http_code":400,"message":"\\ud800"}}'],
    )
    def test_must_be_json_by_nature(self, hook, answers, body):
        answers.say(body=body)
        with pytest.raises(HookFailed):
            hook.call(PAYLOAD)

    def test_may_be_as_long_as_the_limit(self, hook, answers):
        filler = {"x": "y" * (200 * 1024 - len('{"x": ""}'))}
        answers.say(body=filler)
        assert hook.call(PAYLOAD) == filler

    def test_may_not_be_longer(self, hook, answers):
        answers.say(body={"x": "y" * (200 * 1024 - len('{"x": ""}') + 1)})
        with pytest.raises(HookAnswerTooLarge):
            hook.call(PAYLOAD)

    def test_is_not_unpacked(self, hook, answers):
        answers.say(body=b"\x1f\x8b" + b"0" * 100)
        with pytest.raises(HookFailed):
            hook.call(PAYLOAD)


class TestTrouble:
    @pytest.mark.parametrize("trouble", [{"status": 503}, {"status": 429}, {"drop": True}])
    def test_that_passes_is_not_noticed(self, hook, answers, trouble):
        answers.say(**trouble)
        answers.say(**trouble)
        answers.say(body={"claims": {}})
        assert hook.call(PAYLOAD) == {"claims": {}}
        assert len(answers.requests) == 3

    def test_that_stays_is_told_after_three_tries(self, hook, answers):
        answers.say(503)
        with pytest.raises(HookUnreachable):
            hook.call(PAYLOAD)
        assert len(answers.requests) == 3

    def test_nobody_there(self):
        hook = Hook(name="test", url=f"http://127.0.0.1:{free_port()}", secrets=SECRETS)
        with pytest.raises(HookUnreachable):
            hook.call(PAYLOAD)
        hook.close()

    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize("how", ["hang", "dawdle"])
    def test_an_answer_that_takes_too_long(self, hook, answers, how):
        answers.say(body={"x": "y" * 100}, **{how: True})
        began = time.monotonic()
        with pytest.raises(HookTimedOut):
            hook.call(PAYLOAD)
        assert time.monotonic() - began < 2


def test_refusals_have_the_codes_of_the_protocol():
    refusals = [HookTimedOut(), HookUnreachable(), HookAnswerTooLarge("x"), HookAnswerNotJson(), HookFailed()]
    answers = [render_error(None, refusal) for refusal in refusals]
    assert [(answer.status_code, json.loads(answer.body)["code"]) for answer in answers] == [
        (422, "hook_timeout"),
        (422, "hook_timeout_after_retry"),
        (422, "hook_payload_over_size_limit"),
        (400, "hook_payload_invalid_content_type"),
        (500, "unexpected_failure"),
    ]


class TestBeforeUserCreated:
    @pytest.fixture
    def auth(self, start, server):
        return start(
            before_user_created_hook_url=f"http://127.0.0.1:{server.server_port}/",
            before_user_created_hook_secrets=SECRETS.get_secret_value(),
            anonymous_enabled=True,
        )

    def asked(self, answers):
        return json.loads(answers.requests[-1][1])

    def test_sees_who_is_about_to_be_added(self, auth, answers):
        answers.say()
        assert auth.sign_up(data={"full_name": "Ada"}).status_code == 200
        asked = self.asked(answers)
        assert asked["metadata"]["name"] == "before-user-created"
        assert asked["metadata"]["ip_address"] == "203.0.113.9"
        assert asked["user"]["email"] == "ada@example.com"
        assert asked["user"]["user_metadata"] == {"full_name": "Ada"}

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("signup", {"email": "ada@example.com", "password": "correct horse battery"}),
            ("signup", {"data": {}}),
            ("otp", {"email": "ada@example.com"}),
        ],
    )
    def test_may_refuse_anybody_in_its_own_words(self, auth, answers, path, body):
        answers.say(body={"error": {"http_code": 403, "message": "Members of the guild only"}})
        answer = auth.post(path, body)
        assert (answer.status_code, answer.json()["message"]) == (403, "Members of the guild only")
        assert auth.sign_in().json()["code"] == "invalid_credentials"
        assert auth.letters() == []

    def test_is_not_asked_of_who_is_known(self, auth, answers):
        answers.say()
        auth.sign_up()
        for path in ("otp", "recover"):
            assert auth.post(path, {"email": "ada@example.com"}).status_code == 200
        assert len(answers.requests) == 1

    def test_nobody_is_added_while_it_is_broken(self, auth, answers):
        answers.say(500, b"")
        assert auth.sign_up().status_code == 500
        assert auth.sign_in().json()["code"] == "invalid_credentials"


class TestProviders:
    """People who come from a provider are asked about, and told of, like everybody else."""

    @pytest.fixture
    def auth(self, start, server, provider):
        return start(
            **google_settings(provider),
            before_user_created_hook_url=f"http://127.0.0.1:{server.server_port}/",
            before_user_created_hook_secrets=SECRETS.get_secret_value(),
        )

    def test_are_named_to_the_operator(self, auth, answers):
        answers.say()
        assert "code" in Browser(auth.client).sign_in(**S256).query
        user = json.loads(answers.requests[0][1])["user"]
        assert user["email"] == "ada@example.com"
        assert user["app_metadata"] == {"provider": "google", "providers": ["google"]}
        assert user["user_metadata"]["full_name"] == "Ada Lovelace"

    def test_may_be_refused_in_words_of_the_operators(self, auth, answers, provider):
        answers.say(body={"error": {"http_code": 403, "message": "Members of the guild only"}})
        landed = Browser(auth.client).sign_in(**S256)
        assert landed.query["error_description"] == "Members of the guild only"
        answer = auth.post(
            "token", {"provider": "google", "id_token": provider.id_token()}, grant_type="id_token"
        )
        assert (answer.status_code, answer.json()["message"]) == (403, "Members of the guild only")

    def test_are_not_asked_about_when_they_are_known(self, auth, answers):
        answers.say()
        auth.sign_up()
        browser = Browser(auth.client)
        assert all("code" in browser.sign_in(**S256).query for _ in range(2))
        assert len(answers.requests) == 1

    def test_are_not_asked_about_while_they_link(self, auth, answers):
        answers.say()
        token = auth.sign_up("grace@example.com").json()["access_token"]
        answer = auth.client.get(
            "/auth/v1/user/identities/authorize",
            params={"provider": "google", **S256},
            headers={"Authorization": f"Bearer {token}"},
            follow_redirects=False,
        )
        browser = Browser(auth.client)
        assert "code" in browser.come_back(browser.at_provider(answer)).query
        assert len(answers.requests) == 1

    def test_are_sent_home_when_their_token_is_refused(self, start, server, answers, provider):
        auth = start(
            **google_settings(provider),
            customize_access_token_hook_url=f"http://127.0.0.1:{server.server_port}/",
            customize_access_token_hook_secrets=SECRETS.get_secret_value(),
        )
        answers.say(500, b"")
        landed = Browser(auth.client).sign_in()
        assert landed.address == "https://site.example.com"
        assert landed.query["error"] == "server_error"


class TestCustomizeAccessToken:
    @pytest.fixture
    def auth(self, start, server):
        return start(
            customize_access_token_hook_url=f"http://127.0.0.1:{server.server_port}/",
            customize_access_token_hook_secrets=SECRETS.get_secret_value(),
        )

    def claims(self, **changed):
        standard = {
            "aud": "authenticated", "email": "", "phone": "", "role": "authenticated", "aal": "aal1",
            "is_anonymous": False,
        }  # fmt: skip
        return {"claims": {**standard, **changed}}

    def said(self, token):
        return jwt.decode(token, options={"verify_signature": False})

    def test_adds_what_it_likes(self, auth, answers):
        answers.say(body=self.claims(plan="gold"))
        token = auth.sign_up().json()["access_token"]
        assert self.said(token)["plan"] == "gold"
        asked = json.loads(answers.requests[0][1])
        assert asked["authentication_method"] == "password"
        assert asked["claims"]["email"] == "ada@example.com"
        assert auth.user(token).status_code == 200

    def test_cannot_turn_the_token_into_somebody_elses(self, auth, answers):
        answers.say(body=self.claims(sub="00000000-0000-0000-0000-000000000000", exp=4_000_000_000, iss="x"))
        session = auth.sign_up().json()
        said = self.said(session["access_token"])
        assert (said["sub"], said["exp"]) == (session["user"]["id"], session["expires_at"])
        assert auth.user(session["access_token"]).status_code == 200

    def test_has_to_leave_what_every_token_has(self, auth, answers):
        answers.say(body={"claims": {"plan": "gold"}})
        assert auth.sign_up().status_code == 500

    def test_cannot_make_a_token_that_everybody_refuses(self, auth, answers):
        answers.say(body=self.claims(plan="x" * 9000))
        assert auth.sign_up().status_code == 500

    def test_a_refresh_that_it_spoiled_can_be_repeated(self, auth, answers):
        answers.say(body=self.claims())
        token = auth.sign_up().json()["refresh_token"]
        answers.say(500, b"")
        answers.say(body=self.claims())
        answers.next()
        failed, repeated = auth.refresh(token), auth.refresh(token)
        assert (failed.status_code, repeated.status_code) == (500, 200)
        assert auth.refresh(repeated.json()["refresh_token"]).status_code == 200
