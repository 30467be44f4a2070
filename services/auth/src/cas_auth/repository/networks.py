"""Networks that users have signed in from."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, exists, or_, select
from sqlalchemy.dialects.postgresql import CIDR, insert
from sqlalchemy.orm import Session

from cas_auth.models import KnownNetwork, User, UserSession

_NETWORK = bindparam("network", type_=CIDR)
_IS_KNOWN = select(
    or_(
        exists().where(
            User.email == bindparam("email"),
            KnownNetwork.user_id == User.id,
            KnownNetwork.network == _NETWORK,
            KnownNetwork.last_used_at > bindparam("since"),
        ),
        exists().where(
            User.email == bindparam("email"),
            UserSession.user_id == User.id,
            UserSession.ip.op("<<=", is_comparison=True)(_NETWORK),
        ),
    )
)
_upsert = insert(KnownNetwork)
_NOTE = _upsert.on_conflict_do_update(
    index_elements=[KnownNetwork.user_id, KnownNetwork.network],
    set_={"last_used_at": _upsert.excluded.last_used_at},
)


def is_known_network(connection: Connection, *, email: str, network: str, since: datetime) -> bool:
    """Whether the user of this address has signed in from this network since then, or has a session there now.

    One statement, of the same steps whether or not there is such a user.
    """
    parameters = {"email": email, "network": network, "since": since}
    return bool(connection.execute(_IS_KNOWN, parameters).scalar_one())


def note_network(session: Session, *, user_id: UUID, network: str, now: datetime) -> None:
    """Remember that the user signed in from this network."""
    session.execute(_NOTE, {"user_id": user_id, "network": network, "last_used_at": now})


def delete_networks(session: Session, *, last_used_before: datetime) -> None:
    """Forget networks nobody signed in from for long."""
    session.execute(delete(KnownNetwork).where(KnownNetwork.last_used_at < last_used_before))
