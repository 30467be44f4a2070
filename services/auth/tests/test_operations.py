"""What the service does, on a real database."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import argon2
import jwt
import pytest
from services.auth.tests.counting import count
from sqlalchemy import select

from cas_auth.domain.audit import AuditAction
from cas_auth.domain.refusals import (
    BannedFromSigningIn,
    CallerNotFound,
    EmailExists,
    EmailNotConfirmed,
    InvalidCredentials,
    InvalidRequest,
    RefreshTokenAlreadyUsed,
    RefreshTokenNotFound,
    SamePassword,
    SessionNotFound,
    SignupDisabled,
    UserAlreadyExists,
    UserBanned,
    UserNotFound,
    WeakPassword,
)
from cas_auth.domain.sessions import LogoutScope
from cas_auth.models import AuditEntry, Identity, User, UserSession
from cas_auth.operations import directory

DAY = timedelta(days=1)


def actions(audit) -> list[AuditAction]:
    return [entry.action for entry in audit()]


class TestSignUp:
    def test_signs_in_where_addresses_are_trusted(self, desk, audit):
        grant = desk.sign_up("Ada@Example.com", data={"full_name": "Ada", "left_out": None})
        assert (grant.user.email, grant.user.email_confirmed_at) == ("ada@example.com", desk.now)
        assert grant.user.user_metadata == {"full_name": "Ada"}
        assert grant.user.app_metadata == {"provider": "email", "providers": ["email"]}
        assert grant.user.last_sign_in_at == desk.now
        assert [identity.identity_data["email"] for identity in grant.user.identities] == ["ada@example.com"]
        assert actions(audit) == [AuditAction.USER_SIGNEDUP, AuditAction.LOGIN]

    def test_waits_for_confirmation_elsewhere(self, confirming, audit):
        user = confirming.sign_up()
        assert isinstance(user, User)
        assert (user.email_confirmed_at, user.last_sign_in_at) == (None, None)
        assert not user.identities[0].identity_data["email_verified"]
        with pytest.raises(EmailNotConfirmed):
            confirming.sign_in()
        assert actions(audit) == [AuditAction.USER_SIGNEDUP, AuditAction.LOGIN_FAILED]

    def test_says_that_a_trusted_address_is_known(self, desk, ada, audit):
        with pytest.raises(UserAlreadyExists):
            desk.sign_up("ADA@example.com", password="another password")
        assert actions(audit)[-1] == AuditAction.USER_REPEATED_SIGNUP
        assert desk.sign_in().user.id == ada.user.id

    def test_pretends_where_addresses_await_confirmation(self, confirming, database):
        first = confirming.sign_up(data={"full_name": "Ada"})
        again = confirming.sign_up(password="another password", data={"full_name": "Eve"})
        assert again.id != first.id
        assert again.identities == []
        assert again.user_metadata == {"full_name": "Eve"}
        assert count(database, User) == count(database, Identity) == 1

    def test_can_be_switched_off(self, desk, auth_settings, database):
        with pytest.raises(SignupDisabled):
            desk.with_settings(auth_settings(signup_enabled=False)).sign_up()
        assert count(database, User) == 0

    @pytest.mark.parametrize(
        ("fields", "refusal"),
        [
            ({"email": "no address"}, InvalidRequest),
            ({"password": "short"}, WeakPassword),
            ({"password": "x" * 1025}, InvalidRequest),
            ({"data": {"text": "x" * 5000}}, InvalidRequest),
        ],
    )
    def test_refuses_bad_fields(self, desk, database, fields, refusal):
        with pytest.raises(refusal):
            desk.sign_up(**fields)
        assert count(database, User) == 0


class TestAccessToken:
    def test_carries_the_claims_of_the_protocol(self, desk, ada, settings):
        keys = desk.tools.issuer.keys
        assert jwt.get_unverified_header(desk.tools.access_token(ada)) == {
            "alg": "ES256", "typ": "JWT", "kid": keys.current.kid,
        }  # fmt: skip
        claims = jwt.decode(desk.tools.access_token(ada), options={"verify_signature": False})
        issued = int(desk.now.timestamp())
        assert claims == {
            "iss": settings.issuer,
            "sub": str(ada.user.id),
            "aud": "authenticated",
            "iat": issued,
            "nbf": issued,
            "exp": issued + 3600,
            "role": "authenticated",
            "email": "ada@example.com",
            "email_verified": True,
            "phone": "",
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {},
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": issued}],
            "session_id": str(ada.session.id),
            "is_anonymous": False,
        }

    def test_is_signed_by_the_current_key(self, desk, ada, settings):
        keys = desk.tools.issuer.keys
        options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        key = keys.key(keys.current.kid)
        assert jwt.decode(
            desk.tools.access_token(ada), key, ["ES256"], audience="authenticated", options=options
        )


class TestSignIn:
    def test_starts_another_session(self, desk, ada):
        grant = desk.at(desk.now + DAY).sign_in(" ADA@example.com")
        assert grant.user.id == ada.user.id
        assert grant.session.id != ada.session.id
        assert grant.user.last_sign_in_at == desk.now + DAY

    @pytest.mark.parametrize(
        ("email", "password"),
        [("ada@example.com", "wrong password"), ("eve@example.com", "wrong password"), ("no address", "")],
    )
    def test_refuses_wrong_credentials_and_records_it(self, desk, ada, audit, email, password):
        with pytest.raises(InvalidCredentials):
            desk.sign_in(email, password)
        failure = audit()[-1]
        assert failure.action is AuditAction.LOGIN_FAILED
        assert failure.actor_id == (ada.user.id if email == "ada@example.com" else None)
        assert (failure.request_id, str(failure.ip), failure.user_agent) == (
            "request-1",
            "203.0.113.9",
            "pytest",
        )

    def test_refuses_a_user_without_a_password(self, desk, ada):
        desk.change(ada, password_hash=None)
        with pytest.raises(InvalidCredentials):
            desk.sign_in()

    def test_refuses_the_banned_until_the_ban_ends(self, desk, ada, audit):
        desk.change(ada, banned_until=desk.now + DAY)
        with pytest.raises(BannedFromSigningIn):
            desk.sign_in()
        assert actions(audit)[-1] == AuditAction.LOGIN_FAILED
        assert desk.at(desk.now + DAY).sign_in()

    def test_renews_an_outdated_hash(self, desk, ada, database):
        old = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(desk.password)
        desk.change(ada, password_hash=old)
        desk.sign_in()
        with database.transaction() as session:
            stored = session.get(User, ada.user.id).password_hash
        assert argon2.extract_parameters(stored).memory_cost == 19_456
        assert desk.sign_in()

    def test_refuses_a_password_that_changes_while_it_is_checked(self, desk, ada):
        class SlowHasher:
            """Lets another request change the password between check and sign-in."""

            def matches(self, password, stored):
                matched = desk.tools.hasher.matches(password, stored)
                desk.update(ada, password="another password")
                return matched

            def is_outdated(self, stored):
                return False

        with pytest.raises(InvalidCredentials):
            replace(desk, tools=replace(desk.tools, hasher=SlowHasher())).sign_in()


class TestRefresh:
    def test_rotates_the_newest_token(self, desk, ada):
        renewed = desk.at(desk.now + DAY).refresh(ada.refresh_token)
        assert renewed.rotated
        assert renewed.refresh_token != ada.refresh_token
        assert renewed.session.id == ada.session.id
        assert renewed.expires_at == desk.now + DAY + timedelta(hours=1)
        assert renewed.session.refresh_counter == 1

    def test_repeats_the_current_token_for_the_one_before(self, desk, ada):
        renewed = desk.refresh(ada.refresh_token)
        repeated = desk.at(desk.now + DAY).refresh(ada.refresh_token)
        assert repeated.refresh_token == renewed.refresh_token
        assert not repeated.rotated
        assert repeated.claims != renewed.claims

    def test_repeats_the_current_token_for_older_ones_for_a_moment(self, desk, ada):
        current = desk.refresh(desk.refresh(ada.refresh_token).refresh_token)
        assert desk.at(desk.now + timedelta(seconds=10)).refresh(ada.refresh_token).refresh_token == (
            current.refresh_token
        )

    def test_ends_the_session_when_an_old_token_returns(self, desk, ada, database, audit):
        current = desk.refresh(desk.refresh(ada.refresh_token).refresh_token)
        later = desk.at(desk.now + timedelta(seconds=11))
        with pytest.raises(RefreshTokenAlreadyUsed):
            later.refresh(ada.refresh_token)
        assert count(database, UserSession) == 0
        assert actions(audit)[-1] == AuditAction.TOKEN_REVOKED
        for token in (current.refresh_token, ada.refresh_token):
            with pytest.raises(RefreshTokenNotFound):
                later.refresh(token)

    def test_refuses_a_number_that_was_never_given_out(self, desk, ada):
        refresh_tokens = desk.tools.issuer.refresh_tokens
        ahead = replace(refresh_tokens.read(ada.refresh_token), counter=5)
        with pytest.raises(RefreshTokenNotFound):
            desk.refresh(refresh_tokens.write(ahead))
        assert desk.refresh(ada.refresh_token).rotated

    def test_refuses_the_banned(self, desk, ada, database):
        desk.change(ada, banned_until=desk.now + DAY)
        with pytest.raises(BannedFromSigningIn):
            desk.refresh(ada.refresh_token)
        assert desk.at(desk.now + DAY).refresh(ada.refresh_token).session.refresh_counter == 1


class TestAuthenticate:
    def test_gives_the_session_with_its_user(self, desk, ada):
        found = desk.authenticate(ada)
        assert (found.id, found.user.email) == (ada.session.id, "ada@example.com")

    def test_tells_why_not(self, desk, ada):
        desk.change(ada, banned_until=desk.now + DAY)
        with pytest.raises(UserBanned):
            desk.authenticate(ada)
        desk.change(ada, banned_until=None)
        desk.sign_out(ada, LogoutScope.LOCAL)
        with pytest.raises(SessionNotFound):
            desk.authenticate(ada)

    def test_does_not_take_somebody_elses_session(self, desk, ada):
        eve = desk.sign_up("eve@example.com")
        with pytest.raises(SessionNotFound):
            desk.authenticate(replace(eve, session=ada.session))


class TestSignOut:
    @pytest.mark.parametrize(
        ("scope", "left"),
        [
            (LogoutScope.LOCAL, {"other"}),
            (LogoutScope.OTHERS, {"own"}),
            (LogoutScope.GLOBAL, set()),
        ],
    )
    def test_ends_the_sessions_of_its_scope(self, desk, ada, audit, scope, left):
        eve = desk.sign_up("eve@example.com")
        grants = {"own": ada, "other": desk.sign_in()}
        desk.sign_out(ada, scope)
        assert (actions(audit)[-1], audit()[-1].session_id) == (AuditAction.LOGOUT, ada.session.id)
        for name, grant in grants.items():
            if name in left:
                assert desk.refresh(grant.refresh_token)
            else:
                with pytest.raises(RefreshTokenNotFound):
                    desk.refresh(grant.refresh_token)
        assert desk.refresh(eve.refresh_token)


class TestUpdateUser:
    def test_merges_metadata(self, desk, audit):
        ada = desk.sign_up(data={"full_name": "Ada", "theme": "dark"})
        user = desk.at(desk.now + DAY).update(ada, data={"theme": None, "city": "London"})
        assert user.user_metadata == {"full_name": "Ada", "city": "London"}
        assert user.updated_at == desk.now + DAY
        assert actions(audit)[-1] == AuditAction.USER_MODIFIED

    def test_changes_the_password_and_ends_other_sessions(self, desk, ada, audit):
        other = desk.sign_in()
        desk.update(ada, password="another password")
        assert desk.refresh(ada.refresh_token)
        with pytest.raises(RefreshTokenNotFound):
            desk.refresh(other.refresh_token)
        with pytest.raises(InvalidCredentials):
            desk.sign_in()
        assert desk.sign_in(password="another password")
        changes = [AuditAction.USER_UPDATED_PASSWORD, AuditAction.USER_MODIFIED]
        recorded = [(entry.action, entry.session_id) for entry in audit() if entry.action in changes]
        assert recorded == [(change, ada.session.id) for change in changes]

    @pytest.mark.parametrize(
        ("password", "refusal"),
        [("correct horse battery", SamePassword), ("short", WeakPassword), ("x" * 1025, InvalidRequest)],
    )
    def test_refuses_a_bad_password(self, desk, ada, password, refusal):
        with pytest.raises(refusal):
            desk.update(ada, password=password)
        assert desk.sign_in()

    def test_says_nothing_of_the_password_to_an_ended_session(self, desk, ada):
        desk.sign_out(ada, LogoutScope.LOCAL)
        with pytest.raises(SessionNotFound):
            desk.update(ada, password=desk.password)

    def test_changes_a_trusted_address(self, desk, ada):
        user = desk.at(desk.now + DAY).update(ada, email="Lovelace@Example.com")
        assert (user.email, user.email_confirmed_at) == ("lovelace@example.com", desk.now + DAY)
        assert user.identities[0].identity_data["email"] == "lovelace@example.com"
        assert desk.sign_in("lovelace@example.com")
        assert desk.sign_up("ada@example.com").user.id != ada.user.id

    def test_leaves_identities_of_other_providers_alone(self, desk, ada, database):
        elsewhere = Identity(
            id=uuid4(),
            user_id=ada.user.id,
            provider="google",
            provider_id="1",
            identity_data={"email": "g@example.com"},
            created_at=desk.now,
            updated_at=desk.now,
        )
        with database.transaction() as session:
            session.add(elsewhere)
        user = desk.update(ada, email="lovelace@example.com")
        assert {identity.provider: identity.identity_data["email"] for identity in user.identities} == {
            "email": "lovelace@example.com",
            "google": "g@example.com",
        }

    def test_refuses_an_address_of_somebody_else(self, desk, ada):
        desk.sign_up("eve@example.com")
        with pytest.raises(EmailExists):
            desk.update(ada, email="EVE@example.com", data={"city": "London"})
        assert desk.authenticate(ada).user.user_metadata == {}

    def test_a_new_address_awaits_confirmation(self, desk, ada, confirming):
        waiting = confirming.update(ada, email="lovelace@example.com")
        assert (waiting.email, waiting.new_email) == ("ada@example.com", "lovelace@example.com")
        assert confirming.update(ada, email="ada@example.com").email == "ada@example.com"


class TestDirectory:
    def test_finds_a_user(self, desk, ada, database):
        with database.transaction() as session:
            assert directory.get_user(session, user_id=ada.user.id).email == "ada@example.com"
        with pytest.raises(UserNotFound), database.transaction() as session:
            directory.get_user(session, user_id=uuid4())

    @pytest.mark.parametrize(
        ("metadata", "name"),
        [
            ({"full_name": "Ada Lovelace", "name": "Ada"}, "Ada Lovelace"),
            ({"full_name": "", "name": "Ada"}, "Ada"),
            ({"full_name": 5}, ""),
            ({}, ""),
        ],
    )
    def test_knows_what_they_call_themselves(self, desk, metadata, name):
        assert desk.sign_up(data=metadata).user.display_name == name

    def set_roles(self, database, user_id, now, *, roles, active_role, version):
        with database.transaction() as session:
            return directory.set_app_roles(
                session, user_id=user_id, roles=roles, active_role=active_role, version=version, now=now
            )

    def test_puts_roles_into_tokens_in_version_order(self, desk, ada, database):
        def apply(version, *roles):
            return self.set_roles(
                database, ada.user.id, desk.now, roles=roles, active_role=roles[0], version=version
            )

        assert apply(2, "tutor", "agent")
        assert not apply(1, "client")
        assert not apply(2, "client")
        claims = jwt.decode(desk.tools.access_token(desk.sign_in()), options={"verify_signature": False})
        assert claims["app_metadata"] == {
            "provider": "email",
            "providers": ["email"],
            "roles": ["tutor", "agent"],
            "active_role": "tutor",
        }
        assert self.set_roles(database, ada.user.id, desk.now, roles=[], active_role=None, version=3)
        assert desk.authenticate(ada).user.app_metadata["roles"] == []

    def test_refuses_roles_that_make_no_sense(self, desk, ada, database):
        with pytest.raises(InvalidRequest):
            self.set_roles(database, ada.user.id, desk.now, roles=["tutor"], active_role="agent", version=1)
        with pytest.raises(UserNotFound):
            self.set_roles(database, uuid4(), desk.now, roles=[], active_role=None, version=1)

    def erase(self, desk, user_id):
        with desk.database.transaction() as session:
            return directory.erase_user(session, user_id=user_id, origin=desk.origin, now=desk.now)

    def test_erases_everything_of_a_user(self, desk, ada, database, audit):
        eve = desk.sign_up("eve@example.com")
        desk.sign_in()
        assert self.erase(desk, ada.user.id) == 5
        assert self.erase(desk, ada.user.id) == 0
        with pytest.raises(CallerNotFound):
            desk.authenticate(ada)
        with pytest.raises(InvalidCredentials):
            desk.sign_in()
        assert desk.authenticate(eve)
        assert desk.sign_up().user.id != ada.user.id
        of_ada = [entry for entry in audit() if entry.actor_id == ada.user.id]
        assert [entry.action for entry in of_ada].count(AuditAction.USER_DELETED) == 1
        assert {entry.ip for entry in of_ada if entry.action is not AuditAction.USER_DELETED} == {None}

    def test_keeps_no_personal_data_in_the_audit_log(self, desk, ada, database):
        desk.update(ada, email="lovelace@example.com", data={"full_name": "Ada"})
        with pytest.raises(InvalidCredentials):
            desk.sign_in("lovelace@example.com", "wrong password")
        with database.transaction() as session:
            log = repr([vars(entry) for entry in session.scalars(select(AuditEntry))])
        assert "example.com" not in log
        assert "Ada" not in log
