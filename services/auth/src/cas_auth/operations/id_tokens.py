"""Sign in with an ID token that an app got from a provider by itself."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from cas_auth.clients.oidc import OidcClient
from cas_auth.credentials.tokens import Grant
from cas_auth.domain.audit import Origin
from cas_auth.domain.external_accounts import ExternalAccount
from cas_auth.domain.identity_refusals import BadIdToken, ManualLinkingDisabled, ProviderDisabled
from cas_auth.domain.refusals import InvalidRequest
from cas_auth.domain.sessions import AuthMethod
from cas_auth.models import User
from cas_auth.operations.external_accounts import ask_about_newcomer, record_failure, user_of_account
from cas_auth.operations.identities import Linking, authorise_linking, link_account
from cas_auth.operations.mails import PLAIN_LINK
from cas_auth.operations.sessions import start_session
from cas_auth.operations.tools import Tools
from cas_auth.repository.identities import lock_account
from cas_kit.db import Database

# Providers whose ID tokens the protocol knows, whether or not they are configured here.
KNOWN_PROVIDERS = frozenset({"apple", "azure", "facebook", "google", "kakao", "keycloak"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownIdToken:
    """An ID token, and what its bearer says about it: the name of the provider, or its issuer and our client id there.

    :param nonce: what the app chose; the token carries it, or the SHA-256 of it.
    :param access_token: what came with the ID token, if anything did.
    """

    id_token: str
    provider: str = ""
    issuer: str = ""
    client_id: str = ""
    nonce: str = ""
    access_token: str = ""


def sign_in_with_id_token(
    database: Database,
    tools: Tools,
    *,
    shown: ShownIdToken,
    linking: Linking | None = None,
    origin: Origin,
    now: datetime,
) -> Grant:
    """Sign in whose token it is, or link their account to a user who is signed in.

    :raises BadIdToken: the token does not prove anything here.
    :raises ProviderDisabled: the protocol knows the provider, and it is not configured.
    :raises InvalidRequest: nobody knows it, or it has another issuer or client id.
    :raises Unavailable: the provider's keys cannot be had.
    :raises ManualLinkingDisabled: nobody may link accounts here.

    And whatever `user_of_account`, `authorise_linking` and `link_account` raise.
    """
    if linking is not None and not tools.settings.manual_linking_enabled:
        raise ManualLinkingDisabled
    client = _client(tools, shown)
    try:
        account = client.recognise(shown.id_token, nonce=shown.nonce, access_token=shown.access_token or None)
    except BadIdToken:
        record_failure(database, provider=client.name, origin=origin, now=now)
        raise
    may_add = linking is None and ask_about_newcomer(database, tools, account, origin=origin, now=now)
    with database.transaction() as session:
        if linking is None:
            user = user_of_account(
                session, tools, account, may_add=may_add, link=PLAIN_LINK, origin=origin, now=now
            )
        else:
            user = _link(session, tools, linking, account, origin=origin, now=now)
        return start_session(session, tools, user, AuthMethod.OAUTH, origin=origin, now=now)


def _client(tools: Tools, shown: ShownIdToken) -> OidcClient:
    if not shown.id_token:
        raise BadIdToken("id_token required")
    if not shown.provider and not (shown.client_id and shown.issuer):
        raise BadIdToken("provider or client_id and issuer required")
    client = _find_client(tools, shown)
    if client is None:
        raise _unknown(shown)
    if shown.issuer and shown.issuer != client.provider.issuer:
        raise InvalidRequest(f"Provider {client.name} has another issuer")
    if shown.client_id and shown.client_id not in client.provider.client_ids:
        raise InvalidRequest(f"Provider {client.name} has another client_id")
    return client


def _find_client(tools: Tools, shown: ShownIdToken) -> OidcClient | None:
    if shown.provider:
        return tools.providers.get(shown.provider.lower())
    return next((known for known in tools.providers.values() if known.provider.issuer == shown.issuer), None)


def _unknown(shown: ShownIdToken) -> ProviderDisabled | InvalidRequest:
    name = shown.provider.lower()
    if name in KNOWN_PROVIDERS:
        return ProviderDisabled(f"Provider {name} is not enabled")
    return InvalidRequest(f'Custom OIDC provider "{shown.provider or shown.issuer}" not allowed')


def _link(
    session: Session,
    tools: Tools,
    linking: Linking,
    account: ExternalAccount,
    *,
    origin: Origin,
    now: datetime,
) -> User:
    lock_account(session, account)
    found = authorise_linking(session, tools, linking, lock=True, now=now)
    link_account(session, tools, found.user, account, origin=origin, now=now)
    return found.user
