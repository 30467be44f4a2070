"""Send people to a provider, and take them in when they come back. The provider is asked between transactions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.clients.oidc import Arrival, Departure, OidcClient
from cas_auth.credentials.encryption import WrongEncryptionKey
from cas_auth.credentials.provider_states import ProviderState, flow_of
from cas_auth.credentials.tokens import Grant, ProviderTokens
from cas_auth.domain.audit import Origin
from cas_auth.domain.identity_refusals import (
    BadOAuthCallback,
    BadOAuthState,
    ProviderRefused,
    UnsupportedProvider,
)
from cas_auth.domain.pkce import Challenge
from cas_auth.domain.sessions import AuthMethod
from cas_auth.models import FlowState, User
from cas_auth.operations.external_accounts import ask_about_newcomer, record_failure, user_of_account
from cas_auth.operations.flows import begin_flow, issue_code
from cas_auth.operations.identities import Linking, authorise_linking, link_account
from cas_auth.operations.mails import MailedLink
from cas_auth.operations.sessions import start_session
from cas_auth.operations.tools import Tools
from cas_auth.operations.verification import CodeIssued
from cas_auth.repository.identities import lock_account
from cas_auth.repository.one_time_tokens import find_flow, lock_flow
from cas_kit.db import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How somebody wants to go to a provider and come back.

    :param redirect_to: where they end up; allowed already.
    :param challenge: what binds the session to the client that asked; None: it comes in the address.
    :param scopes: beside those that are always asked for, and `query`: further parameters for the provider.
    :param browser_secret: what only the browser knows that leaves; None where any may come back.
    """

    provider: str
    redirect_to: str
    challenge: Challenge | None = None
    scopes: Collection[str] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    browser_secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody brings back from a provider beside the state: a code, or why there is none."""

    code: str = ""
    error: str = ""
    error_description: str = ""
    issuer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """The way of somebody who has come back; `redirect_to` is where they end up, whatever becomes of it.

    :param linking: who left to link an account, and from which session; None where they sign in.
    """

    flow_id: UUID
    provider: str
    redirect_to: str
    challenge: Challenge | None
    linking: Linking | None
    state: ProviderState


Welcome = Grant | CodeIssued


def send_to_provider(
    database: Database, tools: Tools, *, wish: Wish, linking: Linking | None = None, now: datetime
) -> str:
    """The address of the provider to send a browser to.

    :raises UnsupportedProvider: it is not configured.
    :raises ProviderUnreachable: it does not answer.
    :raises ManualLinkingDisabled: nobody may link accounts here, and whatever else `authorise_linking` raises.
    """
    client = provider_client(tools, wish.provider)
    client.prepare()
    state = ProviderState.new(
        browser_secret=wish.browser_secret, linking_session_id=linking.session_id if linking else None
    )
    with database.transaction() as session:
        if linking is not None:
            authorise_linking(session, tools, linking, now=now)
        flow = begin_flow(
            session,
            tools,
            provider=wish.provider,
            challenge=wish.challenge,
            redirect_to=wish.redirect_to,
            linking_user_id=linking.user_id if linking else None,
            now=now,
        )
        flow.provider_session = state.sealed(tools.encryption_key, flow_id=flow.id)
    return client.authorization_url(
        Departure(
            state=state.text(flow.id),
            nonce=state.nonce,
            code_verifier=state.code_verifier,
            scopes=wish.scopes,
            query=wish.query,
        )
    )


def provider_client(tools: Tools, name: str) -> OidcClient:
    """Us, as a client of the provider of this name.

    :raises UnsupportedProvider: it is not configured.
    """
    client = tools.providers.get(name)
    if client is None:
        raise UnsupportedProvider
    return client


def find_journey(session: Session, tools: Tools, *, state: str, browser_secret: str | None) -> Journey:
    """The way of whoever brings back this state.

    :raises BadOAuthState: nobody left with it, or another browser did.
    """
    flow_id = flow_of(state)
    flow = find_flow(session, flow_id=flow_id) if flow_id else None
    if flow is None or flow.provider_session is None or flow.redirect_to is None:
        raise BadOAuthState
    try:
        known = ProviderState.unseal(flow.provider_session, tools.encryption_key, flow_id=flow.id)
    except WrongEncryptionKey as error:
        raise BadOAuthState from error
    if not known.is_of(state, browser_secret=browser_secret):
        raise BadOAuthState
    return Journey(
        flow_id=flow.id,
        provider=flow.provider,
        redirect_to=flow.redirect_to,
        challenge=flow.challenge,
        linking=_linking(flow, known),
        state=known,
    )


def _linking(flow: FlowState, state: ProviderState) -> Linking | None:
    if flow.linking_user_id is None:
        return None
    if state.linking_session_id is None:  # they left from the release before, which did not remember it
        raise BadOAuthState
    return Linking(user_id=flow.linking_user_id, session_id=UUID(state.linking_session_id))


def welcome_back(
    database: Database, tools: Tools, *, journey: Journey, answer: Answer, origin: Origin, now: datetime
) -> Welcome:
    """Sign in whoever came back from a provider, or link the account they showed there. Works once for a journey.

    An account is linked only while the session lasts that asked for it, and proves all that its user can.

    :raises FlowStateAlreadyUsed: somebody came back before.
    :raises FlowStateExpired: it took too long.
    :raises ProviderRefused: the provider or the person said no.
    :raises BadOAuthCallback: what the provider says proves nothing.
    :raises ProviderUnreachable: it does not answer.
    :raises UnsupportedProvider: it is not configured any more.

    And whatever `user_of_account`, `authorise_linking` and `link_account` raise.
    """
    with database.transaction() as session:
        _locked(session, journey).come_back(now)
    client = provider_client(tools, journey.provider)
    try:
        arrival = client.arrive(
            code=_code(answer, client), nonce=journey.state.nonce, code_verifier=journey.state.code_verifier
        )
    except BadOAuthCallback:
        record_failure(database, provider=client.name, origin=origin, now=now)
        raise
    tokens = ProviderTokens(access_token=arrival.access_token, refresh_token=arrival.refresh_token)
    may_add = journey.linking is None and ask_about_newcomer(
        database, tools, arrival.account, origin=origin, now=now
    )
    with database.transaction() as session:
        user = _user(session, tools, journey, arrival, may_add=may_add, origin=origin, now=now)
        flow = _locked(session, journey)
        if flow.challenge is None:
            grant = start_session(session, tools, user, AuthMethod.OAUTH, origin=origin, now=now)
            return replace(grant, provider_tokens=tokens)
        return CodeIssued(
            issue_code(tools, flow, user_id=user.id, method=AuthMethod.OAUTH, provider_tokens=tokens, now=now)
        )


def _locked(session: Session, journey: Journey) -> FlowState:
    flow = lock_flow(session, flow_id=journey.flow_id)
    if flow is None:
        raise BadOAuthState
    return flow


def _code(answer: Answer, client: OidcClient) -> str:
    if answer.error:
        raise ProviderRefused(answer.error, answer.error_description or f"{client.name} refused")
    if answer.issuer and answer.issuer != client.provider.issuer:
        raise BadOAuthCallback("The answer is another provider's")  # RFC 9207
    if not answer.code:
        raise BadOAuthCallback
    return answer.code


def _user(
    session: Session,
    tools: Tools,
    journey: Journey,
    arrival: Arrival,
    *,
    may_add: bool,
    origin: Origin,
    now: datetime,
) -> User:
    if journey.linking is None:
        link = MailedLink(journey.redirect_to, journey.challenge)
        return user_of_account(
            session, tools, arrival.account, may_add=may_add, link=link, origin=origin, now=now
        )
    lock_account(session, arrival.account)
    user = authorise_linking(session, tools, journey.linking, lock=True, now=now).user
    link_account(session, tools, user, arrival.account, origin=origin, now=now)
    return user
