"""Every SQL statement of the account service.

Reads of the hot paths are built once at import, run in autocommit and return entities that belong to no session.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID, uuid4

from sqlalchemy import Connection, CursorResult, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from cas_account.domain.roles import Role
from cas_account.models import (
    AppliedCompletion,
    AuditEntry,
    ErasedUser,
    Erasure,
    ErasurePart,
    Profile,
    RoleDetails,
    idempotency_keys,
    outbox_messages,
)
from cas_fields.reading import Json
from cas_kit.telemetry import request_id

ENTRIES_AT_ONCE = 1_000

# Nobody sees a profile that is being erased, its owner included.
_SEEN = Profile.erasing_at.is_(None)
_PROFILE = select(Profile.__table__).where(Profile.id == bindparam("user_id"), _SEEN)
# Exactly what everybody may know (docs/spec/domain.md 3.3).
_PUBLIC = select(
    Profile.id,
    Profile.display_name,
    Profile.avatar_url,
    Profile.custom_picture_url,
    Profile.cover_photo_url,
    Profile.bio,
    Profile.achievements,
    Profile.categories,
    Profile.roles,
    Profile.active_role,
    Profile.created_at,
).where(Profile.id == bindparam("user_id"), _SEEN)
_PICTURES = select(Profile.avatar_storage_path, Profile.cover_storage_path).where(
    Profile.id == bindparam("user_id")
)
_CARDS = select(
    Profile.id,
    Profile.display_name,
    Profile.avatar_url,
    Profile.custom_picture_url,
    Profile.roles,
    Profile.active_role,
    Profile.version,
).where(Profile.id.in_(bindparam("user_ids", expanding=True)), _SEEN)
_DETAILS = (
    select(
        RoleDetails.id,
        RoleDetails.profile_id,
        RoleDetails.role_type,
        RoleDetails.fields,
        RoleDetails.version,
        RoleDetails.created_at,
        RoleDetails.updated_at,
    )
    .select_from(Profile)
    .outerjoin(
        RoleDetails, (RoleDetails.profile_id == Profile.id) & (RoleDetails.role_type == bindparam("role"))
    )
    .where(Profile.id == bindparam("user_id"), _SEEN)
)


# ---- profiles ----


def find_profile(connection: Connection, *, user_id: UUID) -> Profile | None:
    row = connection.execute(_PROFILE, {"user_id": user_id}).mappings().one_or_none()
    return Profile(**row) if row else None


def list_cards(connection: Connection, *, user_ids: Sequence[UUID]) -> list[Profile]:
    """Profiles with nothing but what other services may know."""
    rows = connection.execute(_CARDS, {"user_ids": user_ids}).mappings()
    return [Profile(**row) for row in rows]


def find_public_profile(connection: Connection, *, user_id: UUID) -> Profile | None:
    """A profile with nothing but what everybody may know."""
    row = connection.execute(_PUBLIC, {"user_id": user_id}).mappings().one_or_none()
    return Profile(**row) if row else None


def list_picture_paths(connection: Connection, *, user_id: UUID) -> list[str]:
    """The prefixes of the files that this user's profile shows; none when it is gone."""
    row = connection.execute(_PICTURES, {"user_id": user_id}).one_or_none()
    return [path for path in row or () if path]


def lock_user(session: Session, *, user_id: UUID) -> None:
    """Wait until nobody else creates or erases this user, whether or not there is a row to lock."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(user_id), 0))))


def lock_profile(session: Session, *, user_id: UUID) -> Profile | None:
    """The profile, held until the transaction ends: writes of one user wait for each other."""
    return session.get(Profile, user_id, with_for_update=True)


def add_profile(session: Session, profile: Profile) -> None:
    session.add(profile)
    session.flush()


# ---- role details ----


def find_owned_details(
    connection: Connection, *, user_id: UUID, role: Role
) -> tuple[bool, RoleDetails | None]:
    """Whether the profile exists, and its template in this role; one statement for both."""
    row = connection.execute(_DETAILS, {"user_id": user_id, "role": role}).mappings().one_or_none()
    if row is None:
        return False, None
    return True, RoleDetails(**row) if row["id"] else None


def find_details(session: Session, *, user_id: UUID, role: Role) -> RoleDetails | None:
    found = select(RoleDetails).where(RoleDetails.profile_id == user_id, RoleDetails.role_type == role)
    return session.scalars(found).one_or_none()


def add_details(session: Session, details: RoleDetails) -> None:
    session.add(details)
    session.flush()


def delete_details(session: Session, details: RoleDetails) -> None:
    session.delete(details)
    session.flush()


# ---- export ----


def get_profile(session: Session, *, user_id: UUID) -> Profile | None:
    return session.get(Profile, user_id)


def list_details(session: Session, *, user_id: UUID) -> Sequence[RoleDetails]:
    found = select(RoleDetails).where(RoleDetails.profile_id == user_id)
    return session.scalars(found.order_by(RoleDetails.created_at, RoleDetails.id)).all()


def list_activity(session: Session, *, user_id: UUID) -> Iterator[AuditEntry]:
    """What the user did, the oldest first; read in portions."""
    found = select(AuditEntry).where(AuditEntry.actor == user_id).order_by(AuditEntry.at, AuditEntry.id)
    yield from session.scalars(found.execution_options(yield_per=ENTRIES_AT_ONCE))


# ---- completions, erasure, audit ----


def is_applied(session: Session, *, completion_id: UUID) -> bool:
    return session.get(AppliedCompletion, completion_id) is not None


def add_completion(
    session: Session, *, completion_id: UUID, profile_id: UUID, role: Role, applied_at: datetime
) -> None:
    completion = AppliedCompletion(
        completion_id=completion_id, profile_id=profile_id, role=role, applied_at=applied_at
    )
    session.add(completion)


def is_erased(session: Session, *, user_id: UUID) -> bool:
    return session.get(ErasedUser, user_id) is not None


def add_erased_user(session: Session, *, user_id: UUID, erased_at: datetime) -> None:
    """The tombstone; there may be one already."""
    tombstone = insert(ErasedUser).values(user_id=user_id, erased_at=erased_at)
    session.execute(tombstone.on_conflict_do_nothing())


def find_erasure(session: Session, *, user_id: UUID) -> Erasure | None:
    return session.get(Erasure, user_id)


def find_deletion_id(connection: Connection, *, user_id: UUID) -> UUID | None:
    return connection.scalar(select(Erasure.deletion_id).where(Erasure.user_id == user_id))


def add_erasure(session: Session, erasure: Erasure, parts: Sequence[ErasurePart]) -> None:
    session.add(erasure)
    session.flush()
    session.add_all(parts)


def lock_erasure(session: Session, *, user_id: UUID) -> tuple[Erasure, dict[str, ErasurePart]]:
    """An erasure and its parts by name, held until the transaction ends: receipts wait for each other."""
    erasure = session.get_one(Erasure, user_id, with_for_update=True)
    parts = select(ErasurePart).where(ErasurePart.user_id == user_id).order_by(ErasurePart.part)
    return erasure, {each.part: each for each in session.scalars(parts)}


def count_erasures(connection: Connection, *, topics: Collection[str]) -> tuple[datetime | None, int]:
    """When the oldest unfinished erasure began, and how many messages of these topics were given up."""
    oldest = select(func.min(Erasure.begun_at)).where(Erasure.finished_at.is_(None))
    given_up = select(func.count()).where(
        outbox_messages.c.topic.in_(topics), outbox_messages.c.parked_at.is_not(None)
    )
    row = connection.execute(select(oldest.scalar_subquery(), given_up.scalar_subquery())).one()
    return row[0], row[1]


def delete_user(session: Session, *, user_id: UUID, keep_topics: Collection[str] = ()) -> int:
    """Remove every row that is about this user, tombstone, receipts and the audit log aside; returns how many.

    :param keep_topics: messages that are still needed, and hold nothing but ids.
    """
    messages = outbox_messages.c
    owned = [
        delete(outbox_messages).where(
            messages.payload["user_id"].astext == str(user_id), messages.topic.not_in(keep_topics)
        ),
        delete(idempotency_keys).where(idempotency_keys.c.user_id == user_id),
        delete(AppliedCompletion).where(AppliedCompletion.profile_id == user_id),
        delete(RoleDetails).where(RoleDetails.profile_id == user_id),
        delete(Profile).where(Profile.id == user_id),
    ]
    return sum(cast("CursorResult[object]", session.execute(statement)).rowcount for statement in owned)


def add_audit_entry(
    session: Session,
    *,
    actor: UUID,
    action: str,
    thing: str,
    now: datetime,
    acting_role: Role | None = None,
    details: dict[str, Json] | None = None,
) -> None:
    entry = AuditEntry(
        id=uuid4(),
        actor=actor,
        acting_role=acting_role,
        action=action,
        thing=thing,
        request_id=request_id.get(),
        at=now,
        details=details or {},
    )
    session.add(entry)
