"""Forgetting a user everywhere (docs/spec/domain.md 8.3, docs/adr/0023).

One transaction hides the user and queues what every service has to do. Each service is asked until it has answered;
then auth, last. What is left is a deletion id, instants and counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from cas_account import repository
from cas_account.domain.erasure import LAST, Receipt
from cas_account.models import Erasure, ErasurePart, outbox_messages
from cas_account.operations.parts import Part
from cas_fields.reading import Json
from cas_kit.db import Database
from cas_kit.errors import Unauthenticated
from cas_kit.outbox import Outbox

CLOSE_USER = "auth.close_user"
ERASE_PART = "erasure.part"
ERASURE_TOPICS = frozenset({CLOSE_USER, ERASE_PART})

_outbox = Outbox(outbox_messages)


class Sessions(Protocol):
    """What an erasure asks of the auth service."""

    def is_session_active(self, *, user_id: UUID, session_id: str) -> bool:
        """Whether it lasts at this moment.

        :raises Unavailable: nobody could say.
        """

    def close_user(self, user_id: UUID) -> None:
        """End all sessions and let none begin. Safe to repeat.

        :raises Unavailable: it did not answer in time.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Who wants to be forgotten.

    :param session_id: of the session they ask in; None for users of another issuer, who have none here.
    :param session_ended: this process knows that it has.
    """

    user_id: UUID
    session_id: str | None
    session_ended: bool = False


def request_erasure(
    database: Database, sessions: Sessions, *, leaving: Leaving, parts: Sequence[str], now: datetime
) -> UUID:
    """Begin to forget somebody who asks for it; returns the deletion id.

    Safe to repeat, even though the session has ended by the first request: whoever lost the answer gets it again.

    :raises Unauthenticated: the session has ended otherwise.
    :raises Unavailable: nobody can say whether it has; nothing was changed.
    """
    with database.autocommit() as connection:
        known = repository.find_deletion_id(connection, user_id=leaving.user_id)
    if known is not None:
        return known
    if leaving.session_ended or not _lasts(sessions, leaving):
        raise Unauthenticated
    with database.transaction() as session:
        return begin_erasure(session, user_id=leaving.user_id, parts=parts, now=now)


def _lasts(sessions: Sessions, leaving: Leaving) -> bool:
    if leaving.session_id is None:
        return True
    return sessions.is_session_active(user_id=leaving.user_id, session_id=leaving.session_id)


def begin_erasure(session: Session, *, user_id: UUID, parts: Sequence[str], now: datetime) -> UUID:
    """Hide the user, refuse them from now on, and queue what every service has to do; returns the deletion id.

    Safe to repeat, and to run twice at once. There need not be a profile.

    :param parts: the services that keep anything about users, this one included.
    """
    repository.lock_user(session, user_id=user_id)
    if (known := repository.find_erasure(session, user_id=user_id)) is not None:
        return known.deletion_id
    erasure = Erasure(user_id=user_id, deletion_id=uuid4(), begun_at=now)
    repository.add_erased_user(session, user_id=user_id, erased_at=now)
    repository.add_erasure(session, erasure, [ErasurePart(user_id=user_id, part=part) for part in parts])
    if (profile := repository.lock_profile(session, user_id=user_id)) is not None:
        profile.erasing_at = now
    _outbox.add(session, topic=CLOSE_USER, payload={"user_id": str(user_id)}, at_once=True)
    for part in parts:
        if part != LAST:
            _queue(session, user_id, part)
    _record(session, erasure, "erasure_requested", now=now)
    return erasure.deletion_id


def close_user(sessions: Sessions, *, user_id: UUID) -> None:
    """Sign the user out everywhere, for good. Safe to repeat.

    :raises Unavailable: the auth service did not answer in time.
    """
    sessions.close_user(user_id)


def erase_part(
    database: Database, parts: Mapping[str, Part], *, user_id: UUID, part: str, now: datetime
) -> None:
    """Have one service remove what it keeps, then keep its receipt. Safe to repeat.

    :raises Unavailable: it did not answer in time.
    """
    receipt = parts[part].erase_user(user_id)
    with database.transaction() as session:
        finish_part(session, user_id=user_id, part=part, receipt=receipt, now=now)


def finish_part(session: Session, *, user_id: UUID, part: str, receipt: Receipt, now: datetime) -> None:
    """Keep a service's receipt; ask the last service when all others have answered, and finish after that one."""
    erasure, found = repository.lock_erasure(session, user_id=user_id)
    if not found[part].finish(receipt, now=now):
        return
    unfinished = [each.part for each in found.values() if each.finished_at is None]
    if unfinished == [LAST]:
        _queue(session, user_id, LAST)
    elif not unfinished:
        erasure.finished_at = now
        counts: dict[str, Json] = {
            each.part: {"rows": each.rows, "objects": each.objects} for each in found.values()
        }
        _record(session, erasure, "user_erased", now=now, parts=counts)


@dataclass(frozen=True, slots=True)
class ErasureBacklog:
    """How erasures stand: how long the oldest unfinished one has taken, and how many deliveries wait for a person."""

    age: timedelta
    parked: int


def measure_erasures(database: Database, *, now: datetime) -> ErasureBacklog:
    """How erasures stand."""
    with database.autocommit() as connection:
        oldest, parked = repository.count_erasures(connection, topics=ERASURE_TOPICS)
    return ErasureBacklog(age=max(now - oldest, timedelta(0)) if oldest else timedelta(0), parked=parked)


def _queue(session: Session, user_id: UUID, part: str) -> None:
    _outbox.add(session, topic=ERASE_PART, payload={"user_id": str(user_id), "part": part})


def _record(session: Session, erasure: Erasure, action: str, *, now: datetime, **details: Json) -> None:
    repository.add_audit_entry(
        session,
        actor=erasure.user_id,
        action=action,
        thing=f"profile/{erasure.user_id}",
        now=now,
        details={"deletion_id": str(erasure.deletion_id), **details},
    )
