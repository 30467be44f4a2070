"""What other people see of somebody, as the listings service is told about it."""

from collections.abc import Set
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from cas_account import repository
from cas_account.models import Profile, outbox_messages
from cas_kit.outbox import Outbox

CARD_CHANGED = "listings.refresh_owner"
SHOWN = frozenset({"display_name", "avatar_url", "custom_picture_url"})

_outbox = Outbox(outbox_messages)


def announce_card(session: Session, *, user_id: UUID, changed: Set[str]) -> None:
    """Queue that listings learn this user's name and picture, where one of them changed.

    The message names the user only: what is sent is read again when it is delivered.

    :param changed: names of the columns of the profile that changed.
    """
    if SHOWN & changed:
        _outbox.add(session, topic=CARD_CHANGED, payload={"user_id": str(user_id)})


def find_card(connection: Connection, *, user_id: UUID) -> Profile | None:
    """What listings have to know of a user; None when the profile is gone."""
    return next(iter(repository.list_cards(connection, user_ids=[user_id])), None)
