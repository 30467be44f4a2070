"""Work that leaves through the outbox: read again by id, done once or more often with the same effect."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from cas_account import metrics
from cas_account.clients import AuthClient, ListingsClient
from cas_account.operations.cards import CARD_CHANGED, find_card
from cas_account.operations.erasure import (
    CLOSE_USER,
    ERASE_PART,
    close_user,
    erase_part,
    measure_erasures,
)
from cas_account.operations.files import REMOVE_UNUSED
from cas_account.operations.parts import Part
from cas_account.operations.pictures import remove_unused
from cas_account.operations.roles import ROLES_CHANGED, find_roles
from cas_kit.db import Database
from cas_kit.outbox import Handler, Message
from cas_kit.storage import Storage


def handlers(
    database: Database,
    auth: AuthClient,
    listings: ListingsClient,
    storage: Storage,
    parts: Sequence[Part],
) -> dict[str, Handler]:
    """What the relay does with each topic."""
    by_name = {part.name: part for part in parts}

    def erase(message: Message) -> None:
        name, now = message.payload["part"], datetime.now(UTC)
        erase_part(database, by_name, user_id=_user_id(message), part=name, now=now)

    return {
        ROLES_CHANGED: lambda message: send_roles(database, auth, message),
        CARD_CHANGED: lambda message: send_card(database, listings, message),
        CLOSE_USER: lambda message: close_user(auth, user_id=_user_id(message)),
        ERASE_PART: erase,
        REMOVE_UNUSED: lambda message: remove_files(database, storage, message),
    }


def send_roles(database: Database, auth: AuthClient, message: Message) -> None:
    """Tell auth the roles as they are now; somebody who is gone has none to tell."""
    with database.autocommit() as connection:
        profile = find_roles(connection, user_id=_user_id(message))
    if profile is not None:
        auth.set_app_roles(
            user_id=profile.id,
            roles=profile.roles,
            active_role=profile.active_role,
            version=profile.version,
        )


def send_card(database: Database, listings: ListingsClient, message: Message) -> None:
    """Tell listings the name and picture as they are now; somebody who is gone has none."""
    with database.autocommit() as connection:
        profile = find_card(connection, user_id=_user_id(message))
    if profile is not None:
        listings.refresh_owner(
            user_id=profile.id,
            display_name=profile.display_name,
            avatar_url=profile.avatar_url or profile.custom_picture_url,
            version=profile.version,
        )


def remove_files(database: Database, storage: Storage, message: Message) -> None:
    """Remove files unless a profile shows them now."""
    remove_unused(database, storage, path=message.payload["path"])


def watch_erasures(database: Database) -> None:
    """Let monitoring see how erasures stand."""
    backlog = measure_erasures(database, now=datetime.now(UTC))
    metrics.ERASURE_AGE.set(backlog.age.total_seconds())
    metrics.ERASURES_PARKED.set(backlog.parked)


def _user_id(message: Message) -> UUID:
    return UUID(message.payload["user_id"])
