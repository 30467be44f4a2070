"""Work that leaves through the outbox."""

from functools import partial

from cas_kit.db import Database
from cas_kit.outbox import Handler
from cas_listings.clients import AccountClient
from cas_listings.operations.owners import LOOK_FOR_OWNER, find_owner

# Account may be away for as long as it likes: then names come later.
PATIENT = frozenset({LOOK_FOR_OWNER})


def handlers(database: Database, account: AccountClient) -> dict[str, Handler]:
    """What the relay does with each topic."""
    return {LOOK_FOR_OWNER: partial(find_owner, database, account)}
