"""Files of pictures: claimed before they are written, released when no picture uses them (docs/adr/0022)."""

from uuid import UUID

from sqlalchemy.orm import Session

from cas_kit.db import Database
from cas_kit.files import FileClaims
from cas_kit.storage import Storage
from cas_listings.domain.images import owner_and_digest, paths_of_owner
from cas_listings.models import outbox
from cas_listings.repository import images as repository

REMOVE_UNUSED = "images.remove_unused"

picture_files = FileClaims(outbox, topic=REMOVE_UNUSED)


def remove_all_files(session: Session, *, owner: UUID) -> None:
    """Everything of somebody whose listings are about to go; what no picture uses goes by the claims on it."""
    if repository.is_used(session, owner=owner, digest=""):
        for path in paths_of_owner(owner):
            outbox.add(session, topic=REMOVE_UNUSED, payload={"path": path})


def remove_unused(database: Database, storage: Storage, *, path: str) -> int:
    """Remove the files below this path if no picture uses them; returns how many went. Safe to repeat.

    While the message that asks for it is being delivered, nobody can begin to use them.
    """
    owner, digest = owner_and_digest(path)
    with database.autocommit() as connection:
        if repository.is_used(connection, owner=owner, digest=digest):
            return 0
    return storage.delete_prefix(path)
