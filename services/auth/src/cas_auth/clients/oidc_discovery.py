"""Where a provider does what, as it publishes itself (OpenID Connect Discovery 1.0)."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import structlog

from cas_auth.clients.provider_http import ProviderHttp
from cas_auth.domain.identity_refusals import ProviderUnreachable
from cas_auth.settings import OidcProvider
from cas_kit.jwks import JwksCache

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Addresses of one provider; `takes_secret_in_form` says how its token endpoint knows a client."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    takes_secret_in_form: bool

    @classmethod
    def of(cls, document: Mapping[str, Any], *, provider: OidcProvider) -> Self:
        """The endpoints of a discovery document.

        :raises ValueError: it is another issuer's, or names what is no address.
        """
        if document.get("issuer") != provider.issuer:
            raise ValueError("the document is another issuer's")
        userinfo = document.get("userinfo_endpoint")
        return cls(
            authorization=_address(document.get("authorization_endpoint"), provider),
            token=_address(document.get("token_endpoint"), provider),
            keys=_address(document.get("jwks_uri"), provider),
            userinfo=_address(userinfo, provider) if userinfo else None,
            takes_secret_in_form="client_secret_post"
            in (document.get("token_endpoint_auth_methods_supported") or ()),
        )


def _address(said: object, provider: OidcProvider) -> str:
    """An address that a document names; where the issuer is asked over TLS, everything is."""
    schemes = {"http", "https"} if provider.is_plain else {"https"}
    if not isinstance(said, str) or urlsplit(said).scheme not in schemes or not urlsplit(said).netloc:
        raise ValueError("an endpoint is no address")
    return said


class Discovery:
    """A provider's endpoints and keys, read when they are first needed and again after `max_age`.

    At most one try every `hold_off`; while the provider is away, what is known stays in use.
    """

    def __init__(
        self,
        provider: OidcProvider,
        *,
        http: ProviderHttp,
        hold_off: timedelta = timedelta(seconds=5),
        max_age: timedelta = timedelta(hours=1),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._http = http
        self._hold_off = hold_off.total_seconds()
        self._max_age = max_age.total_seconds()
        self._monotonic = monotonic
        self._endpoints: Endpoints | None = None
        self._keys: JwksCache | None = None
        self._tried_at = self._read_at = float("-inf")
        self._lock = threading.Lock()

    def endpoints(self) -> Endpoints:
        """The provider's endpoints.

        :raises ProviderUnreachable: it never answered.
        """
        if self._endpoints is None or self._monotonic() - self._read_at > self._max_age:
            self._refresh()
        if self._endpoints is None:
            raise ProviderUnreachable
        return self._endpoints

    def keys(self) -> JwksCache:
        """The keys of the provider's ID tokens.

        :raises ProviderUnreachable: it never answered.
        """
        url = self.endpoints().keys
        with self._lock:
            if self._keys is None or self._keys.url != url:
                self._keys = JwksCache(
                    url, fetch=self._http.get_document, hold_off=timedelta(seconds=self._hold_off)
                )
            return self._keys

    def _refresh(self) -> None:
        with self._lock:
            now = self._monotonic()
            if now - self._tried_at < self._hold_off:
                return
            self._tried_at = now
            url = f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration"
            try:
                self._endpoints = Endpoints.of(self._http.get_document(url), provider=self._provider)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError) as error:
                log.warning("provider_discovery_failed", issuer=self._provider.issuer, reason=repr(error))
            else:
                self._read_at = now
