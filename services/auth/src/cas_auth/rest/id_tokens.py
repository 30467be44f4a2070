"""The grant of an app that got a provider's ID token by itself (docs/spec/auth-protocol.md 1.2)."""

from collections.abc import Callable
from datetime import UTC, datetime

from cas_auth.clients.oidc import OidcClient
from cas_auth.credentials.tokens import Grant
from cas_auth.domain.audit import Origin
from cas_auth.domain.identity_refusals import BadIdToken, ManualLinkingDisabled, ProviderDisabled
from cas_auth.domain.refusals import InvalidRequest
from cas_auth.operations.provider_sign_in import Linking, sign_in_with_id_token
from cas_auth.operations.tools import Tools
from cas_auth.rest.requests import AuthDependencies, Caller, limit_provider
from cas_auth.rest.schemas import TokenIn

# Providers whose ID tokens the protocol knows, whether or not they are configured here.
KNOWN_PROVIDERS = frozenset({"apple", "azure", "facebook", "google", "kakao", "keycloak"})


def id_token_grant(
    body: TokenIn, dependencies: AuthDependencies, origin: Origin, *, caller: Callable[[], Caller]
) -> Grant:
    """Sign in whose ID token it is, or link their account to the caller.

    :param caller: tells who calls; asked only where an account is linked.
    """
    if not body.id_token:
        raise BadIdToken("id_token required")
    client = _client(dependencies.tools, body)
    linking = _linking(dependencies, caller) if body.link_identity else None
    limit_provider(dependencies, origin=origin)
    account = client.recognise(body.id_token, nonce=body.nonce, access_token=body.access_token or None)
    return sign_in_with_id_token(
        dependencies.database,
        dependencies.tools,
        account=account,
        linking=linking,
        origin=origin,
        now=datetime.now(UTC),
    )


def _linking(dependencies: AuthDependencies, caller: Callable[[], Caller]) -> Linking:
    if not dependencies.settings.manual_linking_enabled:
        raise ManualLinkingDisabled
    who = caller()
    return Linking(user_id=who.user_id, session_id=who.session_id)


def _client(tools: Tools, body: TokenIn) -> OidcClient:
    """The provider that is named, or the one that has the issuer and the client id."""
    if body.provider:
        client = tools.providers.get(body.provider.lower())
    elif body.client_id and body.issuer:
        client = next((c for c in tools.providers.values() if c.provider.issuer == body.issuer), None)
    else:
        raise BadIdToken("provider or client_id and issuer required")
    if client is None:
        raise _unknown(body)
    if body.issuer and body.issuer != client.provider.issuer:
        raise InvalidRequest(f"Provider {client.name} has another issuer")
    if body.client_id and body.client_id not in client.provider.client_ids:
        raise InvalidRequest(f"Provider {client.name} has another client_id")
    return client


def _unknown(body: TokenIn) -> ProviderDisabled | InvalidRequest:
    name = (body.provider or "").lower()
    if name in KNOWN_PROVIDERS:
        return ProviderDisabled(f"Provider {name} is not enabled")
    return InvalidRequest(f'Custom OIDC provider "{body.provider or body.issuer}" not allowed')
