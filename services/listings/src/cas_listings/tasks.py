"""Work that leaves through the outbox, or is found by looking for it."""

from functools import partial
from uuid import UUID

from cas_kit.db import Database
from cas_kit.outbox import Handler, Message
from cas_listings import metrics
from cas_listings.clients import AccountClient
from cas_listings.operations.owners import LOOK_FOR_OWNER, find_owner
from cas_listings.operations.search_index import LISTINGS_OUTDATED, find_drift, index_outdated

# Account may be away for as long as it likes: then names come later.
PATIENT = frozenset({LOOK_FOR_OWNER})


def handlers(database: Database, account: AccountClient) -> dict[str, Handler]:
    """What the relay does with each topic."""
    return {
        LOOK_FOR_OWNER: partial(find_owner, database, account),
        LISTINGS_OUTDATED: partial(index_owners_listings, database),
    }


def index_owners_listings(database: Database, message: Message) -> None:
    """Bring the index up to date about somebody's listings. Safe to repeat."""
    index_outdated(database, owner=UUID(message.payload["user_id"]))


def repair_search(database: Database) -> None:
    """Compare the index with the listings, say how they differ, and repair it. Safe in several replicas at once."""
    drift = find_drift(database)
    metrics.SEARCH_DRIFT.labels("outdated").set(drift.outdated)
    metrics.SEARCH_DRIFT.labels("hidden").set(drift.hidden)
    if drift.outdated or drift.hidden:
        index_outdated(database)
