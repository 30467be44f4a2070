"""What is changed by mail: addresses, anonymous users, passwords."""

from datetime import timedelta

import pytest

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.mails import MailKind
from cas_auth.domain.pkce import Challenge, ChallengeMethod
from cas_auth.domain.refusals import (
    AnonymousSignInsDisabled,
    CurrentPasswordInvalid,
    CurrentPasswordRequired,
    EmailExists,
    FlowStateNotFound,
    NothingToReauthenticate,
    ReauthenticationNeeded,
    ReauthenticationNotValid,
    TokenExpired,
)
from cas_auth.operations import accounts, by_mail
from cas_auth.operations.flows import exchange_code
from cas_auth.operations.mails import PLAIN_LINK, MailedLink
from cas_auth.operations.verification import HalfChanged


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

    def test_codes_for_the_old_address_end_with_it(self, ada, confirming, letters):
        flow = MailedLink(None, Challenge("v" * 56, ChallengeMethod.PLAIN))
        confirming.run(by_mail.request_recovery, email="ada@example.com", link=flow)
        code = confirming.verify(link=confirming.letter().link_token, type="recovery").code
        for letter in letters.values():
            self.agree(confirming, letter)
        with pytest.raises(FlowStateNotFound):
            confirming.run(exchange_code, code=code, verifier="v" * 56)

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

    def test_nobody_is_asked_again_after_a_new_password(self, desk, ada, auth_settings):
        """Whoever began the change with the old password must not get the account by it."""
        lenient = desk.with_settings(auth_settings(email_auto_confirm=False, secure_email_change=False))
        lenient.update(ada, email=self.NEW)
        assert lenient.update(ada, password="another password").new_email is None
        lenient.letters()
        lenient.run(by_mail.resend_email_change, email=self.NEW, link=PLAIN_LINK)
        assert not lenient.letters()


class TestChangingATrustedAddress:
    def test_ends_what_was_mailed_to_the_old_one(self, desk, ada):
        desk.run(by_mail.request_recovery, email="ada@example.com", link=PLAIN_LINK)
        letter = desk.letter()
        desk.update(ada, email="lovelace@example.com")
        with pytest.raises(TokenExpired):
            desk.verify(link=letter.link_token, type="recovery")

    def test_is_told_to_the_old_one(self, desk, ada):
        desk.update(ada, email="lovelace@example.com")
        told = desk.letter()
        assert (told.kind, told.address) == (MailKind.EMAIL_CHANGED, "ada@example.com")


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
        assert not trusting.letters()
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

    @pytest.fixture
    def recovered(self, desk, ada, auth_settings):
        """Where the current password is asked for, and somebody came by a recovery mail."""
        strict = desk.with_settings(auth_settings(password_change_requires_current=True))
        strict.run(by_mail.request_recovery, email="ada@example.com", link=PLAIN_LINK)
        return strict, strict.verify(link=strict.letter().link_token, type="recovery")

    def test_who_forgot_the_current_password_need_not_know_it(self, recovered):
        strict, grant = recovered
        strict.update(grant, password="another password")
        assert isinstance(strict.sign_in(password="another password"), Grant)

    def test_a_recovery_of_long_ago_proves_nothing(self, recovered):
        strict, grant = recovered
        with pytest.raises(CurrentPasswordRequired):
            strict.at(strict.now + timedelta(hours=24, seconds=1)).update(grant, password="another password")

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
