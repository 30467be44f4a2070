"""Work that leaves through the outbox: read again by id, done once or more often with the same effect."""

from uuid import UUID

from cas_account.clients import AuthClient
from cas_account.operations.roles import ROLES_CHANGED, find_roles
from cas_kit.db import Database
from cas_kit.outbox import Handler, Message


def handlers(database: Database, auth: AuthClient) -> dict[str, Handler]:
    """What the relay does with each topic."""
    return {ROLES_CHANGED: lambda message: send_roles(database, auth, message)}


def send_roles(database: Database, auth: AuthClient, message: Message) -> None:
    """Tell auth the roles as they are now; somebody who is gone has none to tell."""
    with database.autocommit() as connection:
        profile = find_roles(connection, user_id=UUID(message.payload["user_id"]))
    if profile is not None:
        auth.set_app_roles(
            user_id=profile.id,
            roles=profile.roles,
            active_role=profile.active_role,
            version=profile.version,
        )
