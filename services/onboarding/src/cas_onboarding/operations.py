"""Everything the onboarding service can do, whoever asks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from cas_kit.db import Database
from cas_kit.errors import DomainError, Kind, Unauthenticated
from cas_kit.outbox import Message
from cas_onboarding import repository
from cas_onboarding.domain.completion import CompletedOnboarding, professional_info
from cas_onboarding.domain.progress import Progress, Save, check_step_data, decide
from cas_onboarding.domain.roles import Role
from cas_onboarding.models import outbox
from cas_onboarding.repository import AuditRecord, Reader, StoredProgress

APPLY_ONBOARDING = "account.apply_onboarding"  # the topic of a completion on its way
# The request that completes a wizard tries the delivery itself; the relay takes over if it dies before that.
RELAY_WAITS = timedelta(seconds=1)
PURGE_BATCH = 500

VersionCheck = Callable[[int | None], None]


class NoProgress(DomainError):
    kind = Kind.NOT_FOUND
    code = "no-progress"

    def __init__(self, role: Role) -> None:
        super().__init__(f"No onboarding progress found for role: {role}")


class EarlierCompletionWaits(Exception):
    """The same user and role were completed before, and that has to arrive first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What is stored after a save; `applied` is false when newer answers were kept instead."""

    stored: StoredProgress
    applied: bool


@dataclass(frozen=True, slots=True)
class ExportItem:
    """One JSON object of a section of the export."""

    section: str
    document: bytes


class AccountApi(Protocol):
    """What onboarding asks of the account service."""

    def apply_onboarding(self, completion_id: UUID, completed: CompletedOnboarding) -> None:
        """Let a completion take effect. Safe to repeat with the same id.

        :raises Undeliverable: it can never take effect.
        """


def get_progress(reader: Reader, *, user_id: UUID, role: Role) -> StoredProgress:
    """The saved answers of one role.

    :raises NoProgress: nothing is saved.
    :raises Unauthenticated: the user was erased after the token was issued.
    """
    stored = repository.find_progress(reader, user_id=user_id, role=role)
    if stored is None:
        _refuse_erased(reader, user_id=user_id)
        raise NoProgress(role)
    return stored


def list_progress(reader: Reader, *, user_id: UUID) -> Sequence[StoredProgress]:
    """The saved answers of all roles, in the order they were begun.

    :raises Unauthenticated: the user was erased after the token was issued.
    """
    found = repository.list_progress(reader, user_id=user_id)
    if not found:
        _refuse_erased(reader, user_id=user_id)
    return found


def hold_user(session: Session, *, user_id: UUID) -> None:
    """See to it that the user is not erased before the transaction ends: what it writes is erased with them.

    :raises Unauthenticated: the user was erased after the token was issued.
    """
    repository.hold_user(session, user_id=user_id)
    _refuse_erased(session, user_id=user_id)


def _refuse_erased(reader: Reader, *, user_id: UUID) -> None:
    if repository.is_erased(reader, user_id=user_id):
        raise Unauthenticated


def save_progress(
    session: Session, *, user_id: UUID, role: Role, save: Save, check_version: VersionCheck, now: datetime
) -> Saved:
    """Save a wizard's answers unless newer ones are stored; the last save completes the onboarding.

    Safe to repeat: a repeated save changes nothing.

    :raises VersionMismatch: `check_version` refuses the stored version.
    :raises StepDataTooLarge: the answers are larger than a row may be.
    :raises ValidationFailed: the answers are nested too deeply, or those of a completion have wrong types.
    :raises Unauthenticated: the user was erased after the token was issued.
    """
    check_step_data(save.data)
    hold_user(session, user_id=user_id)
    stored = repository.find_progress_for_update(session, user_id=user_id, role=role)
    check_version(stored.version if stored else None)
    decision = decide(stored.progress if stored else None, save)
    if stored is not None and not decision.changes(stored.progress):
        return Saved(stored=stored, applied=decision.applied)
    completion_id = _complete(session, user_id=user_id, role=role, progress=decision.progress, now=now)
    written = repository.store_progress(
        session,
        user_id=user_id,
        role=role,
        progress=decision.progress,
        completion_id=completion_id,
        now=now,
    )
    return Saved(stored=written, applied=decision.applied)


def _complete(
    session: Session, *, user_id: UUID, role: Role, progress: Progress, now: datetime
) -> UUID | None:
    """Queue the effects of a completion; returns its id, None when the wizard is not finished."""
    if not progress.is_complete:
        return None
    completed = CompletedOnboarding(
        user_id=user_id,
        role=role,
        completed_at=now,
        professional_info=professional_info(role, progress.step_data),
    )
    completion_id = outbox.add(
        session, topic=APPLY_ONBOARDING, payload=msgspec.to_builtins(completed), relay_waits=RELAY_WAITS
    )
    record = AuditRecord(
        action="onboarding_completed",
        thing=f"completion/{completion_id}",
        actor_id=user_id,
        acting_role=role,
        details={},
    )
    repository.add_audit_records(session, [record])
    return completion_id


def delete_progress(session: Session, *, user_id: UUID, role: Role, check_version: VersionCheck) -> None:
    """Forget the answers of one role; what a completion did elsewhere, or has still to do, stays.

    Quiet when there are none.

    :raises VersionMismatch: `check_version` refuses the stored version.
    :raises Unauthenticated: the user was erased after the token was issued.
    """
    hold_user(session, user_id=user_id)
    stored = repository.find_progress_for_update(session, user_id=user_id, role=role)
    check_version(stored.version if stored else None)
    if stored is not None:
        repository.delete_progress(session, progress_id=stored.id)


def deliver_completion(database: Database, account: AccountApi, message: Message) -> None:
    """Let one completion take effect in the account service. Safe to repeat.

    :raises EarlierCompletionWaits: another completion has to arrive first, or its answers would win.
    :raises Undeliverable: the account service will never accept it.
    """
    completed = msgspec.convert(message.payload, CompletedOnboarding)
    with database.autocommit() as connection:
        waits = repository.earlier_completion_waits(
            connection, user_id=completed.user_id, role=completed.role, before=message.created_at
        )
    if waits:
        raise EarlierCompletionWaits
    account.apply_onboarding(message.id, completed)


def purge_abandoned(session: Session, *, untouched_since: datetime) -> int:
    """Remove one batch of unfinished answers nobody came back to; returns how many there were."""
    purged = repository.delete_abandoned_progress(session, untouched_since=untouched_since, limit=PURGE_BATCH)
    repository.add_audit_records(
        session,
        [
            AuditRecord(
                action="abandoned_progress_purged",
                thing=f"onboarding_progress/{progress_id}",
                acting_role=role,
                details={},
            )
            for progress_id, role in purged
        ],
    )
    return len(purged)


def export_user(session: Session, *, user_id: UUID) -> Iterator[ExportItem]:
    """Everything kept about the user: their answers, then what they did (docs/spec/domain.md 8.2)."""
    for progress in repository.export_progress(session, user_id=user_id):
        yield ExportItem("onboarding", msgspec.json.encode(progress))
    for entry in repository.list_activity(session, user_id=user_id):
        happened = {
            "at": entry.created_at,
            "service": "onboarding",
            "action": entry.action,
            "role": entry.acting_role,
            "thing": entry.thing,
            "request_id": entry.request_id,
        }
        yield ExportItem("activity", msgspec.json.encode(happened | entry.details))


def erase_user(session: Session, *, user_id: UUID, now: datetime) -> int:
    """Remove all data of the user and every effect that still waits; returns how many rows that were.

    What they save later is refused, whatever token they still have. Safe to repeat: there is nothing left then.
    """
    repository.lock_user(session, user_id=user_id)
    if repository.is_erased(session, user_id=user_id):
        return 0
    repository.add_erased_user(session, user_id=user_id, erased_at=now)
    removed = repository.delete_everything_of(session, user_id=user_id)
    record = AuditRecord(
        action="user_erased", thing=f"user/{user_id}", actor_id=user_id, details={"removed": removed}
    )
    repository.add_audit_records(session, [record])
    return removed
