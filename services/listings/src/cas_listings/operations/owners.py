"""Who a listing's owner is, as others see them: asked of account, never waited for."""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from cas_kit.db import Database
from cas_kit.errors import Unavailable
from cas_kit.outbox import Message
from cas_listings import repository
from cas_listings.domain.owner import Owner, owner_in_token
from cas_listings.models import outbox
from cas_listings.operations.search_index import index_later

LOOK_FOR_OWNER = "account.find_owner"  # the topic of a question to account

log = structlog.get_logger(__name__)


class AccountApi(Protocol):
    """What the listings service asks of the account service."""

    def find_owner(self, user_id: UUID) -> Owner | None:
        """What may be shown of somebody, and the roles they hold; None when account does not know them.

        :raises Unavailable: it did not answer in time.
        """


def meet_owner(account: AccountApi, *, user_id: UUID, claims: Mapping[str, Any]) -> Owner:
    """What account says of somebody, or else their token. Holds no connection.

    Who has changed their name must not be shown under the old one, so while account is away there is none.

    :param claims: of their token.
    """
    try:
        return account.find_owner(user_id) or owner_in_token(user_id, claims, named=True)
    except Unavailable:
        log.warning("owner_unknown", user_id=str(user_id))
        return owner_in_token(user_id, claims, named=False)


def look_for_owner(session: Session, *, user_id: UUID) -> None:
    """Have account asked once this transaction is durable.

    Also when it has just answered: a name that changed in between was told before there was a listing to tell it to.
    """
    outbox.add(session, topic=LOOK_FOR_OWNER, payload={"user_id": str(user_id)})


def find_owner(database: Database, account: AccountApi, message: Message) -> None:
    """Write what account knows of an owner into their listings. Safe to repeat; older knowledge changes nothing.

    :raises Unavailable: account is away; the relay asks again.
    """
    owner = account.find_owner(UUID(message.payload["user_id"]))
    if owner is None:
        return
    with database.transaction() as session:
        refresh_owner(session, owner=owner)


def refresh_owner(session: Session, *, owner: Owner) -> int:
    """Write what account knows of an owner into their listings; returns how many changed.

    Safe to repeat; older knowledge changes nothing. Searches know it a moment later.
    """
    changed = repository.update_owner(session, owner)
    if changed:
        index_later(session, owner=owner.user_id)
    return changed
