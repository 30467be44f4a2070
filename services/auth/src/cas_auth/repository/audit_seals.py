"""The seals over the audit log."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from cas_auth.domain.audit import AuditAction
from cas_auth.models import AuditEntry, AuditSeal

SEALS_LOCK = 0x5EA1  # any constant will do: it is held per database

# Whoever adds an entry holds this lock on the table from before it takes the entry's number until it ends.
_WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks WHERE granted AND mode = 'RowExclusiveLock' "
    "AND relation = CAST('audit_log' AS regclass) "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_LAST_NUMBER = text("SELECT last_value FROM audit_log_id_seq")


@dataclass(frozen=True, slots=True)
class Horizon:
    """The newest number an entry had at one moment, and the transactions that may still add entries of older ones."""

    last_id: int
    writers: frozenset[str]


def read_horizon(session: Session) -> Horizon:
    """The horizon of this moment. The number comes first: who took an older one is among the writers, or has ended."""
    last_id = session.execute(_LAST_NUMBER).scalar_one()
    return Horizon(last_id, list_writers(session))


def list_writers(session: Session) -> frozenset[str]:
    """The transactions, of whatever process, that may be adding entries."""
    return frozenset(session.execute(_WRITERS).scalars())


def lock_seals(session: Session, *, wait: bool = True) -> bool:
    """Keep others from making seals until this transaction ends; false when somebody else is at it.

    :param wait: until nobody else is.
    """
    if wait:
        session.execute(select(func.pg_advisory_xact_lock(SEALS_LOCK)))
        return True
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(SEALS_LOCK))))


def find_newest_seal(session: Session) -> AuditSeal | None:
    """The seal with the highest position."""
    return session.scalar(select(AuditSeal).order_by(AuditSeal.position.desc()).limit(1))


def list_entries(session: Session, *, after_id: int, up_to_id: int, limit: int) -> Sequence[AuditEntry]:
    """Entries with numbers between, oldest first."""
    return session.scalars(
        select(AuditEntry)
        .where(AuditEntry.id > after_id, AuditEntry.id <= up_to_id)
        .order_by(AuditEntry.id)
        .limit(limit)
    ).all()


def add_seals(session: Session, seals: Sequence[AuditSeal]) -> None:
    """Add seals with this transaction."""
    session.execute(
        insert(AuditSeal),
        [
            {column.name: getattr(seal, column.name) for column in AuditSeal.__table__.columns}
            for seal in seals
        ],
    )


def list_seals(
    session: Session, *, after_position: int | None, limit: int
) -> Sequence[tuple[AuditSeal, AuditEntry | None]]:
    """Seals in their order, each with its entry as it is now; None where that is gone."""
    statement = (
        select(AuditSeal, AuditEntry)
        .outerjoin(AuditEntry, AuditEntry.id == AuditSeal.entry_id)
        .order_by(AuditSeal.position)
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if after_position is not None:
        statement = statement.where(AuditSeal.position > after_position)
    return [(seal, entry) for seal, entry in session.execute(statement)]


def list_unsealed(session: Session, *, after_id: int | None, up_to_id: int) -> Sequence[int]:
    """Numbers of entries in this range that no seal is about."""
    sealed = select(AuditSeal.entry_id).where(AuditSeal.entry_id == AuditEntry.id).exists()
    statement = select(AuditEntry.id).where(AuditEntry.id <= up_to_id, ~sealed)
    if after_id is not None:
        statement = statement.where(AuditEntry.id > after_id)
    return session.scalars(statement.order_by(AuditEntry.id)).all()


def count_entries_after(session: Session, *, entry_id: int) -> int:
    """How many entries have a higher number."""
    return session.scalar(select(func.count()).select_from(AuditEntry).where(AuditEntry.id > entry_id)) or 0


def list_erased(session: Session, *, user_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of these users that the log says were erased."""
    subject = AuditEntry.traits["user_id"].astext
    rows = session.execute(
        select(AuditEntry.actor_id, subject).where(
            AuditEntry.action == AuditAction.USER_DELETED,
            or_(AuditEntry.actor_id.in_(user_ids), subject.in_([str(user_id) for user_id in user_ids])),
        )
    )
    return frozenset(
        UUID(subject_id) if subject_id else actor_id
        for actor_id, subject_id in rows
        if subject_id or actor_id
    )


def forget_salts(session: Session, *, actor_id: UUID) -> None:
    """Make it impossible to find out the origins that seals of this user's entries were made of."""
    entries = select(AuditEntry.id).where(AuditEntry.actor_id == actor_id)
    session.execute(
        update(AuditSeal)
        .where(AuditSeal.entry_id.in_(entries), AuditSeal.origin_salt.is_not(None))
        .values(origin_salt=None)
    )
