"""Linking and unlinking: by operations, and at the REST edge through a real provider."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from cas_auth.credentials.provider_states import ProviderState
from cas_auth.domain.audit import AuditAction
from cas_auth.domain.external_accounts import ExternalAccount
from cas_auth.domain.identity_refusals import (
    EmailConflictIdentityNotDeletable,
    IdentityAlreadyExists,
    IdentityNotFound,
    ManualLinkingDisabled,
    SingleIdentityNotDeletable,
)
from cas_auth.domain.mails import MailKind
from cas_auth.domain.refusals import (
    EmailExists,
    InvalidCredentials,
    SecondFactorRequired,
    SessionNotFound,
    TokenExpired,
)
from cas_auth.domain.sessions import LogoutScope
from cas_auth.models import Factor, FlowState, Identity, Mail, User
from cas_auth.operations import accounts
from cas_auth.operations.by_mail import request_recovery
from cas_auth.operations.directory import erase_user
from cas_auth.operations.external_accounts import user_of_account
from cas_auth.operations.identities import Linking, authorise_linking, link_account, unlink_identity
from cas_auth.operations.mails import PLAIN_LINK
from cas_auth.repository.identities import lock_account

from .browsing import S256, Browser, google_settings
from .conftest import NOW, PASSWORD, bearer
from .test_external_accounts import ADA, UNVERIFIED, of
from .test_rest import refused
from .test_rest_providers import SITE, failed

GOOGLE = ExternalAccount.of(
    "google",
    {**ADA.data, "sub": "g-2", "email": "countess@example.com", "email_verified": True},
    vouches_for_email=True,
)


def asking(grant):
    return Linking(user_id=grant.user.id, session_id=grant.session.id)


def link(desk, grant, account=GOOGLE):
    """Link an account to the user of this grant: what they are then."""
    with desk.database.transaction() as session:
        lock_account(session, account)
        found = authorise_linking(session, desk.tools, asking(grant), lock=True, now=desk.now)
        link_account(session, desk.tools, found.user, account, origin=desk.origin, now=desk.now)
    return found.user


def unlink(desk, grant, identity):
    identity_id = identity.id if isinstance(identity, Identity) else identity
    return desk.run(unlink_identity, linking=asking(grant), identity_id=identity_id)


def mails_waiting(session, *_, **__):
    return session.scalars(select(Mail)).all()


def identity(user, provider) -> Identity:
    return next(known for known in user.identities if known.provider == provider)


def add_factor(desk, *, user_id):
    with desk.database.transaction() as session:
        factor = Factor.totp(uuid4(), sealed_secret=b"", friendly_name="phone", now=NOW)
        factor.user_id = user_id
        factor.verify(NOW)
        session.add(factor)


class TestLinking:
    def test_keeps_the_address(self, desk, ada):
        user = link(desk, ada)
        assert (user.id, user.email) == (ada.user.id, "ada@example.com")
        assert user.app_metadata == {"provider": "email", "providers": ["email", "google"]}

    def test_signs_in_the_same_user_from_then_on(self, desk, ada):
        link(desk, ada)
        assert desk.run(user_of_account, account=GOOGLE, link=PLAIN_LINK).id == ada.user.id

    def test_tells_the_owner(self, desk, ada, audit):
        user = link(desk, ada)
        [mail] = desk.run(mails_waiting)
        assert (mail.kind, mail.address) == (MailKind.IDENTITY_LINKED, "ada@example.com")
        assert mail.data == {"provider": "google"}
        entry = next(entry for entry in audit() if entry.action is AuditAction.IDENTITY_LINKED)
        assert entry.actor_id == ada.user.id
        assert entry.traits["identity_id"] == str(identity(user, "google").id)

    def test_refuses_an_account_twice(self, desk, ada):
        link(desk, ada)
        with pytest.raises(IdentityAlreadyExists, match=r"Identity is already linked$"):
            link(desk, ada)

    def test_refuses_an_account_of_somebody_else(self, desk, ada):
        link(desk, ada)
        with pytest.raises(IdentityAlreadyExists, match="to another user"):
            link(desk, desk.sign_up("eve@example.com"))

    def test_can_be_switched_off(self, desk, ada, auth_settings):
        with pytest.raises(ManualLinkingDisabled):
            link(desk.with_settings(auth_settings(manual_linking_enabled=False)), ada)

    def test_needs_a_session_that_lasts(self, desk, ada):
        desk.sign_out(ada, LogoutScope.LOCAL)
        with pytest.raises(SessionNotFound):
            link(desk, ada)

    def test_needs_the_second_factor_of_who_has_one(self, desk, ada):
        add_factor(desk, user_id=ada.user.id)
        with pytest.raises(SecondFactorRequired):
            link(desk, ada)


class TestAnonymousUser:
    @pytest.fixture
    def desk(self, desk, auth_settings):
        return desk.with_settings(auth_settings(anonymous_enabled=True))

    @pytest.fixture
    def nobody(self, desk):
        return accounts.sign_up_anonymously(
            desk.database, desk.tools, data={"cart": 1}, origin=desk.origin, now=desk.now
        )

    def test_becomes_somebody(self, desk, nobody):
        user = link(desk, nobody, ADA)
        assert (user.id, user.is_anonymous, user.email) == (nobody.user.id, False, "ada@example.com")
        assert user.email_confirmed_at == NOW
        assert user.app_metadata == {"provider": "google", "providers": ["google"]}
        assert (user.user_metadata["cart"], user.user_metadata["full_name"]) == (1, "Ada Lovelace")

    def test_does_not_get_the_address_of_somebody_else(self, desk, nobody, ada):
        with pytest.raises(EmailExists):
            link(desk, nobody, ADA)
        assert desk.stored(nobody).is_anonymous

    def test_gets_an_unverified_address_by_mail(self, desk, nobody):
        user = link(desk, nobody, UNVERIFIED)
        assert (user.is_anonymous, user.email, user.new_email) == (False, None, "ada@example.com")
        letter = next(letter for letter in desk.letters() if letter.kind is MailKind.EMAIL_CHANGE)
        desk.verify(link=letter.link_token, type="email_change")
        assert desk.stored(nobody).email == "ada@example.com"

    def test_may_stay_without_an_address(self, desk, nobody):
        user = link(desk, nobody, of(ADA, email=None))
        assert (user.is_anonymous, user.email) == (False, None)
        assert desk.run(user_of_account, account=ADA, link=PLAIN_LINK).id == user.id


class TestUnlinking:
    def test_takes_a_way_in_away(self, desk, ada):
        user = link(desk, ada)
        unlink(desk, ada, identity(user, "google"))
        left = desk.authenticate(ada).user
        assert [known.provider for known in left.identities] == ["email"]
        assert left.app_metadata == {"provider": "email", "providers": ["email"]}
        assert left.email == "ada@example.com"
        assert desk.sign_in().user.id == ada.user.id

    def test_tells_the_owner(self, desk, ada, audit):
        user = link(desk, ada)
        desk.letters()
        unlink(desk, ada, identity(user, "google"))
        [mail] = desk.run(mails_waiting)
        assert (mail.kind, mail.address) == (MailKind.IDENTITY_UNLINKED, "ada@example.com")
        assert mail.data == {"provider": "google"}
        assert audit()[-1].action is AuditAction.IDENTITY_UNLINKED

    def test_moves_on_to_an_address_that_stays(self, desk, ada):
        user = link(desk, ada)
        unlink(desk, ada, identity(user, "email"))
        left = desk.authenticate(ada).user
        assert (left.email, left.email_confirmed_at) == ("countess@example.com", NOW)
        assert left.app_metadata == {"provider": "google", "providers": ["google"]}

    def test_opens_nothing_by_mails_to_the_address_it_leaves(self, desk, ada):
        user = link(desk, ada)
        desk.letters()
        desk.run(request_recovery, email="ada@example.com", link=PLAIN_LINK)
        letter = desk.letter()
        unlink(desk, ada, identity(user, "email"))
        with pytest.raises(TokenExpired):
            desk.verify(link=letter.link_token, type="recovery")

    def test_takes_the_password_with_the_address(self, desk, ada):
        user = link(desk, ada, ADA)
        unlink(desk, ada, identity(user, "email"))
        with pytest.raises(InvalidCredentials):
            desk.sign_in()
        assert desk.stored(ada).email == "ada@example.com"

    def test_keeps_an_address_that_another_identity_has(self, desk, ada):
        user = link(desk, ada, ADA)
        unlink(desk, ada, identity(user, "google"))
        assert desk.stored(ada).email == "ada@example.com"

    def test_never_moves_on_to_an_address_of_somebody_else(self, desk, ada):
        user = link(desk, ada)
        desk.sign_up("countess@example.com")
        with pytest.raises(EmailConflictIdentityNotDeletable):
            unlink(desk, ada, identity(user, "email"))
        assert len(desk.authenticate(ada).user.identities) == 2

    def test_never_moves_on_to_an_address_nobody_vouches_for(self, desk, ada):
        user = link(desk, ada, of(GOOGLE, email_verified=False))
        unlink(desk, ada, identity(user, "email"))
        assert desk.stored(ada).email is None

    def test_leaves_one(self, desk, ada):
        with pytest.raises(SingleIdentityNotDeletable):
            unlink(desk, ada, identity(ada.user, "email"))

    def test_knows_only_the_users_own(self, desk, ada):
        eve = desk.sign_up("eve@example.com")
        link(desk, ada)
        with pytest.raises(IdentityNotFound):
            unlink(desk, ada, identity(eve.user, "email"))

    def test_can_be_switched_off(self, desk, ada, auth_settings):
        user = link(desk, ada)
        with pytest.raises(ManualLinkingDisabled):
            unlink(
                desk.with_settings(auth_settings(manual_linking_enabled=False)), ada, identity(user, "google")
            )

    def test_needs_the_second_factor_of_who_has_one(self, desk, ada):
        user = link(desk, ada)
        add_factor(desk, user_id=ada.user.id)
        with pytest.raises(SecondFactorRequired):
            unlink(desk, ada, identity(user, "google"))


class TestAtTheEdge:
    @pytest.fixture
    def auth(self, start, provider):
        return start(**google_settings(provider, anonymous_enabled=True))

    @pytest.fixture
    def browser(self, auth):
        return Browser(auth.client)

    @pytest.fixture
    def grace(self, auth):
        return auth.sign_up("grace@example.com").json()

    def ask(self, auth, session, **query):
        query = {"provider": "google", "skip_http_redirect": "true", **query}
        return auth.client.get(
            "/auth/v1/user/identities/authorize",
            params=query,
            headers=bearer(session["access_token"]),
            follow_redirects=False,
        )

    def go(self, auth, browser, session, **query):
        """The whole way of linking an account."""
        answer = self.ask(auth, session, skip_http_redirect="false", **query)
        return browser.come_back(browser.at_provider(answer))

    def test_tells_where_to_go(self, auth, grace, provider):
        answer = self.ask(auth, grace, redirect_to=f"{SITE}/account", **S256)
        assert answer.status_code == 200
        assert set(answer.json()) == {"url"}
        assert answer.json()["url"].startswith(f"{provider.issuer}/authorize?")

    @pytest.mark.parametrize("challenge", [{}, S256], ids=["implicit", "pkce"])
    def test_links_and_signs_in_anew(self, auth, browser, grace, challenge):
        landed = self.go(auth, browser, grace, redirect_to=f"{SITE}/account", **challenge)
        assert landed.address == f"{SITE}/account"
        session = landed.fragment or browser.exchange(landed.query["code"]).json()
        user = auth.user(session["access_token"]).json()
        assert (user["id"], user["email"]) == (grace["user"]["id"], "grace@example.com")
        assert [known["provider"] for known in user["identities"]] == ["email", "google"]
        assert session["provider_token"]

    def test_upgrades_an_anonymous_user(self, auth, browser):
        nobody = auth.post("signup", {"data": {}}).json()
        landed = self.go(auth, browser, nobody)
        user = auth.user(landed.fragment["access_token"]).json()
        assert (user["id"], user["is_anonymous"]) == (nobody["user"]["id"], False)

    def test_refuses_an_account_of_somebody_else(self, auth, browser, grace):
        browser.sign_in()
        landed = self.go(auth, browser, grace, redirect_to=f"{SITE}/account", **S256)
        assert failed(landed, "access_denied", "identity_already_exists", at=f"{SITE}/account")

    def test_refuses_who_was_banned_meanwhile(self, auth, browser, grace, database):
        query = browser.at_provider(self.ask(auth, grace, skip_http_redirect="false", **S256))
        with database.transaction() as session:
            session.execute(update(User).values(banned_until=NOW + timedelta(days=36_500)))
        assert failed(browser.come_back(query), "access_denied", "user_banned")

    @pytest.mark.parametrize("challenge", [{}, S256], ids=["implicit", "pkce"])
    @pytest.mark.parametrize(
        ("ending", "code"),
        [
            ("logout", "session_not_found"),
            ("logout everywhere", "bad_oauth_state"),
            ("password", "bad_oauth_state"),
        ],
    )
    def test_refuses_whose_session_ended_meanwhile(self, auth, browser, grace, challenge, ending, code):
        """Whoever asked from a stolen session must not come back to the account once its owner has locked them out."""
        query = browser.at_provider(self.ask(auth, grace, skip_http_redirect="false", **challenge))
        owner = auth.sign_in("grace@example.com").json()
        password = PASSWORD
        match ending:
            case "logout":
                auth.sign_out(grace["access_token"], "local")
            case "logout everywhere":
                auth.sign_out(owner["access_token"])
            case "password":
                password = "another password"
                auth.update(owner["access_token"], password=password)
        assert failed(browser.come_back(query), "access_denied", code)
        user = auth.sign_in("grace@example.com", password).json()["user"]
        assert [known["provider"] for known in user["identities"]] == ["email"]

    def test_refuses_who_has_got_a_second_factor_meanwhile(self, auth, browser, grace, desk):
        query = browser.at_provider(self.ask(auth, grace, skip_http_redirect="false", **S256))
        add_factor(desk, user_id=UUID(grace["user"]["id"]))
        assert failed(browser.come_back(query), "access_denied", "insufficient_aal")

    def test_refuses_who_left_before_sessions_were_remembered(self, auth, browser, grace, desk):
        query = browser.at_provider(self.ask(auth, grace, skip_http_redirect="false", **S256))
        with desk.database.transaction() as session:
            flow = session.scalars(select(FlowState)).one()
            key, ids = desk.tools.encryption_key, {"flow_id": flow.id}
            known = ProviderState.unseal(flow.provider_session, key, **ids)
            flow.provider_session = replace(known, linking_session_id=None).sealed(key, **ids)
        assert failed(browser.come_back(query), "access_denied", "bad_oauth_state")

    def test_refuses_who_is_gone_meanwhile(self, auth, browser, grace, desk):
        query = browser.at_provider(self.ask(auth, grace, skip_http_redirect="false", **S256))
        with desk.database.transaction() as session:
            erase_user(session, user_id=UUID(grace["user"]["id"]), origin=desk.origin, now=desk.now)
        assert failed(browser.come_back(query), "access_denied", "bad_oauth_state")

    def test_needs_a_caller(self, auth):
        answer = auth.client.get("/auth/v1/user/identities/authorize", params={"provider": "google"})
        assert refused(answer, 401, "no_authorization")

    def test_refuses_an_unknown_provider(self, auth, grace):
        assert refused(self.ask(auth, grace, provider="github"), 400, "validation_failed")

    def test_can_be_switched_off(self, start, provider):
        auth = start(**google_settings(provider, manual_linking_enabled=False))
        session = auth.sign_up().json()
        assert refused(self.ask(auth, session), 404, "manual_linking_disabled", "Manual linking is disabled")
        answer = self.delete(auth, session, session["user"]["identities"][0]["identity_id"])
        assert refused(answer, 404, "manual_linking_disabled")

    def delete(self, auth, session, identity_id):
        return auth.client.delete(
            f"/auth/v1/user/identities/{identity_id}", headers=bearer(session["access_token"])
        )

    def test_unlinks(self, auth, browser, grace):
        landed = self.go(auth, browser, grace)
        user = auth.user(landed.fragment["access_token"]).json()
        answer = self.delete(auth, grace, user["identities"][1]["identity_id"])
        assert (answer.status_code, answer.json()) == (200, {})
        assert len(auth.user(grace["access_token"]).json()["identities"]) == 1

    @pytest.mark.parametrize(
        ("identity_id", "status", "code"),
        [("not-an-id", 404, "validation_failed"), ("0" * 32, 422, "single_identity_not_deletable")],
    )
    def test_refuses_to_unlink_what_it_cannot(self, auth, grace, identity_id, status, code):
        assert refused(self.delete(auth, grace, identity_id), status, code)

    def test_refuses_to_unlink_an_unknown_one(self, auth, browser, grace):
        self.go(auth, browser, grace)
        assert refused(self.delete(auth, grace, uuid4()), 422, "identity_not_found")
