"""What is proven by mail: sign-ups, sign-ins and the browser that asked for them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.auth.tests.counting import count
from sqlalchemy import select, text

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.audit import AuditAction
from cas_auth.domain.mails import MailKind
from cas_auth.domain.pkce import Challenge, ChallengeMethod
from cas_auth.domain.refusals import (
    BadCodeVerifier,
    FlowStateExpired,
    FlowStateNotFound,
    InvalidCredentials,
    InvalidRequest,
    TokenExpired,
    UserBanned,
)
from cas_auth.domain.sessions import LogoutScope
from cas_auth.models import FlowState, Mail, OneTimeToken, User
from cas_auth.operations import by_mail
from cas_auth.operations.administration import Act, UserAttributes, update_user
from cas_auth.operations.directory import close_user
from cas_auth.operations.flows import exchange_code
from cas_auth.operations.mails import PLAIN_LINK, MailedLink
from cas_auth.operations.verification import CodeIssued
from cas_auth.repository.erasure import delete_user
from cas_auth.repository.users import lock_user
from cas_kit.testing import until

VERIFIER = "v" * 56
CHALLENGE = Challenge(VERIFIER, ChallengeMethod.PLAIN)


def administer(desk, grant, **attributes):
    update_user(
        desk.database,
        desk.tools,
        user_id=grant.user.id,
        attributes=UserAttributes(**attributes),
        act=Act(None, desk.origin, desk.now),
    )


def close(desk, grant):
    with desk.database.transaction() as session:
        close_user(session, user_id=grant.user.id, now=desk.now)


# What the owner of an account, or an administrator, does against somebody who was let in too.
ENDINGS = {
    "a new password": lambda desk, ada: desk.update(ada, password="another password"),
    "a logout everywhere": lambda desk, ada: desk.sign_out(ada, LogoutScope.GLOBAL),
    "a logout elsewhere": lambda desk, ada: desk.sign_out(ada, LogoutScope.OTHERS),
    "an administrator's password": lambda desk, ada: administer(desk, ada, password="another password"),
    "an administrator's address": lambda desk, ada: administer(desk, ada, email="lovelace@example.com"),
    "an administrator's ban": lambda desk, ada: administer(desk, ada, ban_duration="1h"),
    "an erasure that begins": close,
}


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

    @pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
    def test_a_code_does_not_outlive_what_locks_its_bearer_out(self, desk, ada, code, ending):
        ending(desk, ada)
        with pytest.raises(FlowStateNotFound):
            self.exchange(desk, code)

    def test_a_code_outlives_the_end_of_one_device(self, desk, ada, code):
        desk.sign_out(ada, LogoutScope.LOCAL)
        assert isinstance(self.exchange(desk, code), Grant)

    def test_a_code_of_somebody_else_stays(self, desk, ada, code):
        desk.sign_out(desk.sign_up("grace@example.com"), LogoutScope.GLOBAL)
        assert isinstance(self.exchange(desk, code), Grant)

    def test_a_code_waits_for_its_user_before_it_is_anybodys(self, desk, ada, code, database):
        """Who holds the user and takes away the code must not wait for who holds the code and wants the user."""
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = current_user"
        with ThreadPoolExecutor(1) as threads:
            with database.transaction() as session, database.autocommit() as watcher:
                user = lock_user(session, user_id=ada.user.id)
                exchange = threads.submit(self.exchange, desk, code)
                until(lambda: watcher.execute(text(waiting)).one_or_none() is not None)
                delete_user(session, user)
            with pytest.raises(FlowStateNotFound):
                exchange.result()

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
