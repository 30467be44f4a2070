"""What is proven by mail: sign-ups, sign-ins, recoveries, changes of address, second thoughts."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.audit import AuditAction
from cas_auth.domain.mails import MailKind
from cas_auth.domain.pkce import Challenge, ChallengeMethod
from cas_auth.domain.redirects import allowed_redirect
from cas_auth.domain.refusals import (
    AnonymousSignInsDisabled,
    BadCodeVerifier,
    CurrentPasswordInvalid,
    CurrentPasswordRequired,
    EmailExists,
    FlowStateExpired,
    FlowStateNotFound,
    InvalidCredentials,
    InvalidRequest,
    NothingToReauthenticate,
    ReauthenticationNeeded,
    ReauthenticationNotValid,
    TokenExpired,
    UserBanned,
)
from cas_auth.models import FlowState, Mail, OneTimeToken, User
from cas_auth.operations import accounts, by_mail
from cas_auth.operations.flows import exchange_code
from cas_auth.operations.housekeeping import forget_stale
from cas_auth.operations.mails import PLAIN_LINK, MailedLink
from cas_auth.operations.verification import CodeIssued, HalfChanged

VERIFIER = "v" * 56
CHALLENGE = Challenge(VERIFIER, ChallengeMethod.PLAIN)
SITE = "http://localhost:3000"


def count(database, table):
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(table))


class TestConfirmingASignUp:
    @pytest.fixture
    def letter(self, confirming):
        confirming.sign_up()
        return confirming.letter()

    def test_the_link_signs_in(self, confirming, letter):
        assert letter.kind is MailKind.CONFIRMATION
        grant = confirming.verify(link=letter.link_token, type="signup")
        assert grant.user.email_confirmed_at == confirming.now
        assert grant.claims["amr"] == [
            {"method": "email/signup", "timestamp": int(confirming.now.timestamp())}
        ]
        assert confirming.sign_in().user.id == grant.user.id

    def test_the_code_signs_in(self, confirming, letter):
        grant = confirming.verify(email="Ada@Example.com", code=letter.code, type="signup")
        assert grant.user.identities[0].identity_data["email_verified"]

    @pytest.mark.parametrize("verify_type", ["signup", "email", "magiclink"])
    def test_goes_by_several_names(self, confirming, letter, verify_type):
        assert isinstance(confirming.verify(link=letter.link_token, type=verify_type), Grant)

    @pytest.mark.parametrize("verify_type", ["recovery", "invite", "email_change"])
    def test_is_good_for_nothing_else(self, confirming, letter, verify_type):
        with pytest.raises(TokenExpired):
            confirming.verify(link=letter.link_token, type=verify_type)

    def test_works_once(self, confirming, letter):
        confirming.verify(link=letter.link_token, type="signup")
        for again in ({"link": letter.link_token}, {"email": letter.address, "code": letter.code}):
            with pytest.raises(TokenExpired):
                confirming.verify(**again, type="signup")

    def test_works_as_long_as_the_mail_says(self, confirming, letter):
        late = confirming.at(confirming.now + letter.valid_for + timedelta(seconds=1))
        with pytest.raises(TokenExpired):
            late.verify(link=letter.link_token, type="signup")
        in_time = confirming.at(confirming.now + letter.valid_for)
        assert isinstance(in_time.verify(link=letter.link_token, type="signup"), Grant)

    def test_only_the_newest_mail_counts(self, confirming, letter):
        confirming.run(by_mail.resend_confirmation, email=letter.address, link=PLAIN_LINK)
        newer = confirming.letter()
        with pytest.raises(TokenExpired):
            confirming.verify(link=letter.link_token, type="signup")
        assert isinstance(confirming.verify(link=newer.link_token, type="signup"), Grant)

    def test_the_database_holds_neither_link_nor_code(self, confirming, letter, database):
        with database.transaction() as session:
            (token,) = session.scalars(select(OneTimeToken))
        stored = (token.link_digest + token.code_digest).hex() + token.link_digest.decode("latin-1")
        assert letter.link_token not in stored
        assert letter.code.encode() not in (token.link_digest, token.code_digest)

    def test_a_repeated_sign_up_tells_the_owner(self, confirming, letter):
        confirming.verify(link=letter.link_token, type="signup")
        confirming.sign_up(password="another password")
        told = confirming.letter()
        assert (told.kind, told.link, told.code) == (MailKind.ALREADY_REGISTERED, None, None)
        assert confirming.sign_in().user.id == told.user.id

    def test_a_repeated_sign_up_with_the_same_password_changes_nothing(self, confirming, letter):
        confirming.sign_up()
        confirming.verify(link=confirming.letter().link_token, type="signup")
        assert isinstance(confirming.sign_in(), Grant)

    def test_a_password_that_two_people_may_have_chosen_is_nobodys(self, confirming, letter):
        confirming.sign_up(password="the password of the owner")
        confirming.verify(link=confirming.letter().link_token, type="signup")
        for password in (confirming.password, "the password of the owner"):
            with pytest.raises(InvalidCredentials):
                confirming.sign_in(password=password)

    def test_a_banned_user_stays_out(self, confirming, letter, desk):
        with desk.database.transaction() as session:
            session.get(User, letter.user.id).banned_until = confirming.now + timedelta(days=1)
        with pytest.raises(UserBanned):
            confirming.verify(link=letter.link_token, type="signup")


class TestCodes:
    @pytest.fixture
    def letter(self, desk, ada):
        desk.run(by_mail.request_recovery, email="ada@example.com", link=PLAIN_LINK)
        return desk.letter()

    def guess(self, desk, code):
        return desk.verify(email="ada@example.com", code=code, type="recovery")

    def wrong(self, letter):
        return f"{(int(letter.code) + 1) % 10**6:06}"

    def test_five_wrong_guesses_spend_the_code_but_not_the_link(self, desk, letter):
        for _ in range(5):
            with pytest.raises(TokenExpired):
                self.guess(desk, self.wrong(letter))
        with pytest.raises(TokenExpired):
            self.guess(desk, letter.code)
        assert isinstance(desk.verify(link=letter.link_token, type="recovery"), Grant)

    def test_four_wrong_guesses_do_not(self, desk, letter):
        for _ in range(4):
            with pytest.raises(TokenExpired):
                self.guess(desk, self.wrong(letter))
        assert isinstance(self.guess(desk, f" {letter.code} "), Grant)

    def test_guessing_at_once_is_no_way_around(self, desk, letter, database):
        def guess(code):
            try:
                return self.guess(desk, code)
            except TokenExpired:
                return None

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(guess, [self.wrong(letter)] * 24))
        with database.transaction() as session:
            assert session.scalar(select(OneTimeToken.attempts)) == 24
        assert guess(letter.code) is None

    def test_one_code_at_once_signs_in_once(self, desk, letter):
        def use(_):
            try:
                return self.guess(desk, letter.code)
            except TokenExpired:
                return None

        with ThreadPoolExecutor(8) as threads:
            grants = [grant for grant in threads.map(use, range(16)) if grant]
        assert len(grants) == 1

    def test_a_failure_is_on_record(self, desk, letter, audit):
        with pytest.raises(TokenExpired):
            self.guess(desk, self.wrong(letter))
        assert audit()[-1].action is AuditAction.VERIFICATION_FAILED

    @pytest.mark.parametrize("address", ["nobody@example.com", "no address", ""])
    def test_an_unknown_address_is_like_a_wrong_code(self, desk, address):
        with pytest.raises(TokenExpired):
            desk.verify(email=address, code="123456", type="recovery")


class TestSigningInByMail:
    def ask(self, desk, email="ada@example.com", link=PLAIN_LINK, create_user=True, data=None):
        by_mail.request_sign_in(
            desk.database,
            desk.tools,
            email=email,
            create_user=create_user,
            data=data,
            link=link,
            origin=desk.origin,
            now=desk.now,
        )

    def test_makes_a_user_of_a_new_address(self, confirming):
        self.ask(confirming, data={"full_name": "Ada"})
        letter = confirming.letter()
        assert letter.kind is MailKind.MAGIC_LINK
        grant = confirming.verify(email=letter.address, code=letter.code, type="email")
        assert grant.user.user_metadata == {"full_name": "Ada"}
        assert grant.user.email_confirmed_at

    def test_lets_a_known_user_in(self, desk, ada):
        self.ask(desk, data={"full_name": "Eve"})
        grant = desk.verify(link=desk.letter().link_token, type="magiclink")
        assert (grant.user.id, grant.user.user_metadata) == (ada.user.id, {})

    def test_does_not_make_one_where_the_client_does_not_want_it(self, desk, database):
        self.ask(desk, create_user=False)
        assert desk.letters() == []
        assert count(database, User) == 0

    def test_does_not_make_one_where_nobody_may_sign_up(self, desk, auth_settings, database):
        self.ask(desk.with_settings(auth_settings(signup_enabled=False)))
        assert desk.letters() == []
        assert count(database, User) == 0

    def test_takes_over_nobodys_password(self, confirming):
        """Whoever signed up with this address need not be who reads its mail."""
        confirming.sign_up(password="chosen by a stranger")
        confirming.letters()
        self.ask(confirming)
        confirming.verify(link=confirming.letter().link_token, type="magiclink")
        with pytest.raises(InvalidCredentials):
            confirming.sign_in(password="chosen by a stranger")

    def test_a_mail_to_nobody_costs_the_same_rows(self, desk, ada, database):
        for email in ("ada@example.com", "nobody@example.com"):
            desk.run(by_mail.request_recovery, email=email, link=PLAIN_LINK)
            assert count(database, Mail) == 1
            desk.letters()


class TestFlows:
    @pytest.fixture
    def code(self, desk, ada):
        desk.run(by_mail.request_recovery, email="ada@example.com", link=MailedLink(None, CHALLENGE))
        outcome = desk.verify(link=desk.letter().link_token, type="recovery")
        assert isinstance(outcome, CodeIssued)
        return outcome.code

    def exchange(self, desk, code, verifier=VERIFIER):
        return desk.run(exchange_code, code=code, verifier=verifier)

    def test_the_client_that_asked_gets_the_session(self, desk, ada, code):
        grant = self.exchange(desk, code)
        assert grant.user.id == ada.user.id
        assert grant.claims["amr"][0]["method"] == "recovery"

    def test_the_link_says_that_it_belongs_to_a_flow(self, desk, ada):
        desk.run(by_mail.request_recovery, email="ada@example.com", link=MailedLink(None, CHALLENGE))
        assert desk.letter().link_token.startswith("pkce_")

    def test_a_code_works_once(self, desk, code, database):
        self.exchange(desk, code)
        with pytest.raises(FlowStateNotFound):
            self.exchange(desk, code)
        assert count(database, FlowState) == 0

    def test_another_client_gets_nothing(self, desk, code):
        with pytest.raises(BadCodeVerifier):
            self.exchange(desk, code, verifier="w" * 56)
        assert isinstance(self.exchange(desk, code), Grant)

    def test_a_code_gets_old(self, desk, code):
        with pytest.raises(FlowStateExpired):
            self.exchange(desk.at(desk.now + timedelta(minutes=5, seconds=1)), code)

    @pytest.mark.parametrize(("code", "verifier"), [("", VERIFIER), ("code", "")])
    def test_both_halves_are_needed(self, desk, code, verifier):
        with pytest.raises(InvalidRequest):
            self.exchange(desk, code, verifier)

    def test_a_typed_code_needs_no_flow(self, desk, ada):
        desk.run(by_mail.request_recovery, email="ada@example.com", link=MailedLink(None, CHALLENGE))
        letter = desk.letter()
        assert isinstance(desk.verify(email=letter.address, code=letter.code, type="recovery"), Grant)

    def test_a_server_that_got_the_token_needs_no_flow(self, desk, ada):
        desk.run(by_mail.request_recovery, email="ada@example.com", link=MailedLink(None, CHALLENGE))
        assert isinstance(desk.verify(link=desk.letter().link_token, type="recovery", to_flow=False), Grant)


class TestChallenge:
    def test_s256_takes_the_secret_and_nothing_else(self):
        """The example of RFC 7636, appendix B."""
        challenge = Challenge.read("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "S256")
        assert challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        assert not challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl")

    @pytest.mark.parametrize(
        ("value", "method"),
        [(VERIFIER, None), (None, "s256"), ("short", "plain"), ("x" * 129, "plain"), (VERIFIER, "md5")],
    )
    def test_refuses_what_is_no_challenge(self, value, method):
        with pytest.raises(InvalidRequest):
            Challenge.read(value, method)

    @given(st.text())
    def test_any_verifier_is_held_against_it(self, verifier):
        assert CHALLENGE.is_met_by(verifier) == (verifier == VERIFIER)


class TestChangingTheAddress:
    NEW = "lovelace@example.com"

    @pytest.fixture
    def letters(self, desk, ada, confirming):
        confirming.update(ada, email=self.NEW)
        return {letter.kind: letter for letter in confirming.letters()}

    def agree(self, desk, letter):
        return desk.verify(link=letter.link_token, type="email_change")

    def test_both_addresses_are_asked(self, letters):
        assert {kind: letter.address for kind, letter in letters.items()} == {
            MailKind.EMAIL_CHANGE: self.NEW,
            MailKind.EMAIL_CHANGE_CURRENT: "ada@example.com",
        }

    @pytest.mark.parametrize("first", [MailKind.EMAIL_CHANGE, MailKind.EMAIL_CHANGE_CURRENT])
    def test_both_have_to_agree_in_either_order(self, confirming, letters, first):
        assert isinstance(self.agree(confirming, letters.pop(first)), HalfChanged)
        (second,) = letters.values()
        grant = self.agree(confirming, second)
        assert (grant.user.email, grant.user.new_email) == (self.NEW, None)
        assert grant.user.identities[0].identity_data["email"] == self.NEW

    def test_one_address_cannot_agree_twice(self, confirming, letters):
        current = letters[MailKind.EMAIL_CHANGE_CURRENT]
        assert isinstance(self.agree(confirming, current), HalfChanged)
        confirming.run(by_mail.resend_email_change, email="ada@example.com", link=PLAIN_LINK)
        again = {letter.kind: letter for letter in confirming.letters()}
        assert isinstance(self.agree(confirming, again[MailKind.EMAIL_CHANGE_CURRENT]), HalfChanged)

    @pytest.mark.parametrize("asked_with", ["ada@example.com", NEW])
    def test_both_are_asked_again_whichever_is_named(self, confirming, letters, asked_with):
        confirming.run(by_mail.resend_email_change, email=asked_with, link=PLAIN_LINK)
        again = {letter.kind: letter for letter in confirming.letters()}
        assert {kind: letter.address for kind, letter in again.items()} == {
            MailKind.EMAIL_CHANGE: self.NEW,
            MailKind.EMAIL_CHANGE_CURRENT: "ada@example.com",
        }
        assert isinstance(self.agree(confirming, again[MailKind.EMAIL_CHANGE]), HalfChanged)
        assert self.agree(confirming, again[MailKind.EMAIL_CHANGE_CURRENT]).user.email == self.NEW

    def test_only_the_new_one_is_asked_again_where_it_suffices(self, desk, ada, auth_settings):
        lenient = desk.with_settings(auth_settings(email_auto_confirm=False, secure_email_change=False))
        lenient.update(ada, email=self.NEW)
        lenient.letters()
        lenient.run(by_mail.resend_email_change, email="ada@example.com", link=PLAIN_LINK)
        assert lenient.letter().address == self.NEW

    def test_nobody_is_asked_again_when_nothing_changes(self, ada, confirming):
        confirming.run(by_mail.resend_email_change, email="ada@example.com", link=PLAIN_LINK)
        assert not confirming.letters()

    def test_the_old_address_is_told(self, confirming, letters):
        for letter in letters.values():
            self.agree(confirming, letter)
        told = confirming.letter()
        assert (told.kind, told.address) == (MailKind.EMAIL_CHANGED, "ada@example.com")

    def test_an_agreement_to_another_address_does_not_count(self, desk, ada, confirming, letters):
        confirming.update(ada, email="countess@example.com")
        with pytest.raises(TokenExpired):
            self.agree(confirming, letters[MailKind.EMAIL_CHANGE_CURRENT])

    def test_somebody_may_have_taken_the_address_meanwhile(self, desk, confirming, letters):
        desk.sign_up(self.NEW)
        self.agree(confirming, letters[MailKind.EMAIL_CHANGE])
        with pytest.raises(EmailExists):
            self.agree(confirming, letters[MailKind.EMAIL_CHANGE_CURRENT])

    def test_a_taken_address_is_refused_at_once(self, desk, ada, confirming):
        desk.sign_up(self.NEW)
        with pytest.raises(EmailExists):
            confirming.update(ada, email=self.NEW)

    def test_the_new_address_alone_suffices_where_that_is_wanted(self, desk, ada, auth_settings):
        lenient = desk.with_settings(auth_settings(email_auto_confirm=False, secure_email_change=False))
        lenient.update(ada, email=self.NEW)
        assert self.agree(lenient, lenient.letter()).user.email == self.NEW

    def test_a_new_password_ends_it(self, desk, ada, confirming, letters):
        confirming.update(ada, password="another password")
        with pytest.raises(TokenExpired):
            self.agree(confirming, letters[MailKind.EMAIL_CHANGE])


class TestAnonymousUsers:
    @pytest.fixture
    def welcoming(self, confirming, auth_settings):
        return confirming.with_settings(auth_settings(email_auto_confirm=False, anonymous_enabled=True))

    def sign_up(self, desk, data=None):
        return accounts.sign_up_anonymously(
            desk.database, desk.tools, data=data, origin=desk.origin, now=desk.now
        )

    def test_are_not_welcome_everywhere(self, desk):
        with pytest.raises(AnonymousSignInsDisabled):
            self.sign_up(desk)

    def test_have_a_session_without_an_address(self, welcoming):
        grant = self.sign_up(welcoming, data={"theme": "dark"})
        assert grant.claims["is_anonymous"] is True
        assert grant.claims["email"] == ""
        assert grant.claims["amr"][0]["method"] == "anonymous"
        assert welcoming.authenticate(grant).user.identities == []

    def test_become_somebody_by_confirming_an_address(self, welcoming):
        grant = self.sign_up(welcoming)
        welcoming.update(grant, email="ada@example.com")
        upgraded = welcoming.verify(link=welcoming.letter().link_token, type="email_change")
        assert upgraded.user.id == grant.user.id
        assert not upgraded.user.is_anonymous
        assert upgraded.user.identities[0].provider == "email"
        assert upgraded.user.app_metadata == {"provider": "email", "providers": ["email"]}

    def test_become_somebody_at_once_where_addresses_are_trusted(self, desk, auth_settings):
        trusting = desk.with_settings(auth_settings(anonymous_enabled=True))
        grant = self.sign_up(trusting)
        assert not trusting.update(grant, email="ada@example.com", password="a good password").is_anonymous
        assert trusting.sign_in(password="a good password").user.id == grant.user.id

    def test_have_nothing_to_reauthenticate_by(self, welcoming):
        grant = self.sign_up(welcoming)
        with pytest.raises(NothingToReauthenticate):
            welcoming.run(by_mail.request_reauthentication, user=grant.user)


class TestChangingThePassword:
    @pytest.fixture
    def strict(self, desk, auth_settings):
        return desk.with_settings(auth_settings(password_change_requires_reauthentication=True))

    @pytest.fixture
    def a_day_later(self, strict):
        return strict.at(strict.now + timedelta(hours=24, seconds=1))

    def code(self, desk, user):
        desk.run(by_mail.request_reauthentication, user=user)
        return desk.letter().code

    def test_a_young_session_may(self, strict, ada):
        strict.update(ada, password="another password")

    def test_an_old_session_needs_a_mailed_code(self, a_day_later, ada):
        with pytest.raises(ReauthenticationNeeded):
            a_day_later.update(ada, password="another password")
        code = self.code(a_day_later, ada.user)
        a_day_later.update(ada, password="another password", nonce=code)
        assert isinstance(a_day_later.sign_in(password="another password"), Grant)

    def test_a_code_works_once(self, a_day_later, ada):
        code = self.code(a_day_later, ada.user)
        a_day_later.update(ada, password="another password", nonce=code)
        with pytest.raises(ReauthenticationNotValid):
            a_day_later.update(ada, password="a third password", nonce=code)

    def test_wrong_codes_are_counted(self, a_day_later, ada):
        code = self.code(a_day_later, ada.user)
        wrong = f"{(int(code) + 1) % 10**6:06}"
        for nonce in [wrong] * 5 + [code]:
            with pytest.raises(ReauthenticationNotValid):
                a_day_later.update(ada, password="another password", nonce=nonce)

    def test_a_code_for_a_nonce_signs_nobody_in(self, desk, ada):
        code = self.code(desk, ada.user)
        for verify_type in ("signup", "email", "recovery", "email_change"):
            with pytest.raises(TokenExpired):
                desk.verify(email="ada@example.com", code=code, type=verify_type)

    def test_the_current_password_may_be_asked_for(self, desk, ada, auth_settings):
        strict = desk.with_settings(auth_settings(password_change_requires_current=True))
        with pytest.raises(CurrentPasswordRequired):
            strict.update(ada, password="another password")
        with pytest.raises(CurrentPasswordInvalid):
            strict.update(ada, password="another password", current_password="wrong password")
        strict.update(ada, password="another password", current_password=desk.password)

    def test_a_current_password_has_to_be_right_wherever_it_is_given(self, desk, ada):
        with pytest.raises(CurrentPasswordInvalid):
            desk.update(ada, password="another password", current_password="wrong password")

    def test_ends_what_was_mailed_before(self, desk, ada):
        desk.run(by_mail.request_recovery, email="ada@example.com", link=PLAIN_LINK)
        letter = desk.letter()
        desk.update(ada, password="another password")
        with pytest.raises(TokenExpired):
            desk.verify(link=letter.link_token, type="recovery")

    def test_is_told_to_the_owner(self, desk, ada):
        desk.update(ada, password="another password")
        assert desk.letter().kind is MailKind.PASSWORD_CHANGED


class TestRedirects:
    PATTERNS = ("https://*.example.com/welcome/**", "myapp://callback", "https://shop.example.org/*")

    @pytest.mark.parametrize(
        "wanted",
        [
            "http://localhost:3000",
            "http://localhost:3000/reset?sb_flow_id=1#top",
            "https://app.example.com/welcome/back?x=1",
            "myapp://callback?code=1",
            "https://shop.example.org/cart",
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
        ],
    )
    def test_sends_everybody_else_to_the_site(self, wanted):
        assert allowed_redirect(wanted, site_url=SITE, patterns=self.PATTERNS) == SITE


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

    def test_one_address_is_not_written_to_all_the_time_known_or_not(self, start):
        auth = start(mail_interval="PT60S")
        auth.sign_up()
        for email in ("ada@example.com", "nobody@example.com"):
            assert auth.post("recover", {"email": email}).status_code == 200
            again = auth.post("otp", {"email": email.upper()})
            assert (again.status_code, again.json()["code"]) == (429, "over_email_send_rate_limit")
            seconds = int(again.headers["retry-after"])
            assert again.json()["message"] == (
                f"For security purposes, you can only request this after {seconds} seconds."
            )
            assert 1 <= seconds <= 60

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
