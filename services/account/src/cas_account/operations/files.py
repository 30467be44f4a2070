"""Files without a row that names them are removed, and never those that get one (docs/adr/0022).

The profile's row is locked whenever its files change hands, and the outbox tells who may do what: a message says that
the files below a path go unless the profile shows them when it is delivered.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from cas_account import repository
from cas_account.domain.pictures import UNUSED_AFTER
from cas_account.models import outbox_messages
from cas_kit.errors import Unavailable
from cas_kit.outbox import Outbox

REMOVE_UNUSED = "media.remove_unused"

_outbox = Outbox(outbox_messages)


def claim_files(session: Session, *, path: str) -> UUID:
    """Before files are written: nobody removes them for a while, then they go unless they are shown.

    :returns: the id of the claim, for `use_files`.
    :raises Unavailable: the same files are just being removed.
    """
    waiting = _waiting(session, path)
    repository.postpone_messages(session, message_ids=waiting, wait=UNUSED_AFTER)
    return _queue(session, path, wait=UNUSED_AFTER)


def use_files(session: Session, *, path: str, claim_id: UUID) -> None:
    """When files are shown: the claim has done its work.

    :raises Unavailable: it took so long that they may be gone.
    """
    if claim_id not in _waiting(session, path):
        raise Unavailable
    repository.delete_message(session, message_id=claim_id)


def release_files(session: Session, *, user_id: UUID, released: Mapping[str, str], now: datetime) -> None:
    """Files that the profile no longer shows go, unless somebody has claimed them anew; on record.

    :param released: their path, by the name of the picture.
    """
    for name, path in released.items():
        is_claimed = bool(repository.lock_messages(session, topic=REMOVE_UNUSED, path=path))
        _queue(session, path, wait=UNUSED_AFTER if is_claimed else timedelta(0))
        repository.add_audit_entry(
            session,
            actor=user_id,
            action="picture_removed",
            thing=f"profile/{user_id}",
            now=now,
            details={"picture": name},
        )


def _waiting(session: Session, path: str) -> set[UUID]:
    """The messages about these files that nobody has begun to deliver; nobody will until this transaction ends."""
    messages = repository.lock_messages(session, topic=REMOVE_UNUSED, path=path)
    if any(message.attempts and message.parked_at is None for message in messages):
        raise Unavailable
    return {message.id for message in messages}


def _queue(session: Session, path: str, *, wait: timedelta) -> UUID:
    return _outbox.add(session, topic=REMOVE_UNUSED, payload={"path": path}, relay_waits=wait)
