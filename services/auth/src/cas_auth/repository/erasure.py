"""Remove what the tables say of one person."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Delete, delete, or_, select
from sqlalchemy.orm import Session

from cas_auth.models import (
    Factor,
    FlowState,
    Identity,
    KnownNetwork,
    Mail,
    OneTimeToken,
    User,
    outbox_messages,
)
from cas_auth.repository.sessions import end_sessions
from cas_kit.outbox import Outbox

USER_DELETED = "user-deleted"

_outbox = Outbox(outbox_messages)


def announce_deletion(session: Session, *, user_id: UUID) -> None:
    """Queue, with this transaction, that other services forget the user."""
    _outbox.add(session, topic=USER_DELETED, payload={"user_id": str(user_id)})


def delete_traces(session: Session, user: User) -> int:
    """Remove all but the row of a user locked by this transaction, and the audit log; the number of rows removed."""
    ended = end_sessions(session, user_id=user.id)
    return ended + sum(len(session.scalars(deletion).all()) for deletion in _deletions(user))


def delete_user(session: Session, user: User) -> int:
    """Remove a user locked by this transaction; the number of rows removed."""
    removed = delete_traces(session, user)
    return removed + len(session.scalars(delete(User).where(User.id == user.id).returning(User.id)).all())


def _deletions(user: User) -> Sequence[Any]:
    """Mails first: they and the tokens name flows."""
    addresses = [address for address in (user.email, user.new_email) if address]
    of_mails = or_(Mail.user_id == user.id, Mail.address.in_(addresses))
    flows = or_(
        FlowState.user_id == user.id,
        FlowState.linking_user_id == user.id,
        FlowState.id.in_(select(OneTimeToken.flow_id).where(OneTimeToken.user_id == user.id)),
    )
    return (
        _returning(delete(Mail).where(of_mails), Mail.id),
        _returning(delete(FlowState).where(flows), FlowState.id),
        _returning(delete(OneTimeToken).where(OneTimeToken.user_id == user.id), OneTimeToken.id),
        _returning(delete(KnownNetwork).where(KnownNetwork.user_id == user.id), KnownNetwork.network),
        _returning(delete(Factor).where(Factor.user_id == user.id), Factor.id),
        _returning(delete(Identity).where(Identity.user_id == user.id), Identity.id),
    )


def _returning(deletion: Delete, column: Any) -> Any:
    return deletion.returning(column).execution_options(synchronize_session=False)
