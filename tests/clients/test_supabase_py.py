"""The unmodified supabase-py works with us as it does with Supabase."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pyotp
import pytest
from supabase_auth import SyncGoTrueClient
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError
from tests.integration.person import PASSWORD

from cas_kit.testing import until

PUBLISHABLE_KEY = "sb_publishable_nothing_secret"


@pytest.fixture
def new_client(stack) -> Iterator[Callable[..., SyncGoTrueClient]]:
    """A client as supabase-py makes it: the key is its `apikey` and, on public calls, its bearer."""
    with ExitStack() as opened:

        def make(key: str = PUBLISHABLE_KEY, **options) -> SyncGoTrueClient:
            headers = {"apikey": key, "Authorization": f"Bearer {key}"}
            client = SyncGoTrueClient(
                url=f"{stack.url}/auth/v1", headers=headers, auto_refresh_token=False, **options
            )
            return opened.enter_context(client)

        yield make


@pytest.fixture
def client(new_client):
    return new_client()


@pytest.fixture
def email():
    return f"{uuid4().hex}@example.com"


@pytest.fixture
def first_mail(stack):
    """Read the first mail to an address, once it has come."""

    def read(address):
        mailbox = f"{stack.urls['mail']}/api/messages"
        return until(lambda: httpx.get(mailbox, params={"to": address}).json(), within=15)[-1]["text"]

    return read


@pytest.fixture
def codes(first_mail):
    """Read the code in the first mail to an address."""
    return lambda address: re.search(r"^ *(\d{6})$", first_mail(address), re.MULTILINE)[1]


@pytest.fixture
def links(first_mail):
    """Read the link in the first mail to an address."""
    return lambda address: re.search(r"^https?:\S+$", first_mail(address), re.MULTILINE)[0]


def sign_up(client, email, **data):
    return client.sign_up({"email": email, "password": PASSWORD, "options": {"data": data}})


def refused(code):
    return pytest.raises(AuthApiError, check=lambda error: error.code == code)


class TestPasswords:
    def test_somebody_signs_up_and_in(self, new_client, email):
        answer = sign_up(new_client(), email, full_name="Ada Lovelace")
        assert answer.session.expires_in == 3600
        client = new_client()
        client.sign_in_with_password({"email": email, "password": PASSWORD})
        user = client.get_user().user
        assert (user.id, user.email) == (answer.user.id, email)
        assert user.user_metadata["full_name"] == "Ada Lovelace"
        assert user.identities[0].provider == "email"

    def test_refusals_carry_their_codes(self, client, email):
        with refused("invalid_credentials"):
            client.sign_in_with_password({"email": email, "password": PASSWORD})
        with pytest.raises(AuthWeakPasswordError) as weak:
            client.sign_up({"email": email, "password": "short"})
        assert weak.value.reasons == ["length"]
        sign_up(client, email)
        with refused("user_already_exists"):
            sign_up(client, email)

    def test_metadata_is_merged_and_the_password_changed(self, client, new_client, email):
        sign_up(client, email, colour="blue", age=36)
        client.update_user({"data": {"colour": None, "age": 37}, "password": "a different password"})
        other = new_client()
        other.sign_in_with_password({"email": email, "password": "a different password"})
        metadata = other.get_user().user.user_metadata
        assert metadata["age"] == 37
        assert "colour" not in metadata


class TestSessions:
    def test_a_session_is_renewed_and_handed_over(self, client, new_client, email):
        first = sign_up(client, email).session
        renewed = client.refresh_session().session
        assert renewed.refresh_token != first.refresh_token
        other = new_client()
        assert other.set_session(renewed.access_token, renewed.refresh_token).user.email == email
        assert other.get_session().access_token == renewed.access_token

    def test_claims_are_verified_by_the_published_keys(self, client, email):
        user = sign_up(client, email).user
        verified = client.get_claims()
        assert verified["headers"]["alg"] == "ES256"
        assert verified["claims"]["sub"] == user.id
        assert verified["claims"]["email"] == email

    @pytest.mark.parametrize(("scope", "here", "there"), [
        ("local", False, True), ("others", True, False), ("global", False, False),
    ])  # fmt: skip
    def test_signing_out_ends_what_it_says(self, new_client, email, scope, here, there):
        clients = [new_client(), new_client()]
        tokens = [sign_up(clients[0], email).session.access_token]
        signed_in = clients[1].sign_in_with_password({"email": email, "password": PASSWORD})
        tokens.append(signed_in.session.access_token)
        clients[0].sign_out({"scope": scope})
        for token, remains in zip(tokens, (here, there), strict=True):
            if remains:
                assert new_client().get_user(token).user.email == email
            else:
                with refused("session_not_found"):
                    new_client().get_user(token)

    def test_listeners_hear_of_it(self, client, email):
        events = []
        client.on_auth_state_change(lambda event, _: events.append(event))
        sign_up(client, email)
        client.refresh_session()
        client.update_user({"data": {"mood": "cheerful"}})
        client.sign_out()
        assert events == ["SIGNED_IN", "TOKEN_REFRESHED", "USER_UPDATED", "SIGNED_OUT"]


class TestMails:
    def test_a_mailed_code_signs_in(self, client, email, codes):
        client.sign_in_with_otp({"email": email, "options": {"data": {"full_name": "Ada Lovelace"}}})
        answer = client.verify_otp({"email": email, "token": codes(email), "type": "email"})
        assert answer.user.email == email
        assert answer.user.user_metadata["full_name"] == "Ada Lovelace"
        with refused("otp_expired"):
            client.verify_otp({"email": email, "token": "000000", "type": "email"})

    def test_a_forgotten_password_is_replaced(self, client, new_client, email, codes):
        sign_up(new_client(), email)
        client.reset_password_for_email(email)
        client.verify_otp({"email": email, "token": codes(email), "type": "recovery"})
        client.update_user({"password": "chosen after recovery"})
        new_client().sign_in_with_password({"email": email, "password": "chosen after recovery"})


class TestPkce:
    def test_only_the_client_that_asked_can_use_the_link(self, new_client, email, links):
        client = new_client(flow_type="pkce")
        client.sign_in_with_otp({"email": email})
        opened = httpx.post(links(email))
        code = parse_qs(urlsplit(opened.headers["location"]).query)["code"][0]
        other = new_client(flow_type="pkce")
        other.sign_in_with_otp({"email": f"other-{email}"})
        with refused("bad_code_verifier"):
            other.exchange_code_for_session({"auth_code": code})
        assert client.exchange_code_for_session({"auth_code": code}).user.email == email


class TestProviders:
    def test_somebody_signs_in_with_a_token_of_the_provider(self, client, provider, email):
        provider.add_person(email, email=email, email_verified=True, name="Grace Hopper")
        token = provider.id_token(email)
        user = client.sign_in_with_id_token({"provider": "google", "token": token}).user
        assert (user.email, user.app_metadata["provider"]) == (email, "google")
        assert [identity.provider for identity in client.get_user_identities().identities] == ["google"]

    def test_the_browser_is_sent_to_the_provider(self, client, provider):
        started = client.sign_in_with_oauth({"provider": "google"})
        assert httpx.get(started.url).headers["location"].startswith(f"{provider.issuer}/authorize")


class TestVisitors:
    def test_a_visitor_becomes_a_user(self, client, email):
        visitor = client.sign_in_anonymously().user
        assert visitor.is_anonymous
        upgraded = client.update_user({"email": email}).user
        assert (upgraded.id, upgraded.email) == (visitor.id, email)


class TestSecondFactor:
    def test_an_authenticator_app_raises_the_level(self, client, email):
        sign_up(client, email)
        factor = client.mfa.enroll({"factor_type": "totp", "friendly_name": "My phone", "issuer": "CAS"})
        code = pyotp.TOTP(factor.totp.secret).now()
        client.mfa.challenge_and_verify({"factor_id": factor.id, "code": code})
        level = client.mfa.get_authenticator_assurance_level()
        assert (level.current_level, level.next_level) == ("aal2", "aal2")
        assert [verified.id for verified in client.mfa.list_factors().totp] == [factor.id]
        client.mfa.unenroll({"factor_id": factor.id})
        assert client.mfa.list_factors().all == []


class TestAdministration:
    @pytest.fixture
    def admin(self, new_client, service_token):
        return new_client(service_token).admin

    def test_users_are_made_changed_and_deleted(self, admin, client, email):
        made = admin.create_user({"email": email, "password": PASSWORD, "email_confirm": True}).user
        assert admin.get_user_by_id(made.id).user.email == email
        assert made.id in {user.id for user in admin.list_users(page=1, per_page=1000)}
        client.sign_in_with_password({"email": email, "password": PASSWORD})

        admin.update_user_by_id(made.id, {"ban_duration": "24h"})
        with refused("user_banned"):
            client.sign_in_with_password({"email": email, "password": PASSWORD})
        admin.delete_user(made.id)
        with refused("user_not_found"):
            admin.get_user_by_id(made.id)

    def test_links_are_made(self, admin, client, email):
        made = admin.generate_link({"type": "signup", "email": email, "password": PASSWORD})
        hashed = made.properties.hashed_token
        assert client.verify_otp({"token_hash": hashed, "type": "signup"}).user.id == made.user.id

    def test_users_may_not(self, new_client, email):
        token = sign_up(new_client(), email).session.access_token
        with refused("not_admin"):
            new_client(token).admin.list_users()
