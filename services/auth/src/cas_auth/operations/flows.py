"""Flows that leave the client and come back with a code, which only the client that began them can exchange."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.credentials.one_time import auth_code, digest
from cas_auth.credentials.tokens import Grant, ProviderTokens
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.pkce import Challenge
from cas_auth.domain.refusals import BadCodeVerifier, FlowStateExpired, FlowStateNotFound, InvalidRequest
from cas_auth.domain.sessions import AuthMethod
from cas_auth.models import FlowState
from cas_auth.operations.sessions import start_session
from cas_auth.operations.tools import Tools
from cas_auth.repository.audit_log import add_audit_entry
from cas_auth.repository.one_time_tokens import delete_flow, find_user_id_by_code, lock_flow_by_code
from cas_auth.repository.users import lock_user


def begin_flow(
    session: Session,
    tools: Tools,
    *,
    provider: str,
    challenge: Challenge | None,
    redirect_to: str | None = None,
    linking_user_id: UUID | None = None,
    provider_session: bytes | None = None,
    now: datetime,
) -> FlowState:
    """Remember a flow that is about to leave the client.

    :param challenge: None where the client wants its tokens in the address.
    :param linking_user_id: the user who gets the provider's identity; None where it signs somebody in.
    :param provider_session: what the way back has to know, sealed.
    """
    flow = FlowState(
        id=tools.new_id(),
        provider=provider,
        code_challenge=challenge and challenge.value,
        code_challenge_method=challenge and challenge.method,
        redirect_to=redirect_to,
        linking_user_id=linking_user_id,
        provider_session=provider_session,
        created_at=now,
    )
    session.add(flow)
    session.flush()
    return flow


def issue_code(
    tools: Tools,
    flow: FlowState,
    *,
    user_id: UUID,
    method: AuthMethod,
    provider_tokens: ProviderTokens | None = None,
    now: datetime,
) -> str:
    """The code with which the client that began this flow signs in as the user, once, within five minutes."""
    code = auth_code()
    flow.issue_code(digest(code), user_id=user_id, method=method, now=now)
    if provider_tokens is not None:
        flow.provider_tokens = provider_tokens.sealed(tools.encryption_key, name=str(flow.id))
    return code


def exchange_code(
    session: Session, tools: Tools, *, code: str, verifier: str, origin: Origin, now: datetime
) -> Grant:
    """Sign in whoever came back from a flow.

    :raises InvalidRequest: the code or the verifier is missing.
    :raises FlowStateNotFound: there is no such code, or it was used.
    :raises FlowStateExpired: it is older than five minutes.
    :raises BadCodeVerifier: another client began the flow.
    :raises EmailNotConfirmed: the user's address was never confirmed.
    :raises BannedFromSigningIn: the user is banned.
    """
    if not code or not verifier:
        raise InvalidRequest("invalid request: both auth code and code verifier should be non-empty")
    # Users are locked before their flows everywhere.
    user_id = find_user_id_by_code(session, digest=digest(code))
    user = lock_user(session, user_id=user_id) if user_id else None
    flow = lock_flow_by_code(session, digest=digest(code))
    if user is None or flow is None or flow.method is None or flow.challenge is None:
        raise FlowStateNotFound
    if flow.is_expired(now):
        raise FlowStateExpired
    if not flow.challenge.is_met_by(verifier):
        add_audit_entry(
            session,
            AuditAction.VERIFICATION_FAILED,
            actor_id=user.id,
            origin=origin,
            now=now,
            traits={"reason": "code_verifier"},
        )
        raise BadCodeVerifier
    grant = start_session(session, tools, user, flow.method, origin=origin, now=now)
    tokens = ProviderTokens.unseal(flow.provider_tokens, tools.encryption_key, name=str(flow.id))
    delete_flow(session, flow_id=flow.id)
    return replace(grant, provider_tokens=tokens)
