"""Whose an account at a provider is: joining, proving, and the traps on the way."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from services.auth.tests.counting import count
from sqlalchemy import select

from cas_auth.domain.audit import AuditAction
from cas_auth.domain.external_accounts import ExternalAccount
from cas_auth.domain.identity_refusals import EmailAddressNotProvided, ProviderEmailNeedsVerification
from cas_auth.domain.mails import MailKind
from cas_auth.domain.one_time_tokens import TokenKind
from cas_auth.domain.refusals import (
    BannedFromSigningIn,
    EmailNotConfirmed,
    InvalidCredentials,
    SignupDisabled,
    TokenExpired,
)
from cas_auth.models import OneTimeToken, User, UserSession
from cas_auth.operations.by_mail import request_sign_in
from cas_auth.operations.external_accounts import user_of_account
from cas_auth.operations.mails import PLAIN_LINK
from cas_auth.repository.users import find_user_by_email

from .conftest import NOW

ADA = ExternalAccount.of(
    "google",
    {
        "iss": "https://accounts.google.com",
        "sub": "g-1",
        "email": "ada@example.com",
        "email_verified": True,
        "name": "Ada Lovelace",
        "picture": "https://example.com/ada.png",
    },
    vouches_for_email=True,
)


def of(account, **changes):
    """The account with other claims."""
    claims = {**account.data, "sub": account.subject, **changes}
    return ExternalAccount.of(changes.pop("provider", account.provider), claims, vouches_for_email=True)


UNVERIFIED = of(ADA, email_verified=False)


@pytest.fixture
def come(confirming):
    """Come with an account, where addresses await confirmation."""
    return visitor(confirming)


def visitor(desk):
    def come(account=ADA, *, link=PLAIN_LINK) -> User:
        return desk.run(user_of_account, account=account, link=link)

    return come


@pytest.fixture
def user_by(database):
    def find(email) -> User:
        with database.transaction() as session:
            return find_user_by_email(session, email=email)

    return find


class TestComingForTheFirstTime:
    def test_makes_a_user(self, come):
        user = come()
        assert (user.email, user.email_confirmed_at, user.is_anonymous) == ("ada@example.com", NOW, False)
        assert user.app_metadata == {"provider": "google", "providers": ["google"]}
        assert user.user_metadata["full_name"] == user.user_metadata["name"] == "Ada Lovelace"
        assert user.password_hash is None
        [identity] = user.identities
        assert (identity.provider, identity.provider_id) == ("google", "g-1")
        assert identity.identity_data == dict(ADA.data)

    def test_is_on_record(self, come, audit):
        user = come()
        [entry] = audit()
        assert (entry.action, entry.actor_id) == (AuditAction.USER_SIGNEDUP, user.id)
        assert entry.traits == {"provider": "google"}

    def test_writes_to_nobody(self, come, confirming):
        come()
        assert confirming.letters() == []

    def test_can_be_switched_off(self, confirming, auth_settings):
        closed = confirming.with_settings(auth_settings(signup_enabled=False))
        with pytest.raises(SignupDisabled):
            visitor(closed)()

    def test_needs_an_address(self, come):
        with pytest.raises(EmailAddressNotProvided):
            come(of(ADA, email=None))

    def test_keeps_metadata_within_bounds(self, come):
        long = "\u963f" * 512  # six bytes each where the token escapes it
        user = come(of(ADA, name=long))
        assert user.user_metadata == {}
        assert user.identities[0].identity_data["name"] == long


class TestComingAgain:
    def test_finds_the_user(self, come):
        assert come().id == come().id

    def test_finds_them_by_subject_and_not_by_address(self, come):
        user = come()
        assert come(of(ADA, email="lovelace@example.com")).id == user.id
        assert come(of(ADA, email=None)).id == user.id

    def test_takes_down_what_the_provider_says_today(self, come, confirming):
        come()
        later = visitor(confirming.at(NOW + timedelta(hours=1)))
        user = later(of(ADA, email="lovelace@example.com", name="Ada King"))
        [identity] = user.identities
        assert identity.identity_data["email"] == "lovelace@example.com"
        assert identity.last_sign_in_at == NOW + timedelta(hours=1)
        assert user.email == "ada@example.com"
        assert user.user_metadata["full_name"] == "Ada King"

    def test_leaves_what_the_user_chose(self, come, database):
        user = come()
        with database.transaction() as session:
            known = session.get(User, user.id)
            known.user_metadata = {**known.user_metadata, "full_name": "Countess", "picture": "mine"}
        again = come(of(ADA, name="Ada King", picture="https://example.com/new.png"))
        assert (again.user_metadata["full_name"], again.user_metadata["picture"]) == ("Countess", "mine")
        assert again.user_metadata["name"] == "Ada King"

    def test_refuses_the_banned(self, come, confirming, database, audit):
        user = come()
        with database.transaction() as session:
            session.get(User, user.id).banned_until = NOW + timedelta(days=1)
        with pytest.raises(BannedFromSigningIn):
            come()
        assert audit()[-1].action is AuditAction.LOGIN_FAILED


class TestJoining:
    def test_joins_who_has_proven_the_same_address(self, desk, ada, come):
        user = come()
        assert user.id == ada.user.id
        assert [identity.provider for identity in user.identities] == ["email", "google"]
        assert user.app_metadata == {"provider": "email", "providers": ["email", "google"]}
        assert desk.sign_in().user.id == user.id

    def test_tells_the_owner(self, ada, come, desk, audit):
        desk.letters()
        user = come()
        letter = desk.letter()
        assert (letter.kind, letter.address) == (MailKind.IDENTITY_LINKED, "ada@example.com")
        entry = audit()[-1]
        assert entry.action is AuditAction.IDENTITY_LINKED
        assert entry.traits == {"identity_id": str(user.identities[1].id), "provider": "google"}

    def test_adds_to_their_metadata_what_they_left_open(self, desk, come):
        desk.sign_up(data={"full_name": "Countess"})
        user = come()
        assert (user.user_metadata["full_name"], user.user_metadata["name"]) == ("Countess", "Ada Lovelace")

    def test_joins_nobody_on_an_address_the_provider_does_not_vouch_for(self, ada, come, user_by, desk):
        desk.letters()
        with pytest.raises(ProviderEmailNeedsVerification):
            come(UNVERIFIED)
        assert [known.provider for known in user_by("ada@example.com").identities] == ["email"]
        assert desk.letters() == []

    def test_joins_nobody_even_where_addresses_are_trusted(self, desk, ada):
        with pytest.raises(ProviderEmailNeedsVerification):
            visitor(desk)(UNVERIFIED)

    def test_refuses_the_banned_and_links_nothing(self, desk, ada, come, user_by):
        desk.change(ada, banned_until=NOW + timedelta(days=1))
        with pytest.raises(BannedFromSigningIn):
            come()
        assert len(user_by("ada@example.com").identities) == 1

    def test_two_providers_with_one_address_are_one_user(self, come):
        user = come()
        other = come(replace(of(ADA), provider="keycloak", subject="k-1"))
        assert other.id == user.id
        assert other.app_metadata["providers"] == ["google", "keycloak"]

    def test_the_same_subject_of_another_provider_is_somebody_else(self, come):
        user = come()
        other = replace(of(ADA, email="eve@example.com"), provider="keycloak")
        assert come(other).id != user.id

    def test_works_where_nobody_may_sign_up(self, confirming, auth_settings, ada):
        closed = confirming.with_settings(auth_settings(signup_enabled=False))
        assert visitor(closed)().id == ada.user.id


class TestPreregistrationTakeover:
    """Eve signs up with Ada's address before Ada does, and waits."""

    @pytest.fixture
    def eves(self, confirming):
        return confirming.sign_up(password="eve knows this", data={"full_name": "Eve", "note": "eve"})

    def test_the_password_is_gone(self, eves, come, confirming):
        user = come()
        assert user.id == eves.id
        with pytest.raises(InvalidCredentials):
            confirming.sign_in(password="eve knows this")

    def test_her_identities_and_metadata_are_gone(self, eves, come):
        user = come()
        assert [identity.provider for identity in user.identities] == ["google"]
        assert user.app_metadata == {"provider": "google", "providers": ["google"]}
        assert user.user_metadata["full_name"] == "Ada Lovelace"
        assert "note" not in user.user_metadata

    def test_her_mails_open_nothing(self, eves, come, confirming):
        letter = confirming.letter()
        come()
        with pytest.raises(TokenExpired):
            confirming.verify(link=letter.link_token, type="signup")
        with pytest.raises(TokenExpired):
            confirming.verify(code=letter.code, email="ada@example.com", type="signup")

    def test_her_sessions_are_ended(self, desk, come, database):
        grant = desk.sign_up()
        desk.change(grant, email_confirmed_at=None)
        come()
        assert count(database, UserSession) == 0

    def test_what_the_installation_says_of_them_stays(self, eves, come, database):
        with database.transaction() as session:
            known = session.get(User, eves.id)
            known.app_metadata = {**known.app_metadata, "plan": "school"}
        assert come().app_metadata == {"provider": "google", "providers": ["google"], "plan": "school"}

    def test_an_unproven_account_at_a_provider_is_gone_too(self, come):
        eves_account = replace(UNVERIFIED, provider="keycloak", subject="eve")
        with pytest.raises(ProviderEmailNeedsVerification):
            come(eves_account)
        user = come()
        assert [identity.provider for identity in user.identities] == ["google"]
        with pytest.raises(ProviderEmailNeedsVerification):
            come(eves_account)

    def test_an_unproven_account_does_not_survive_a_sign_up(self, come, confirming, user_by):
        """Eve came with Ada's address and an account of her own; then Ada signs up, and follows the mail."""
        with pytest.raises(ProviderEmailNeedsVerification):
            come(UNVERIFIED)
        confirming.letters()
        confirming.sign_up()
        confirming.verify(link=confirming.letter().link_token, type="signup")
        assert [known.provider for known in user_by("ada@example.com").identities] == ["email"]
        with pytest.raises(ProviderEmailNeedsVerification):
            come(UNVERIFIED)

    def test_an_unproven_account_does_not_survive_a_magic_link(self, come, confirming, user_by):
        with pytest.raises(ProviderEmailNeedsVerification):
            come(UNVERIFIED)
        confirming.letters()
        request_sign_in(
            confirming.database,
            confirming.tools,
            email="ada@example.com",
            create_user=True,
            data=None,
            link=PLAIN_LINK,
            origin=confirming.origin,
            now=confirming.now,
        )
        confirming.verify(link=confirming.letter().link_token, type="magiclink")
        user = user_by("ada@example.com")
        assert [known.provider for known in user.identities] == ["email"]
        assert user.app_metadata == {"provider": "email", "providers": ["email"]}


class TestUnverifiedAddress:
    def test_is_asked_for_by_mail(self, come, confirming, user_by):
        with pytest.raises(ProviderEmailNeedsVerification, match="Unverified email with google"):
            come(UNVERIFIED)
        user = user_by("ada@example.com")
        assert user.email_confirmed_at is None
        assert [known.provider for known in user.identities] == ["google"]
        letter = confirming.letter()
        assert (letter.kind, letter.address) == (MailKind.CONFIRMATION, "ada@example.com")

    def test_opens_the_account_once_it_is_confirmed(self, come, confirming, user_by):
        with pytest.raises(ProviderEmailNeedsVerification):
            come(UNVERIFIED)
        confirming.verify(link=confirming.letter().link_token, type="signup")
        assert come(UNVERIFIED).id == user_by("ada@example.com").id

    def test_is_not_written_to_without_end(self, confirming, auth_settings):
        minute = timedelta(seconds=60)
        desk = confirming.with_settings(auth_settings(email_auto_confirm=False, mail_interval=minute))
        sent = []
        for now in (NOW, NOW, NOW + minute / 2, NOW + minute):
            with pytest.raises(ProviderEmailNeedsVerification):
                visitor(desk.at(now))(UNVERIFIED)
            sent.append(len(desk.at(now).letters()))
        assert sent == [1, 0, 0, 1]

    def test_is_good_once_the_provider_vouches_for_it(self, come):
        with pytest.raises(ProviderEmailNeedsVerification):
            come(UNVERIFIED)
        assert come(ADA).email_confirmed_at == NOW

    def test_proves_nothing_of_another_address(self, come):
        with pytest.raises(ProviderEmailNeedsVerification):
            come(UNVERIFIED)
        with pytest.raises(ProviderEmailNeedsVerification):
            come(of(ADA, email="eve@example.com"))

    def test_is_enough_where_addresses_are_trusted(self, desk):
        user = visitor(desk)(UNVERIFIED)
        assert user.email_confirmed_at == NOW

    def test_does_not_tell_whether_the_address_is_known(self, come, confirming):
        confirming.sign_up("grace@example.com")
        with pytest.raises(ProviderEmailNeedsVerification) as known:
            come(of(UNVERIFIED, email="grace@example.com"))
        with pytest.raises(ProviderEmailNeedsVerification) as unknown:
            come(replace(of(UNVERIFIED, email="nobody@example.com"), subject="g-2"))
        assert known.value.detail == unknown.value.detail

    def test_leaves_tokens_of_the_known_alone(self, come, confirming, database):
        confirming.sign_up()
        confirming.letters()
        with pytest.raises(ProviderEmailNeedsVerification):
            come(UNVERIFIED)
        assert count(database, OneTimeToken) == 1
        with database.transaction() as session:
            assert session.scalars(select(OneTimeToken.kind)).one() is TokenKind.CONFIRMATION


def test_an_unconfirmed_user_stays_out_by_password(come, confirming):
    with pytest.raises(ProviderEmailNeedsVerification):
        come(UNVERIFIED)
    with pytest.raises((EmailNotConfirmed, InvalidCredentials)):
        confirming.sign_in(password=str(uuid4()))
