"""Read what the tables say of one person, for that person."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, Table, inspect, or_, select
from sqlalchemy.orm import Session

from cas_auth.models import AuditEntry, Base, Factor, Identity, KnownNetwork, Mail, User, UserSession

ENTRIES_AT_ONCE = 1_000
SECRET = "opens the account or proves who somebody is"  # noqa: S105  a reason
OURS = "how this service works, not what the person said or did"

# Columns that are read for nobody, with the reason. Every other column of these tables is exported.
HIDDEN: Mapping[type[Base], Mapping[str, str]] = {
    User: {"password_hash": SECRET, "app_roles_version": OURS, "new_email_confirmations": OURS},
    Identity: {"user_id": OURS},
    UserSession: {"user_id": OURS, "refresh_counter": OURS, "first_counter": OURS, "tokens_until": OURS},
    Factor: {"user_id": OURS, "sealed_secret": SECRET, "last_step": SECRET},
    KnownNetwork: {"user_id": OURS},
    Mail: {
        "user_id": OURS,
        "data": SECRET,
        "attempts": OURS,
        "unfinished": OURS,
        "next_attempt_at": OURS,
        "dead_at": OURS,
        "last_error": OURS,
    },
}
# Links, codes and challenges, good for minutes, and sessions that have ended: nothing a person could use.
SKIPPED = frozenset({"flow_states", "one_time_tokens", "factor_challenges", "revoked_sessions"})


def find_user_columns(session: Session, *, user_id: UUID) -> dict[str, Any] | None:
    """The user's own row, as far as it is shown."""
    row = session.execute(_shown(User).where(User.id == user_id)).mappings().one_or_none()
    return None if row is None else dict(row)


def list_columns(session: Session, table: type[Base], *, user_id: UUID) -> Sequence[dict[str, Any]]:
    """The user's rows of another table, as far as they are shown, the oldest first."""
    columns = _table(table).c
    ordered = _shown(table).where(columns.user_id == user_id).order_by(*_table(table).primary_key)
    return [dict(row) for row in session.execute(ordered).mappings()]


def list_activity(session: Session, *, user_id: UUID) -> Iterator[AuditEntry]:
    """What the user did and what was done to them, the oldest first; read in portions."""
    about = or_(AuditEntry.actor_id == user_id, AuditEntry.traits["user_id"].astext == str(user_id))
    entries = select(AuditEntry).where(about).order_by(AuditEntry.id)
    yield from session.scalars(entries.execution_options(yield_per=ENTRIES_AT_ONCE))


def _shown(table: type[Base]) -> Select[Any]:
    hidden = HIDDEN[table]
    return select(*(column for column in _table(table).c if column.name not in hidden))


def _table(table: type[Base]) -> Table:
    return cast("Table", inspect(table).local_table)
