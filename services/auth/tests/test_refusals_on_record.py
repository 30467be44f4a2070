"""Whoever could not prove who they are is on record: as whom, in which session, and from where."""

from base64 import urlsafe_b64encode
from datetime import timedelta
from hashlib import sha256

import pytest

from cas_auth.domain.audit import AuditAction
from cas_auth.domain.pkce import Challenge
from cas_auth.domain.refusals import (
    BadCodeVerifier,
    BannedFromSigningIn,
    BannedFromVerifying,
    CurrentPasswordInvalid,
    InvalidCredentials,
    ReauthenticationNotValid,
    RefreshTokenAlreadyUsed,
    TokenExpired,
)
from cas_auth.operations import by_mail
from cas_auth.operations.flows import exchange_code
from cas_auth.operations.mails import PLAIN_LINK, MailedLink

DAY = timedelta(days=1)
VERIFIER = "v" * 56
CHALLENGE = Challenge.read(
    urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode(), "s256"
)


@pytest.fixture
def last(audit):
    """The newest entry: action, who, in which session, why; all of them say from where."""

    def read():
        entry = audit()[-1]
        assert (str(entry.ip), entry.user_agent) == ("203.0.113.9", "pytest")
        return entry.action, entry.actor_id, entry.session_id, entry.traits.get("reason")

    return read


def test_a_wrong_password(desk, ada, last):
    with pytest.raises(InvalidCredentials):
        desk.sign_in(password="wrong password")
    assert last()[:2] == (AuditAction.LOGIN_FAILED, ada.user.id)


def test_a_wrong_current_password(desk, ada, last):
    with pytest.raises(CurrentPasswordInvalid):
        desk.update(ada, password="another password", current_password="wrong password")
    assert last() == (AuditAction.VERIFICATION_FAILED, ada.user.id, ada.session.id, "current_password")


def test_a_wrong_nonce(desk, ada, last):
    with pytest.raises(ReauthenticationNotValid):
        desk.update(ada, password="another password", nonce="000000")
    assert last() == (AuditAction.VERIFICATION_FAILED, ada.user.id, ada.session.id, "nonce")


def test_a_wrong_mailed_code(desk, ada, last):
    with pytest.raises(TokenExpired):
        desk.verify(email="ada@example.com", code="000000", type="email")
    assert last()[0] is AuditAction.VERIFICATION_FAILED


def test_another_client_with_the_code_of_a_flow(desk, ada, last):
    desk.run(by_mail.request_recovery, email="ada@example.com", link=MailedLink(None, CHALLENGE))
    code = desk.verify(link=desk.letter().link_token, type="recovery").code
    with pytest.raises(BadCodeVerifier):
        desk.run(exchange_code, code=code, verifier="w" * 56)
    assert last() == (AuditAction.VERIFICATION_FAILED, ada.user.id, None, "code_verifier")


def test_the_banned_who_refresh(desk, ada, last):
    desk.change(ada, banned_until=desk.now + DAY)
    with pytest.raises(BannedFromSigningIn):
        desk.refresh(ada.refresh_token)
    assert last()[:2] == (AuditAction.LOGIN_FAILED, ada.user.id)


def test_the_banned_who_use_a_link(desk, ada, last):
    desk.run(by_mail.request_recovery, email="ada@example.com", link=PLAIN_LINK)
    link = desk.letter().link_token
    desk.change(ada, banned_until=desk.now + DAY)
    with pytest.raises(BannedFromVerifying):
        desk.verify(link=link, type="recovery")
    assert last()[:2] == (AuditAction.LOGIN_FAILED, ada.user.id)


def test_an_old_refresh_token(desk, ada, last):
    desk.refresh(desk.refresh(ada.refresh_token).refresh_token)
    with pytest.raises(RefreshTokenAlreadyUsed):
        desk.at(desk.now + DAY).refresh(ada.refresh_token)
    assert last() == (AuditAction.TOKEN_REVOKED, ada.user.id, ada.session.id, "token_reused")


def test_what_is_asked_for_by_mail_names_whose_address_it_was(confirming, last):
    """Else nobody could tell, when they are erased, where it was asked from."""
    ada = confirming.sign_up()
    for ask in (by_mail.request_recovery, by_mail.resend_confirmation, by_mail.resend_email_change):
        confirming.run(ask, email="Ada@example.com", link=PLAIN_LINK)
        assert last()[1] == ada.id
        confirming.run(ask, email="nobody@example.com", link=PLAIN_LINK)
        assert last()[1] is None
    confirming.sign_up(password="another password")
    assert last()[:2] == (AuditAction.USER_REPEATED_SIGNUP, ada.id)


def test_a_wrong_code_names_at_whose_address_it_was_guessed(confirming, last):
    ada = confirming.sign_up()
    for email, guessed_at in (("ada@example.com", ada.id), ("nobody@example.com", None)):
        with pytest.raises(TokenExpired):
            confirming.verify(code="000000", email=email, type="signup")
        assert last()[:2] == (AuditAction.VERIFICATION_FAILED, guessed_at)
