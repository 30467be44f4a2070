"""Roles as the auth service is told about them."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from cas_account import repository
from cas_account.models import Profile, outbox_messages
from cas_kit.outbox import Outbox

ROLES_CHANGED = "auth.set_app_roles"

_outbox = Outbox(outbox_messages)


def announce_roles(session: Session, *, user_id: UUID, relay_waits: timedelta = timedelta(0)) -> UUID:
    """Queue that auth learns this user's roles; returns the message's id.

    The message names the user only: what is sent is read again when it is delivered.

    :param relay_waits: how long the background relay leaves the first try to the caller.
    """
    payload = {"user_id": str(user_id)}
    return _outbox.add(session, topic=ROLES_CHANGED, payload=payload, relay_waits=relay_waits)


def find_roles(connection: Connection, *, user_id: UUID) -> Profile | None:
    """The profile whose roles auth has to know; None when it is gone."""
    return next(iter(repository.list_cards(connection, user_ids=[user_id])), None)
