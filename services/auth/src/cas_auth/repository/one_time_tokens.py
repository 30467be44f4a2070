"""Mailed tokens, and the flows they may belong to."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from cas_auth.domain.one_time_tokens import TokenKind
from cas_auth.models import FlowState, OneTimeToken


def replace_token(session: Session, token: OneTimeToken) -> None:
    """Add a token; the user's earlier one of the same kind proves nothing any more."""
    delete_tokens(session, user_id=token.user_id, kinds={token.kind})
    session.add(token)
    session.flush()


def find_token_by_link(
    session: Session, *, digest: bytes, kinds: Collection[TokenKind]
) -> OneTimeToken | None:
    """The token of this link."""
    return session.scalar(
        select(OneTimeToken).where(OneTimeToken.link_digest == digest, OneTimeToken.kind.in_(kinds))
    )


def list_tokens_of_address(
    session: Session, *, address: str, kinds: Collection[TokenKind]
) -> Sequence[OneTimeToken]:
    """The tokens that were mailed to this address, newest first."""
    return session.scalars(
        select(OneTimeToken)
        .where(OneTimeToken.address == address, OneTimeToken.kind.in_(kinds))
        .order_by(OneTimeToken.created_at.desc(), OneTimeToken.id)
    ).all()


def list_tokens_of_user(
    session: Session, *, user_id: UUID, kinds: Collection[TokenKind]
) -> Sequence[OneTimeToken]:
    """The tokens of a locked user, as they are now."""
    return session.scalars(
        select(OneTimeToken)
        .where(OneTimeToken.user_id == user_id, OneTimeToken.kind.in_(kinds))
        .execution_options(populate_existing=True)
    ).all()


def count_attempt(session: Session, *, token_id: UUID) -> None:
    """Remember that somebody guessed wrong."""
    session.execute(
        update(OneTimeToken).where(OneTimeToken.id == token_id).values(attempts=OneTimeToken.attempts + 1)
    )


def delete_token(session: Session, *, token_id: UUID) -> None:
    """Let this token prove nothing any more."""
    session.execute(delete(OneTimeToken).where(OneTimeToken.id == token_id))


def delete_tokens(session: Session, *, user_id: UUID, kinds: Collection[TokenKind]) -> None:
    """Let the user's tokens of these kinds prove nothing any more."""
    session.execute(delete(OneTimeToken).where(OneTimeToken.user_id == user_id, OneTimeToken.kind.in_(kinds)))


def delete_proofs(session: Session, *, user_id: UUID) -> None:
    """Let nothing prove to be the user that was mailed or begun so far: tokens, and the codes they yielded."""
    session.execute(delete(OneTimeToken).where(OneTimeToken.user_id == user_id))
    delete_flows_of_user(session, user_id=user_id)


def delete_old_tokens(session: Session, *, created_before: datetime) -> None:
    """Forget tokens that are too old to prove anything."""
    session.execute(delete(OneTimeToken).where(OneTimeToken.created_at < created_before))


def find_flow(session: Session, *, flow_id: UUID) -> FlowState | None:
    """The flow of this id."""
    return session.get(FlowState, flow_id)


def lock_flow(session: Session, *, flow_id: UUID) -> FlowState | None:
    """The flow of this id, once no other transaction is changing it."""
    return session.scalar(select(FlowState).where(FlowState.id == flow_id).with_for_update())


def find_user_id_by_code(session: Session, *, digest: bytes) -> UUID | None:
    """Who signs in with the code of this digest."""
    return session.scalar(select(FlowState.user_id).where(FlowState.auth_code_digest == digest))


def lock_flow_by_code(session: Session, *, digest: bytes) -> FlowState | None:
    """The flow whose code has this digest, once no other transaction is changing it."""
    return session.scalar(select(FlowState).where(FlowState.auth_code_digest == digest).with_for_update())


def delete_flow(session: Session, *, flow_id: UUID) -> None:
    """Forget a flow, and the mailed token that belongs to it."""
    session.execute(delete(FlowState).where(FlowState.id == flow_id))


def forget_provider_tokens(session: Session, *, issued_before: datetime) -> None:
    """Forget the tokens of providers that no client has come for in time."""
    session.execute(
        update(FlowState)
        .where(FlowState.provider_tokens.is_not(None), FlowState.auth_code_issued_at < issued_before)
        .values(provider_tokens=None)
    )


def delete_flows_of_user(session: Session, *, user_id: UUID) -> None:
    """Forget the codes that would sign in a locked user, and their journeys to link an account."""
    is_theirs = or_(FlowState.user_id == user_id, FlowState.linking_user_id == user_id)
    session.execute(delete(FlowState).where(is_theirs))


def delete_flows(session: Session, *, created_before: datetime) -> None:
    """Forget flows that nobody came back to."""
    session.execute(delete(FlowState).where(FlowState.created_at < created_before))
