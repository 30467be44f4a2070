"""We as a client of OpenID Connect providers: against a real one, and against some that lie or dawdle."""

import base64
import hmac
import json
import secrets
import time
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cas_auth.clients.oidc import Departure, OidcClient
from cas_auth.clients.oidc_discovery import Discovery
from cas_auth.clients.provider_http import ANSWER_MAX_BYTES, ProviderHttp
from cas_auth.domain.identity_refusals import BadIdToken, BadOAuthCallback, ProviderUnreachable
from cas_auth.settings import OidcProvider
from cas_kit.testing.forger import Forger
from cas_kit.testing.forgeries import GOOD, GROUPS
from cas_kit.testing.jwks_server import JwksServer
from cas_local.oidc_provider import CALLBACK, CLIENT_ID, CLIENT_SECRET
from cas_local.oidc_provider import OidcProvider as RunningProvider

HTTP = ProviderHttp()


def configured(issuer, **values):
    return OidcProvider(
        **{"issuer": issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **values}
    )


def client_of(issuer, *, http=HTTP, redirect_uri=CALLBACK, discovery=None, **values):
    provider = configured(issuer, **values)
    return OidcClient(
        "keycloak",
        provider,
        redirect_uri=redirect_uri,
        http=http,
        discovery=discovery or Discovery(provider, http=http, hold_off=timedelta(0)),
    )


@pytest.fixture
def client(provider):
    return client_of(provider.issuer)


def departure(**values):
    made = Departure(
        state=secrets.token_urlsafe(), nonce=secrets.token_urlsafe(), code_verifier=secrets.token_urlsafe(48)
    )
    return replace(made, **values)


def query_of(address):
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def leave(client, leaving):
    """The query with which the provider sends somebody back who left like this."""
    answer = httpx.get(client.authorization_url(leaving))
    assert answer.status_code == 302, answer.text
    return query_of(answer.headers["location"])


def there_and_back(client, **values):
    leaving = departure(**values)
    back = leave(client, leaving)
    return client.arrive(code=back["code"], nonce=leaving.nonce, code_verifier=leaving.code_verifier)


class TestGoing:
    def test_asks_for_what_is_needed(self, client):
        leaving = departure(scopes=["email", "calendar"], query={"prompt": "consent"})
        query = query_of(client.authorization_url(leaving))
        assert query["scope"] == "openid email profile calendar"
        assert (query["state"], query["nonce"], query["prompt"]) == (leaving.state, leaving.nonce, "consent")
        assert (query["client_id"], query["redirect_uri"]) == (CLIENT_ID, CALLBACK)
        assert leaving.code_verifier not in query.values()

    def test_lets_nobody_replace_what_it_asks_for(self, client):
        ours = query_of(client.authorization_url(departure(state="s", nonce="n", code_verifier="v")))
        theirs = dict.fromkeys(ours, "replaced")
        query = query_of(
            client.authorization_url(departure(state="s", nonce="n", code_verifier="v", query=theirs))
        )
        assert query == ours


class TestArriving:
    def test_tells_who_came(self, client):
        arrival = there_and_back(client)
        account = arrival.account
        assert (account.provider, account.subject) == ("keycloak", "ada")
        assert (account.email, account.email_verified) == ("ada@example.com", True)
        assert account.data["full_name"] == account.data["name"] == "Ada Lovelace"
        assert account.data["avatar_url"] == account.data["picture"] == "https://example.com/ada.png"
        assert arrival.access_token
        assert arrival.refresh_token

    def test_asks_for_an_address_that_the_token_leaves_out(self, client, provider):
        provider.claims_in_id_token = False
        assert there_and_back(client).account.email == "ada@example.com"
        assert "/userinfo" in provider.asked

    def test_believes_no_address_of_somebody_else(self, client, provider):
        provider.claims_in_id_token = False
        provider.overrides = {"sub": "grace"}
        assert there_and_back(client).account.email is None

    def test_sends_the_secret_in_the_header_where_forms_are_not_taken(self, provider):
        client = client_of(provider.issuer)
        endpoints = client._discovery.endpoints()
        client._discovery._endpoints = replace(endpoints, takes_secret_in_form=False)
        assert there_and_back(client).account.subject == "ada"

    def test_refuses_a_code_that_the_provider_does_not_know(self, client):
        with pytest.raises(BadOAuthCallback, match="Unable to exchange external code"):
            client.arrive(code="guessed", nonce="n", code_verifier="v" * 43)

    @pytest.mark.parametrize(
        "changes",
        [{"client_secret": "wrong"}, {"client_id": "somebody"}],
    )
    def test_is_refused_without_the_right_secret(self, provider, changes):
        leaving = departure()
        code = leave(client_of(provider.issuer), leaving)["code"]
        with pytest.raises(BadOAuthCallback):
            client_of(provider.issuer, **changes).arrive(
                code=code, nonce=leaving.nonce, code_verifier=leaving.code_verifier
            )

    def test_is_refused_without_the_right_verifier(self, client):
        leaving = departure()
        code = leave(client, leaving)["code"]
        with pytest.raises(BadOAuthCallback):
            client.arrive(code=code, nonce=leaving.nonce, code_verifier="w" * 43)

    @pytest.mark.parametrize(
        "lie",
        [
            {"nonce": "another"},
            {"nonce": None},
            {"aud": "somebody"},
            {"aud": "phone-app"},
            {"aud": [CLIENT_ID, "somebody"]},
            {"azp": "somebody"},
            {"azp": [CLIENT_ID]},
            {"iss": "https://evil.example.com"},
            {"exp": 1},
            {"exp": None},
            {"iat": None},
            {"sub": None},
            {"sub": ""},
            {"sub": 5},
            {"sub": "x" * 256},
            {"sub": "nul\x00"},
            {"at_hash": "c29tZXRoaW5nIGVsc2U"},
            {"at_hash": 5},
        ],
        ids=str,
    )
    def test_refuses_an_id_token_that_proves_nothing(self, provider, lie):
        provider.overrides = lie
        with pytest.raises(BadOAuthCallback):
            there_and_back(client_of(provider.issuer, app_client_ids=["phone-app"]))

    def test_takes_several_audiences_when_we_are_the_party(self, client, provider):
        provider.overrides = {"aud": [CLIENT_ID, "somebody"], "azp": CLIENT_ID}
        assert there_and_back(client).account.subject == "ada"


class TestRecognising:
    def test_tells_whose_token_it_is(self, client, provider):
        assert client.recognise(provider.id_token(), nonce=None).subject == "ada"

    def test_takes_tokens_of_our_apps(self, provider):
        client = client_of(provider.issuer, app_client_ids=["phone-app"])
        token = provider.id_token(audience="phone-app", azp="phone-app")
        assert client.recognise(token, nonce=None).subject == "ada"

    @pytest.mark.parametrize("said", ["raw-nonce", sha256(b"raw-nonce").hexdigest()])
    def test_takes_the_nonce_or_its_hash(self, client, provider, said):
        assert client.recognise(provider.id_token(nonce=said), nonce="raw-nonce").subject == "ada"

    @pytest.mark.parametrize(
        ("said", "sent", "error"),
        [
            ("raw-nonce", None, "invalid request"),
            (None, "raw-nonce", "invalid request"),
            ("", "raw-nonce", "invalid request"),
            ("raw-nonce", "another", "invalid nonce"),
            (sha256(b"raw-nonce").hexdigest(), "\ud800", "invalid nonce"),
            (5, "5", "invalid nonce"),
        ],
    )
    def test_refuses_another_nonce(self, client, provider, said, sent, error):
        with pytest.raises(BadIdToken) as refusal:
            client.recognise(provider.id_token(nonce=said), nonce=sent)
        assert refusal.value.error == error

    def test_holds_an_access_token_against_the_hash(self, client, provider):
        half = base64.urlsafe_b64encode(sha256(b"access").digest()[:16]).rstrip(b"=").decode()
        token = provider.id_token(at_hash=half)
        assert client.recognise(token, nonce=None, access_token="access").subject == "ada"
        assert client.recognise(token, nonce=None).subject == "ada"
        with pytest.raises(BadIdToken):
            client.recognise(token, nonce=None, access_token="another")

    def test_believes_no_provider_that_does_not_vouch(self, provider):
        client = client_of(provider.issuer, vouches_for_email=False)
        assert not client.recognise(provider.id_token(), nonce=None).email_verified

    @pytest.mark.parametrize(
        ("claims", "email", "verified"),
        [
            ({"email_verified": "true"}, "ada@example.com", True),
            ({"email_verified": "false"}, "ada@example.com", False),
            ({"email_verified": 1}, "ada@example.com", False),
            ({"email_verified": [True]}, "ada@example.com", False),
            ({"email_verified": None}, "ada@example.com", False),
            ({"email": "ADA@Example.com"}, "ada@example.com", True),
            ({"email": "no address"}, None, False),
            ({"email": 5}, None, False),
            ({"email": None}, None, False),
        ],
        ids=str,
    )
    def test_reads_the_address(self, client, provider, claims, email, verified):
        account = client.recognise(provider.id_token(**claims), nonce=None)
        assert (account.email, account.email_verified) == (email, verified)
        assert account.data.get("email") == email

    def test_notices_new_keys(self, client, provider):
        assert client.recognise(provider.id_token(), nonce=None)
        client._discovery.keys()._hold_off = 0
        provider.rotate()
        assert client.recognise(provider.id_token(), nonce=None).subject == "ada"

    def test_takes_elliptic_curves(self, curves):
        assert there_and_back(client_of(curves.issuer)).account.subject == "ada"

    def test_knows_google_by_both_of_its_names(self, provider):
        http = StandIn({"https://accounts.google.com": provider.issuer})
        client = client_of("https://accounts.google.com", http=http)
        for issuer in ("https://accounts.google.com", "accounts.google.com"):
            assert client.recognise(provider.id_token(iss=issuer), nonce=None).subject == "ada"
        with pytest.raises(BadIdToken):
            client.recognise(provider.id_token(), nonce=None)


class StandIn(ProviderHttp):
    """Asks a provider on this machine in place of one far away."""

    def __init__(self, addresses):
        super().__init__()
        self._addresses = addresses

    def get_document(self, url):
        for far, near in self._addresses.items():
            if url.startswith(far):
                return self._renamed(super().get_document(url.replace(far, near)), near, far)
        return super().get_document(url)

    @staticmethod
    def _renamed(document, near, far):
        return json.loads(json.dumps(document).replace(near, far))


def refuses(client, id_token):
    try:
        client.recognise(id_token, nonce=None)
    except BadIdToken:
        return True
    return False


# Wrong in an access token of ours and right, or for the provider alone to judge, in an ID token of a provider's.
FINE = {
    "header with alg twice", "header with kid twice", "exp huge", "exp far", "exp string", "exp twice", "iat string",
    "iat true", "iat negative", "nbf string", "nbf true", "nbf negative", "iss twice", "aud list", "sub word",
    "sub with more", "sub with a line break", "sub twice", "a service role in a user's name",
    "an administrator of Supabase", "signature padded", "very long and signed",
}  # fmt: skip


@pytest.fixture(scope="module")
def curves():
    """A provider that signs with elliptic curves."""
    with RunningProvider(algorithm="ES256") as running:
        yield running


class TestForgedIdTokens:
    @pytest.fixture
    def forger(self, curves):
        claims = {
            **curves.standard_claims(),
            "sub": "ada",
            "email": "ada@example.com",
            "email_verified": True,
        }
        private_key = load_pem_private_key(curves.key.as_pem(private=True), password=None)
        return Forger(private_key, curves.key.as_dict(private=False), claims)

    @pytest.mark.parametrize("name", GOOD)
    def test_stand_beside_good_ones(self, curves, forger, name):
        assert client_of(curves.issuer).recognise(GOOD[name](forger), nonce=None).subject == "ada"

    @pytest.mark.parametrize("group", GROUPS)
    def test_are_all_refused(self, curves, forger, group):
        client = client_of(curves.issuer)
        taken = {name for name, make in GROUPS[group].items() if not refuses(client, make(forger))}
        assert taken <= FINE

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "https://issuer.example.com"},
            {"aud": []},
            {"aud": [[CLIENT_ID]]},
            {"aud": 5},
            {"exp": int(time.time()) - 60},
            {"nbf": 4_000_000_000},
            {"iat": 4_000_000_000},
            {"exp": "tomorrow"},
            {"sub": "nul\x00"},
        ],
        ids=lambda changes: next(iter(changes)),
    )
    def test_cannot_say_what_they_like(self, client, provider, changes):
        assert refuses(client, provider.id_token(**changes))

    @pytest.mark.parametrize("header", [{"typ": "logout+jwt"}, {"typ": "at+jwt"}, {"kid": "../../jwks"}])
    def test_are_no_other_tokens_of_the_provider(self, client, provider, header):
        assert refuses(client, provider.sign({**provider.standard_claims(), "sub": "ada"}, **header))

    @pytest.mark.parametrize("text", ["", "a.b.c", "é", "[" * 10_000, "x" * 20_000])
    def test_are_no_tokens_at_all(self, client, text):
        assert refuses(client, text)

    def test_cannot_use_the_public_key_of_rsa_as_a_secret(self, client, provider):
        secrets_of_nobody = (
            provider.key.as_pem(private=False),
            json.dumps(provider.key.as_dict(private=False)).encode(),
            CLIENT_SECRET.encode(),
        )
        for secret in secrets_of_nobody:
            assert refuses(client, signed_with(secret, provider))


def signed_with(secret, provider):
    """HS256 with what is no secret; libraries themselves refuse to."""
    parts = (
        {"alg": "HS256", "typ": "JWT", "kid": provider.key.kid},
        {**provider.standard_claims(), "sub": "ada"},
    )
    text = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    )
    tag = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256")).rstrip(b"=").decode()
    return f"{text}.{tag}"


class TestUnreachable:
    def test_says_so_when_nobody_answers(self):
        with JwksServer() as gone:
            issuer = gone.url
        with pytest.raises(ProviderUnreachable):
            client_of(issuer).authorization_url(departure())

    def test_leaves_a_provider_that_is_away_alone_for_a_while(self):
        clock = [0.0]
        with JwksServer() as away:
            away.status = 503
            discovery = Discovery(configured(away.url), http=HTTP, monotonic=lambda: clock[0])
            for _ in range(3):
                with pytest.raises(ProviderUnreachable):
                    discovery.endpoints()
            assert len(away.asked) == 1
            clock[0] = 6
            with pytest.raises(ProviderUnreachable):
                discovery.endpoints()
            assert len(away.asked) == 2

    def test_keeps_what_it_knows(self, provider):
        clock = [0.0]
        discovery = Discovery(configured(provider.issuer), http=HTTP, monotonic=lambda: clock[0])
        known = discovery.endpoints()
        provider.asked.clear()
        assert discovery.endpoints() == known
        assert provider.asked == []
        clock[0] = 3601
        discovery._http = ProviderHttp(patience=timedelta(0))
        assert discovery.endpoints() == known

    @pytest.mark.parametrize(
        "changes",
        [
            {"issuer": "https://evil.example.com"},
            {"authorization_endpoint": None},
            {"token_endpoint": "/token"},
            {"token_endpoint": "file:///etc/passwd"},
            {"jwks_uri": 5},
            {"userinfo_endpoint": "javascript:alert(1)"},
        ],
        ids=str,
    )
    def test_refuses_a_document_that_makes_no_sense(self, changes):
        with JwksServer() as server:
            server.document = discovery_document(server.url, **changes)
            with pytest.raises(ProviderUnreachable):
                client_of(server.url).authorization_url(departure())

    @pytest.mark.parametrize(
        "document", [[], "text", 5, None, {"issuer": None}, {"padding": "x" * ANSWER_MAX_BYTES}]
    )
    def test_refuses_a_document_that_is_none(self, document):
        with JwksServer() as server:
            server.document = document
            with pytest.raises(ProviderUnreachable):
                client_of(server.url).authorization_url(departure())

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (200, BadOAuthCallback),
            (400, BadOAuthCallback),
            (302, ProviderUnreachable),
            (404, ProviderUnreachable),
            (500, ProviderUnreachable),
        ],
    )
    def test_judges_what_the_token_endpoint_says(self, status, error):
        with JwksServer() as server:
            server.document = discovery_document(server.url)
            client = client_of(server.url)
            client.authorization_url(departure())
            server.status = status
            with pytest.raises(error):
                client.arrive(code="c", nonce="n", code_verifier="v" * 43)

    def test_waits_no_longer_than_it_has_patience(self):
        with JwksServer() as server:
            server.document = discovery_document(server.url)
            client = client_of(server.url, http=ProviderHttp(patience=timedelta(milliseconds=50)))
            server.answering.clear()
            with pytest.raises(ProviderUnreachable):
                client.authorization_url(departure())

    def test_asks_for_nothing_over_an_open_line_that_was_closed(self):
        document = discovery_document(
            "https://issuer.example.com", token_endpoint="http://issuer.example.com/t"
        )
        discovery = Discovery(configured("https://issuer.example.com"), http=Answers(document))
        with pytest.raises(ProviderUnreachable):
            discovery.endpoints()


class Answers(ProviderHttp):
    """Always gets the same document."""

    def __init__(self, document):
        super().__init__()
        self._document = document

    def get_document(self, url):
        return self._document


def discovery_document(issuer, /, **changes):
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        **changes,
    }
