"""Every SQL statement of the onboarding service. The hot ones are built once, at import."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, Select, Table, bindparam, delete, exists, insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from cas_kit import telemetry
from cas_onboarding.domain.progress import Progress
from cas_onboarding.domain.roles import Role
from cas_onboarding.models import AuditEntry, ErasedUser, OnboardingProgress, idempotency_keys, outbox

Reader = Connection | Session

_progress = cast("Table", OnboardingProgress.__table__)
_audit_log = cast("Table", AuditEntry.__table__)
_erased_users = cast("Table", ErasedUser.__table__)
_messages = outbox.table

ENTRIES_AT_ONCE = 1_000


class Effects(StrEnum):
    """Whether a completed onboarding has reached the account service."""

    PENDING = "pending"
    APPLIED = "applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProgress:
    """A row as it is; `completion_id` and `effects` are None until the wizard is finished."""

    id: UUID
    role: Role
    progress: Progress
    completion_id: UUID | None
    effects: Effects | None
    version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One line of the audit log; an `actor_id` of None is the service itself."""

    action: str
    thing: str
    actor_id: UUID | None = None
    acting_role: Role | None = None
    details: Mapping[str, str | int]


# ---- progress ----

_STATE = (
    _progress.c.current_step,
    _progress.c.furthest_step,
    _progress.c.step_data,
    _progress.c.is_complete,
    _progress.c.client_session,
    _progress.c.client_revision,
    _progress.c.past_sessions,
)
_ROW = (
    _progress.c.id,
    _progress.c.role_type,
    *_STATE,
    _progress.c.completion_id,
    _progress.c.version,
    _progress.c.updated_at,
)
_LIST: Select[Any] = (
    select(*_ROW, outbox.waiting(_progress.c.completion_id).label("is_waiting"))
    .where(_progress.c.profile_id == bindparam("user_id"))
    .order_by(_progress.c.created_at, _progress.c.id)
)
_FIND = _LIST.where(_progress.c.role_type == bindparam("role"))
_LOCK = _FIND.with_for_update(of=_progress)


# A row that is not there cannot be locked, but its name can.
_LOCK_NAME = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_HOLD_NAME = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")


def _store_statement() -> Any:
    offered = postgresql.insert(_progress)
    replaced = [*_STATE, _progress.c.completed_at, _progress.c.completion_id]
    return offered.on_conflict_do_update(
        index_elements=[_progress.c.profile_id, _progress.c.role_type],
        set_={column.name: offered.excluded[column.name] for column in replaced}
        | {"version": _progress.c.version + 1},
    ).returning(*_ROW)


_STORE = _store_statement()


def find_progress(reader: Reader, *, user_id: UUID, role: Role) -> StoredProgress | None:
    """The saved answers of one role."""
    row = reader.execute(_FIND, {"user_id": user_id, "role": role}).one_or_none()
    return _stored(row, is_waiting=row.is_waiting) if row else None


def find_progress_for_update(session: Session, *, user_id: UUID, role: Role) -> StoredProgress | None:
    """The same, locked until the transaction ends; None holds as long, nobody else can make the row."""
    key = {"user_id": user_id, "role": role}
    row = session.execute(_LOCK, key).one_or_none()
    if row is None:
        session.execute(_LOCK_NAME, {"name": f"onboarding_progress {user_id} {role}"})
        row = session.execute(_LOCK, key).one_or_none()
    return _stored(row, is_waiting=row.is_waiting) if row else None


def list_progress(reader: Reader, *, user_id: UUID) -> Sequence[StoredProgress]:
    """The saved answers of all roles, in the order they were begun."""
    rows = reader.execute(_LIST, {"user_id": user_id})
    return [_stored(row, is_waiting=row.is_waiting) for row in rows]


def store_progress(
    session: Session,
    *,
    user_id: UUID,
    role: Role,
    progress: Progress,
    completion_id: UUID | None,
    now: datetime,
) -> StoredProgress:
    """Write the row that `find_progress_for_update` has locked."""
    row = session.execute(
        _STORE,
        {
            "id": uuid4(),
            "profile_id": user_id,
            "role_type": role,
            **{column.name: getattr(progress, column.name) for column in _STATE},
            "past_sessions": list(progress.past_sessions),
            "completed_at": now if completion_id else None,
            "completion_id": completion_id,
        },
    ).one()
    return _stored(row, is_waiting=True)


def delete_progress(session: Session, *, progress_id: UUID) -> None:
    """Remove one row."""
    session.execute(delete(_progress).where(_progress.c.id == progress_id))


def delete_abandoned_progress(
    session: Session, *, untouched_since: datetime, limit: int
) -> Sequence[tuple[UUID, Role]]:
    """Remove unfinished rows; returns their ids and roles. Rows that are being saved right now stay."""
    abandoned = (
        select(_progress.c.id)
        .where(~_progress.c.is_complete, _progress.c.updated_at < untouched_since)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(
        delete(_progress)
        .where(_progress.c.id.in_(abandoned))
        .returning(_progress.c.id, _progress.c.role_type)
    )
    return [(row.id, row.role_type) for row in rows]


# ---- completions on their way ----


def earlier_completion_waits(reader: Reader, *, user_id: UUID, role: Role, before: datetime) -> bool:
    """Whether an older completion of this user and role has still to be delivered."""
    earlier = (
        exists()
        .where(_of_user(user_id), _messages.c.payload["role"].astext == role)
        .where(_messages.c.created_at < before, _messages.c.parked_at.is_(None))
    )
    return bool(reader.execute(select(earlier)).scalar_one())


# ---- export ----


def export_progress(session: Session, *, user_id: UUID) -> Sequence[dict[str, Any]]:
    """Everything that is saved of the user's answers."""
    rows = session.execute(
        select(_progress).where(_progress.c.profile_id == user_id).order_by(_progress.c.created_at)
    )
    return [dict(row) for row in rows.mappings()]


def list_activity(session: Session, *, user_id: UUID) -> Iterator[Row[Any]]:
    """What the user did, the oldest first; read in portions."""
    entries = select(_audit_log).where(_audit_log.c.actor_id == user_id)
    ordered = entries.order_by(_audit_log.c.created_at, _audit_log.c.id)
    yield from session.execute(ordered.execution_options(yield_per=ENTRIES_AT_ONCE))


# ---- erasure ----


def hold_user(session: Session, *, user_id: UUID) -> None:
    """Keep the user from being erased until the transaction ends."""
    session.execute(_HOLD_NAME, {"name": _user_lock(user_id)})


def lock_user(session: Session, *, user_id: UUID) -> None:
    """Wait until nothing of the user is being saved, and let nothing be until the transaction ends."""
    session.execute(_LOCK_NAME, {"name": _user_lock(user_id)})


def is_erased(reader: Reader, *, user_id: UUID) -> bool:
    """Whether the user is gone."""
    erased = exists().where(_erased_users.c.user_id == user_id)
    return bool(reader.execute(select(erased)).scalar_one())


def add_erased_user(session: Session, *, user_id: UUID, erased_at: datetime) -> None:
    """Remember that the user is gone."""
    session.execute(insert(_erased_users).values(user_id=user_id, erased_at=erased_at))


def delete_everything_of(session: Session, *, user_id: UUID) -> int:
    """Remove what holds data of the user; returns how many rows that were. The audit log stays."""
    of_user = (
        delete(_progress).where(_progress.c.profile_id == user_id).returning(_progress.c.id),
        delete(_messages).where(_of_user(user_id)).returning(_messages.c.id),
        delete(idempotency_keys)
        .where(idempotency_keys.c.user_id == user_id)
        .returning(idempotency_keys.c.key),
    )
    return sum(len(session.execute(statement).all()) for statement in of_user)


# ---- audit ----


def add_audit_records(session: Session, records: Sequence[AuditRecord]) -> None:
    """Write down what happened, under the current request id."""
    if records:
        request_id = telemetry.request_id.get()
        session.execute(
            insert(_audit_log),
            [{"id": uuid4(), "request_id": request_id, **asdict(record)} for record in records],
        )


def _user_lock(user_id: UUID) -> str:
    return f"onboarding user {user_id}"


def _of_user(user_id: UUID) -> Any:
    return _messages.c.payload["user_id"].astext == str(user_id)


def _stored(row: Row[Any], *, is_waiting: bool) -> StoredProgress:
    effects = Effects.PENDING if is_waiting else Effects.APPLIED
    return StoredProgress(
        id=row.id,
        role=row.role_type,
        progress=Progress(
            current_step=row.current_step,
            furthest_step=row.furthest_step,
            step_data=row.step_data,
            is_complete=row.is_complete,
            client_session=row.client_session,
            client_revision=row.client_revision,
            past_sessions=tuple(row.past_sessions),
        ),
        completion_id=row.completion_id,
        effects=effects if row.is_complete else None,
        version=row.version,
        updated_at=row.updated_at,
    )
