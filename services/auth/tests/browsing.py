"""A browser on its way through the service, a provider and back."""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx

from cas_local.oidc_provider import CALLBACK, CLIENT_ID, CLIENT_SECRET

VERIFIER = "v" * 43
S256 = {
    "code_challenge": urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode(),
    "code_challenge_method": "s256",
}


def google_settings(provider, **values):
    """Settings of a service for which `provider` stands in for Google."""
    return {
        "google_client_id": CLIENT_ID,
        "google_client_secret": CLIENT_SECRET,
        "google_issuer": provider.issuer,
        "site_url": "https://site.example.com",
        **values,
    }


def fields(text):
    """The one value of each field of a query or fragment."""
    return {name: value for name, [value] in parse_qs(text, strict_parsing=True).items()} if text else {}


@dataclass
class Landed:
    """Where the browser ended up."""

    address: str
    query: dict
    fragment: dict

    @classmethod
    def of(cls, answer):
        assert answer.status_code in {302, 303}, answer.text
        parts = urlsplit(answer.headers["location"])
        return cls(
            parts._replace(query="", fragment="").geturl(), fields(parts.query), fields(parts.fragment)
        )


@dataclass
class Browser:
    """Follows what a service and a provider tell it; keeps cookies of the service."""

    client: object

    def authorize(self, **query):
        """Ask the service to go to a provider."""
        query = {"provider": "google", **query}
        return self.client.get("/auth/v1/authorize", params=query, follow_redirects=False)

    def at_provider(self, answer, **more):
        """What the provider sends back, as the query of the callback."""
        assert answer.status_code == 302, answer.text
        sent = httpx.get(answer.headers["location"])
        assert sent.status_code == 302, sent.text
        location = urlsplit(sent.headers["location"])
        assert location._replace(query="").geturl() == CALLBACK
        return {**fields(location.query), **more}

    def come_back(self, query):
        """Where the service sends the browser on."""
        return Landed.of(self.client.get("/auth/v1/callback", params=query, follow_redirects=False))

    def sign_in(self, **query):
        """The whole way."""
        return self.come_back(self.at_provider(self.authorize(**query)))

    def exchange(self, code, verifier=VERIFIER):
        """What the service gives for the code of a PKCE flow."""
        body = {"auth_code": code, "code_verifier": verifier}
        return self.client.post("/auth/v1/token", params={"grant_type": "pkce"}, json=body)
