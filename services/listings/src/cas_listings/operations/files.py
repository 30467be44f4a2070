"""Files without a row that names them are removed, and never those that get one (docs/adr/0022).

The files of an owner change hands under a lock, and the outbox tells who may do what: a message says that the files
below a path go unless a picture uses them when it is delivered.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from cas_kit.db import Database
from cas_kit.errors import Unavailable
from cas_kit.storage import Storage
from cas_listings.domain.images import UNUSED_AFTER, owner_and_digest, paths_of_owner
from cas_listings.models import outbox
from cas_listings.repository import images as repository

REMOVE_UNUSED = "images.remove_unused"


def claim_files(session: Session, *, owner: UUID, paths: Collection[str]) -> Mapping[str, UUID]:
    """Before files are written: nobody removes them for a while, then they go unless they are used.

    :returns: the id of the claim of each path, for `use_files`.
    :raises Unavailable: the same files are just being removed.
    """
    repository.lock_files(session, owner=owner)
    waiting = _waiting(session, paths)
    repository.postpone_messages(session, message_ids=waiting, wait=UNUSED_AFTER)
    return {path: _queue(session, path, wait=UNUSED_AFTER) for path in dict.fromkeys(paths)}


def use_files(session: Session, *, owner: UUID, claims: Mapping[str, UUID]) -> None:
    """When files are used: the claims have done their work.

    :raises Unavailable: it took so long that they may be gone.
    """
    repository.lock_files(session, owner=owner)
    if not _waiting(session, claims).issuperset(claims.values()):
        raise Unavailable
    repository.delete_messages(session, message_ids=claims.values())


def release_files(session: Session, *, owner: UUID, paths: Collection[str]) -> None:
    """Files that some pictures no longer use go, unless others do or somebody has claimed them anew."""
    repository.lock_files(session, owner=owner)
    messages = repository.lock_messages(session, topic=REMOVE_UNUSED, paths=paths)
    claimed = {message.path for message in messages}
    for path in dict.fromkeys(paths):
        _queue(session, path, wait=UNUSED_AFTER if path in claimed else timedelta(0))


def has_files(session: Session, *, owner: UUID) -> bool:
    """Whether any picture of theirs uses files; others go by the claims on them."""
    return repository.is_used(session, owner=owner, digest="")


def remove_all_files(session: Session, *, owner: UUID) -> None:
    """Everything of somebody whose listings are about to go."""
    for path in paths_of_owner(owner):
        _queue(session, path, wait=timedelta(0))


def remove_unused(database: Database, storage: Storage, *, path: str) -> int:
    """Remove the files below this path if no picture uses them; returns how many went. Safe to repeat.

    While the message that asks for it is being delivered, nobody can begin to use them.
    """
    owner, digest = owner_and_digest(path)
    with database.autocommit() as connection:
        if repository.is_used(connection, owner=owner, digest=digest):
            return 0
    return storage.delete_prefix(path)


def _waiting(session: Session, paths: Collection[str]) -> set[UUID]:
    """The messages about these files that nobody has begun to deliver; nobody will until this transaction ends."""
    messages = repository.lock_messages(session, topic=REMOVE_UNUSED, paths=paths)
    if any(message.attempts and message.parked_at is None for message in messages):
        raise Unavailable
    return {message.id for message in messages}


def _queue(session: Session, path: str, *, wait: timedelta) -> UUID:
    return outbox.add(session, topic=REMOVE_UNUSED, payload={"path": path}, relay_waits=wait)
