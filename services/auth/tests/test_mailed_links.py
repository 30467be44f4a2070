"""Where the links of mails lead, who may ask for them, and what becomes of old ones."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from services.auth.tests.counting import count

from cas_auth.domain.pkce import Challenge, ChallengeMethod
from cas_auth.domain.redirects import allowed_redirect
from cas_auth.models import FlowState, OneTimeToken
from cas_auth.operations import by_mail
from cas_auth.operations.housekeeping import forget_stale
from cas_auth.operations.mails import MailedLink

VERIFIER = "v" * 56
CHALLENGE = Challenge(VERIFIER, ChallengeMethod.PLAIN)
SITE = "http://localhost:3000"


class TestRedirects:
    PATTERNS = (
        "https://*.example.com/welcome/**",
        "myapp://callback",
        "https://shop.example.org/*",
        "https://shop.example.org/お店/*",
        "otherapp://*",
    )

    @pytest.mark.parametrize(
        "wanted",
        [
            "http://localhost:3000",
            "http://localhost:3000/reset?sb_flow_id=1#top",
            "https://app.example.com/welcome/back?x=1",
            "myapp://callback?code=1",
            "https://shop.example.org/cart",
            "http://localhost:3000/%E6%97%A5?q=%E6%97%A5#/%E6%97%A5",
        ],
    )
    def test_lets_allowed_addresses_through(self, wanted):
        assert allowed_redirect(wanted, site_url=SITE, patterns=self.PATTERNS) == wanted

    @pytest.mark.parametrize(
        "wanted",
        [
            None,
            "",
            "/reset",
            "//evil.example",
            "https://localhost:3000",
            "http://localhost:3001/",
            "http://localhost:3000.evil.example/",
            "http://localhost:3000@evil.example/",
            "http://evil.example/?http://localhost:3000",
            "http://evil.example\\@localhost:3000/",
            "http://localhost:3000\n.evil.example",
            "javascript:alert(1)//localhost:3000",
            "https://a.b.example.com/welcome/x",
            "https://evil.com/.example.com/welcome/x",
            "https://app.example.com:444/welcome/x",
            "https://evil.com#.example.com/welcome/x",
            "https://evil.com?.example.com/welcome/x",
            "https://shop.example.org/cart/deep",
            "http://[::1",
            "http://localhost:99999999/",
            "https://日本.example.com/welcome/x",
            "https://x;sandbox.example.com/welcome/x",
            "otherapp://日本",
        ],
    )
    def test_sends_everybody_else_to_the_site(self, wanted):
        assert allowed_redirect(wanted, site_url=SITE, patterns=self.PATTERNS) == SITE

    @pytest.mark.parametrize(
        ("wanted", "address"),
        [
            ("http://localhost:3000/日?q=é#/ü", "http://localhost:3000/%E6%97%A5?q=%C3%A9#/%C3%BC"),
            ("https://shop.example.org/お店/é", "https://shop.example.org/%E3%81%8A%E5%BA%97/%C3%A9"),
        ],
    )
    def test_writes_other_alphabets_as_browsers_do(self, wanted, address):
        assert allowed_redirect(wanted, site_url=SITE, patterns=self.PATTERNS) == address


class TestMailedLinks:
    """The REST edge: what a browser sees that opens a link."""

    @pytest.fixture
    def confirming(self, start):
        return start(email_auto_confirm=False, redirect_urls=["https://app.example.com/**"])

    def open(self, running, link, method="GET"):
        parts = urlsplit(link)
        return running.client.request(method, f"{parts.path}?{parts.query}", follow_redirects=False)

    def link(self, running, redirect_to="https://app.example.com/welcome", **body):
        running.client.post(
            "/auth/v1/signup",
            params={"redirect_to": redirect_to},
            json={"email": "ada@example.com", "password": "a good password", **body},
        )
        return running.letter().link

    def test_a_scanner_that_opens_the_link_uses_nothing_up(self, confirming):
        link = self.link(confirming)
        for _ in range(3):
            page = self.open(confirming, link)
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert "form-action 'self' https://app.example.com" in page.headers["content-security-policy"]
            assert page.headers["cache-control"] == "no-store"
        assert self.open(confirming, link, "HEAD").status_code == 200
        assert "access_token" in self.open(confirming, link, "POST").headers["location"]

    def test_the_button_hands_the_session_over_in_the_fragment(self, confirming):
        answer = self.open(confirming, self.link(confirming), "POST")
        assert answer.status_code == 303
        target = urlsplit(answer.headers["location"])
        assert f"{target.scheme}://{target.netloc}{target.path}" == "https://app.example.com/welcome"
        assert target.query == ""
        fields = parse_qs(target.fragment)
        assert set(fields) == {
            "access_token", "token_type", "expires_in", "expires_at", "refresh_token", "type",
        }  # fmt: skip
        assert fields["type"] == ["signup"]
        assert confirming.user(fields["access_token"][0]).status_code == 200

    def test_the_page_lets_the_browser_go_on_to_an_app(self, start):
        running = start(email_auto_confirm=False, redirect_urls=["cas.tutor:**"])
        for address in ("cas.tutor://cb", "cas.tutor:///cb"):
            page = running.client.get(
                "/auth/v1/verify", params={"token": "x", "type": "signup", "redirect_to": address}
            )
            assert page.headers["content-security-policy"].endswith("form-action 'self' cas.tutor:")

    def test_a_place_in_another_alphabet_is_reached(self, confirming):
        link = self.link(confirming, redirect_to="https://app.example.com/日")
        answer = self.open(confirming, link, "POST")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("https://app.example.com/%E6%97%A5#access_token=")

    def test_a_flow_comes_back_to_its_place_in_the_page(self, confirming):
        halves = {"code_challenge": VERIFIER, "code_challenge_method": "plain"}
        link = self.link(confirming, redirect_to="https://app.example.com/#/welcome", **halves)
        target = urlsplit(self.open(confirming, link, "POST").headers["location"])
        assert (list(parse_qs(target.query)), target.fragment) == (["code"], "/welcome")

    def test_a_flow_gets_a_code_in_the_query(self, confirming):
        link = self.link(confirming, code_challenge=VERIFIER, code_challenge_method="plain")
        target = urlsplit(self.open(confirming, link, "POST").headers["location"])
        assert target.fragment == ""
        body = {"auth_code": parse_qs(target.query)["code"][0], "code_verifier": VERIFIER}
        answer = confirming.post("token", body, grant_type="pkce")
        assert answer.status_code == 200
        assert answer.json()["user"]["email"] == "ada@example.com"

    def test_a_spent_link_says_so_where_clients_look(self, confirming):
        link = self.link(confirming)
        self.open(confirming, link, "POST")
        target = urlsplit(self.open(confirming, link, "POST").headers["location"])
        expected = {
            "error": ["access_denied"],
            "error_code": ["otp_expired"],
            "error_description": ["Token has expired or is invalid"],
        }
        assert parse_qs(target.query) == parse_qs(target.fragment) == expected

    def test_a_foreign_address_is_not_followed(self, confirming):
        link = self.link(confirming, redirect_to="https://evil.example/")
        assert "evil" not in link
        parts = urlsplit(link)
        forged = link.replace(parse_qs(parts.query)["redirect_to"][0], "https://evil.example")
        assert self.open(confirming, forged, "POST").headers["location"].startswith(SITE)

    def test_what_stands_in_the_address_cannot_leave_its_place_in_the_page(self, confirming):
        page = confirming.client.get(
            "/auth/v1/verify", params={"token": '"><script>alert(1)</script>', "type": "signup"}
        )
        assert "<script>" not in page.text

    def test_the_page_can_be_left_out(self, start):
        direct = start(email_auto_confirm=False, link_confirmation_page=False)
        answer = self.open(direct, self.link(direct))
        assert answer.status_code == 303
        assert "access_token" in answer.headers["location"]

    def test_half_a_change_is_told_in_the_fragment(self, confirming):
        session = parse_qs(
            urlsplit(self.open(confirming, self.link(confirming), "POST").headers["location"]).fragment
        )
        confirming.update(session["access_token"][0], email="lovelace@example.com")
        first, _ = confirming.letters()
        target = urlsplit(self.open(confirming, first.link, "POST").headers["location"])
        assert parse_qs(target.fragment)["message"][0].startswith("Confirmation link accepted")


class TestAskingForMails:
    """The REST edge."""

    PATHS = ("recover", "otp", "magiclink", "resend")

    @pytest.mark.parametrize("path", PATHS)
    def test_answers_alike_for_everybody(self, auth, path):
        auth.sign_up()
        bodies = [{"email": email, "type": "signup"} for email in ("ada@example.com", "eve@example.com")]
        known, unknown = (auth.post(path, body) for body in bodies)
        assert (known.status_code, known.json()) == (unknown.status_code, unknown.json()) == (200, {})
        assert set(known.headers) == set(unknown.headers)

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("body", [{}, {"email": "no address"}, {"email": None}])
    def test_refuses_what_is_no_address(self, auth, path, body):
        answer = auth.post(path, {"type": "signup", **body})
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")

    @pytest.mark.parametrize("path", ["otp", "magiclink", "resend"])
    def test_does_not_send_texts(self, auth, path):
        answer = auth.post(path, {"phone": "+447700900000", "type": "sms"})
        assert (answer.status_code, answer.json()["code"]) == (422, "phone_provider_disabled")

    def test_resends_what_there_is_to_resend(self, auth):
        answer = auth.post("resend", {"email": "ada@example.com", "type": "recovery"})
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")

    def test_one_address_is_not_written_the_same_all_the_time_known_or_not(self, start):
        auth = start(mail_interval="PT60S")
        auth.sign_up()
        for email in ("ada@example.com", "nobody@example.com"):
            assert auth.post("recover", {"email": email}).status_code == 200
            again = auth.post("recover", {"email": email.upper()})
            assert (again.status_code, again.json()["code"]) == (429, "over_email_send_rate_limit")
            seconds = int(again.headers["retry-after"])
            assert again.json()["message"] == (
                f"For security purposes, you can only request this after {seconds} seconds."
            )
            assert 1 <= seconds <= 60

    def test_what_sends_nothing_keeps_nobody_from_recovery(self, start):
        auth = start(mail_interval="PT60S")
        eve = auth.sign_up("eve@example.com").json()["access_token"]
        auth.sign_up()
        assert auth.post("resend", {"type": "email_change", "email": "ada@example.com"}).status_code == 200
        auth.update(eve, email="ada@example.com")
        assert not auth.letters()
        for path in ("recover", "otp"):
            assert auth.post(path, {"email": "ada@example.com"}).status_code == 200

    def test_an_address_that_stays_is_not_written_to_and_not_counted(self, start):
        confirming = start(email_auto_confirm=False, mail_interval="PT60S")
        confirming.sign_up()
        confirmed = {"type": "signup", "token_hash": confirming.letter().link_token}
        token = confirming.post("verify", confirmed).json()["access_token"]
        for city in ("London", "Paris"):
            answer = confirming.update(token, email="Ada@Example.com", data={"city": city})
            assert (answer.status_code, answer.json()["user_metadata"]) == (200, {"city": city})
        assert not confirming.letters()

    def test_one_network_does_not_ask_all_the_time(self, start):
        auth = start(mail_limit_per_ip="2/minute")
        answers = [auth.post("recover", {"email": f"{n}@example.com"}) for n in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["code"] == "over_request_rate_limit"

    def test_a_challenge_has_two_halves(self, auth):
        answer = auth.post("recover", {"email": "ada@example.com", "code_challenge": "x" * 43})
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")

    def test_a_code_gets_a_session(self, auth):
        auth.post("otp", {"email": "ada@example.com", "data": {"full_name": "Ada"}})
        body = {"type": "email", "email": "ada@example.com", "token": auth.letter().code}
        answer = auth.post("verify", body)
        assert answer.status_code == 200
        assert answer.json()["user"]["user_metadata"] == {"full_name": "Ada"}

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"type": "signup", "email": "ada@example.com", "token": "123456"}, 403, "otp_expired"),
            ({"type": "signup", "token_hash": "nonsense"}, 403, "otp_expired"),
            ({"type": "signup"}, 400, "validation_failed"),
            ({"type": "nonsense", "token_hash": "x"}, 400, "validation_failed"),
            ({"token_hash": "x"}, 400, "validation_failed"),
            ({"type": "signup", "token_hash": "x", "email": "ada@example.com"}, 400, "validation_failed"),
            ({"type": "sms", "phone": "+447700900000", "token": "123456"}, 422, "phone_provider_disabled"),
        ],
    )
    def test_refuses_what_proves_nothing(self, auth, body, status, code):
        answer = auth.post("verify", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)

    def test_reauthenticates_the_caller_by_mail(self, auth):
        token = auth.sign_up().json()["access_token"]
        answer = auth.client.get("/auth/v1/reauthenticate", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()) == (200, {})
        assert auth.letter().link is None

    def test_signs_up_anonymously(self, start):
        answer = start(anonymous_enabled=True).post("signup", {"data": {}})
        assert answer.status_code == 200
        assert answer.json()["user"]["is_anonymous"] is True
        assert answer.json()["user"]["email"] == ""


class TestHousekeeping:
    def test_forgets_what_nobody_will_come_back_for(self, desk, ada, database):
        desk.run(by_mail.request_recovery, email="ada@example.com", link=MailedLink(None, CHALLENGE))
        letter = desk.letter()
        for age, left in ((letter.valid_for, 1), (timedelta(days=2), 0)):
            with database.transaction() as session:
                forget_stale(session, desk.tools, now=desk.now + age)
            assert count(database, OneTimeToken) == count(database, FlowState) == left
