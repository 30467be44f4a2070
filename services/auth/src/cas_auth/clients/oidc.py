"""Sign people in with OpenID Connect providers (OpenID Connect Core 1.0; OAuth 2.0 with PKCE, RFC 7636)."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import structlog

from cas_auth.clients.id_tokens import verified_claims
from cas_auth.clients.oidc_discovery import Discovery, Endpoints
from cas_auth.clients.provider_http import ProviderAnswer, ProviderHttp
from cas_auth.domain.external_accounts import ExternalAccount
from cas_auth.domain.identity_refusals import BadIdToken, BadOAuthCallback, ProviderUnreachable
from cas_auth.settings import OidcProvider

TOKEN_MAX_CHARACTERS = 8_192

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """What somebody takes along to a provider.

    :param scopes: beside those that are always asked for.
    :param query: further parameters, such as `prompt`; they cannot replace ours.
    """

    state: str
    nonce: str
    code_verifier: str
    scopes: Collection[str] = ()
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What somebody brings back from a provider: who they are there, and what acts for them there."""

    account: ExternalAccount
    access_token: str | None
    refresh_token: str | None


class OidcClient:
    """Us, as a client of one provider. Asks it over the network: never inside a transaction.

    Every method raises `ProviderUnreachable` when the provider does not answer, or not as a provider does.
    """

    def __init__(
        self,
        name: str,
        provider: OidcProvider,
        *,
        redirect_uri: str,
        http: ProviderHttp,
        discovery: Discovery,
    ) -> None:
        self.name = name
        self.provider = provider
        self._redirect_uri = redirect_uri
        self._http = http
        self._discovery = discovery

    def prepare(self) -> None:
        """Learn where the provider does what, so that the next call of `authorization_url` asks nobody."""
        self._discovery.endpoints()

    def authorization_url(self, departure: Departure) -> str:
        """Where to send the browser of somebody who wants to sign in."""
        address = self._discovery.endpoints().authorization
        query = {
            **departure.query,
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(dict.fromkeys([*self.provider.scopes, *departure.scopes])),
            "state": departure.state,
            "nonce": departure.nonce,
            "code_challenge": _challenge(departure.code_verifier),
            "code_challenge_method": "S256",
        }
        return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}"

    def arrive(self, *, code: str, nonce: str, code_verifier: str) -> Arrival:
        """Who came back with this code.

        :param nonce: the one they left with, and `code_verifier`.
        :raises BadOAuthCallback: the provider does not take the code, or its answer does not prove who they are.
        """
        tokens = self._exchange(code, code_verifier)
        access_token = _token(tokens, "access_token")
        try:
            claims = self._claims(
                _token(tokens, "id_token") or "", {self.provider.client_id}, access_token=access_token
            )
        except BadIdToken as error:
            raise BadOAuthCallback(f"The provider's answer proves nothing: {error.detail}") from error
        if not _is_same(claims.get("nonce"), nonce):
            raise BadOAuthCallback("The provider's answer belongs to another sign-in")
        if "email" not in claims and access_token:
            claims = {**self._userinfo(access_token, subject=claims["sub"]), **claims}
        return Arrival(
            account=self._account(claims),
            access_token=access_token,
            refresh_token=_token(tokens, "refresh_token"),
        )

    def recognise(
        self, id_token: str, *, nonce: str | None, access_token: str | None = None
    ) -> ExternalAccount:
        """Whose ID token this is, which an app of ours got by itself.

        :param nonce: what the app chose; the token carries it, or the SHA-256 of it.
        :raises BadIdToken: it does not prove who they are.
        """
        claims = self._claims(id_token, self.provider.client_ids, access_token=access_token)
        said = claims.get("nonce") or None
        if (said is None) != (not nonce):
            raise BadIdToken("Passed nonce and nonce in id_token should either both exist or not.")
        if nonce and not _is_same(said, nonce) and not _is_same(said, sha256(_encoded(nonce)).hexdigest()):
            raise BadIdToken("Nonces mismatch", error="invalid nonce")
        return self._account(claims)

    def _claims(
        self, id_token: str, client_ids: Collection[str], *, access_token: str | None
    ) -> Mapping[str, Any]:
        return verified_claims(
            id_token,
            keys=self._discovery.keys(),
            issuer=self.provider.issuer,
            client_ids=client_ids,
            access_token=access_token,
        )

    def _account(self, claims: Mapping[str, Any]) -> ExternalAccount:
        return ExternalAccount.of(self.name, claims, vouches_for_email=self.provider.vouches_for_email)

    def _exchange(self, code: str, code_verifier: str) -> Mapping[str, Any]:
        endpoints = self._discovery.endpoints()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": code_verifier,
        }
        answer = self._ask(lambda: self._post(endpoints, form))
        if answer.status in {httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED}:
            # Only the code of the error: the rest may repeat what we sent.
            log.warning(
                "provider_refused_code", provider=self.name, error=str(answer.document.get("error"))[:64]
            )
            raise BadOAuthCallback("Unable to exchange external code")
        if not answer.is_success:
            raise ProviderUnreachable
        return answer.document

    def _post(self, endpoints: Endpoints, form: dict[str, str]) -> ProviderAnswer:
        name, secret = self.provider.client_id, self.provider.client_secret.get_secret_value()
        if endpoints.takes_secret_in_form:
            form = {**form, "client_id": name, "client_secret": secret}
            return self._http.post(endpoints.token, form=form)
        # RFC 6749, 2.3.1: encoded before they are joined.
        return self._http.post(
            endpoints.token, form=form, basic=(quote(name, safe=""), quote(secret, safe=""))
        )

    def _userinfo(self, access_token: str, *, subject: str) -> Mapping[str, Any]:
        """What the provider says of them elsewhere; nothing where it says so of somebody else."""
        address = self._discovery.endpoints().userinfo
        if address is None:
            return {}
        answer = self._ask(lambda: self._http.get(address, bearer=access_token))
        if not answer.is_success or answer.document.get("sub") != subject:
            return {}
        return answer.document

    def _ask(self, question: Callable[[], ProviderAnswer]) -> ProviderAnswer:
        try:
            return question()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            log.warning("provider_did_not_answer", provider=self.name, reason=type(error).__name__)
            raise ProviderUnreachable from error


def clients_of(providers: Mapping[str, OidcProvider], *, redirect_uri: str) -> Mapping[str, OidcClient]:
    """Us, as a client of each of these providers.

    :param redirect_uri: where providers send people back to.
    """
    if not providers:
        return {}
    http = ProviderHttp()
    return {
        name: OidcClient(
            name, provider, redirect_uri=redirect_uri, http=http, discovery=Discovery(provider, http=http)
        )
        for name, provider in providers.items()
    }


def _challenge(code_verifier: str) -> str:
    return urlsafe_b64encode(sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()


def _token(answer: Mapping[str, Any], name: str) -> str | None:
    """A token of the answer; None where there is none, or nothing that we could hand on."""
    found = answer.get(name)
    return found if isinstance(found, str) and 0 < len(found) <= TOKEN_MAX_CHARACTERS else None


def _is_same(said: object, expected: str) -> bool:
    return isinstance(said, str) and hmac.compare_digest(_encoded(said), _encoded(expected))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
