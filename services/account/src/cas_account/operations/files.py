"""Files of pictures: claimed before they are written, released when no profile shows them (docs/adr/0022)."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_account import repository
from cas_account.models import outbox_messages
from cas_kit.files import FileClaims
from cas_kit.outbox import Outbox

REMOVE_UNUSED = "media.remove_unused"

picture_files = FileClaims(Outbox(outbox_messages), topic=REMOVE_UNUSED)


def release_files(session: Session, *, user_id: UUID, released: Mapping[str, str], now: datetime) -> None:
    """Files that the profile no longer shows go; on record.

    :param released: their path, by the name of the picture.
    """
    picture_files.release(session, released.values())
    for name in released:
        repository.add_audit_entry(
            session,
            actor=user_id,
            action="picture_removed",
            thing=f"profile/{user_id}",
            now=now,
            details={"picture": name},
        )
