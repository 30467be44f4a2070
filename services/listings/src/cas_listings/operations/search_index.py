"""Keeping the index as the listings are: with every change, and by repair."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from cas_kit.db import Database
from cas_listings.domain.search.document import Findable, SearchDocument, document_of, index_format
from cas_listings.domain.states import Status
from cas_listings.models import ServiceListing, outbox
from cas_listings.repository.search_index import (
    Drift,
    delete_hidden,
    hide,
    list_outdated,
    measure_drift,
    take_time,
    write_documents,
)

LISTINGS_OUTDATED = "listings-outdated"  # the topic of messages that wake whoever indexes an owner's listings

# Rows that are written in one transaction: a few hundred milliseconds, in which nobody waits for them.
BATCH = 200

log = structlog.get_logger(__name__)


def keep_findable(session: Session, listing: ServiceListing) -> None:
    """Let a listing be found as it is now, or not at all, from the moment this transaction is durable."""
    session.flush()
    if listing.status is Status.PUBLISHED:
        write_documents(session, [document_of(listing)])
    else:
        hide(session, listing_id=listing.id)


def index_later(session: Session, *, owner: UUID) -> None:
    """Have all outdated listings of an owner indexed once this transaction is durable."""
    outbox.add(session, topic=LISTINGS_OUTDATED, payload={"user_id": str(owner)})


def index_outdated(database: Database, *, owner: UUID | None = None) -> int:
    """Write the rows that are missing or old, and remove those of hidden listings; returns how many it was.

    Safe to repeat, and to run several times at once.

    :param owner: only theirs; everybody's without.
    """
    done = 0
    while True:
        with database.transaction() as session:
            take_time(session)
            found = list_outdated(session, index_format=index_format(), owner=owner, limit=BATCH)
            written = write_documents(session, documents_of(found)) if found else 0
            removed = delete_hidden(session, limit=BATCH)
        done += written + removed
        # What could not be written is being changed by somebody, who writes it.
        if not written and not removed:
            return done


def documents_of(listings: Sequence[Findable]) -> list[SearchDocument]:
    """The documents of listings. One that cannot be made keeps no other from being found."""
    documents = []
    for listing in listings:
        try:
            documents.append(document_of(listing))
        except Exception:
            log.exception("listing_not_indexed", listing_id=str(listing.id))
    return documents


def find_drift(database: Database) -> Drift:
    """How far the index is from the listings."""
    with database.transaction() as session:
        take_time(session)
        return measure_drift(session, index_format=index_format())
