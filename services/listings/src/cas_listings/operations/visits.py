"""Views and inquiries, each counted once for a visitor, listing and day (docs/spec/domain.md 6.8)."""

import secrets
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from cas_kit.db import Database
from cas_listings import repository
from cas_listings.domain.listing import ListingNotFound
from cas_listings.domain.visits import Count, Counted, OwnListing, Visit
from cas_listings.operations.erasure import hold_user
from cas_listings.repository import Reader

MARKS_KEPT = timedelta(days=90)  # docs/spec/domain.md 6.8
KEYS_KEPT = timedelta(days=1)  # a request that began before midnight may end after it
BATCH = 5_000  # rows; a statement has two seconds


class VisitorKeys:
    """The key of the day, asked of the database once in a process. Every replica has the same."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._latest: tuple[date, bytes] | None = None

    def of(self, day: date) -> bytes:
        """The key under which the visitors of a day are told apart."""
        latest = self._latest
        if latest is None or latest[0] != day:
            with self._database.autocommit() as connection:
                key = repository.visitor_key(connection, day=day, fresh=secrets.token_bytes(32))
            self._latest = latest = day, key
        return latest[1]


def count_view(
    database: Database, keys: VisitorKeys, *, listing_id: UUID, visit: Visit, now: datetime
) -> Count:
    """Count that somebody looked at a published listing; the owner, bots and whoever did today are not counted.

    Safe to repeat.

    :raises ListingNotFound: there is none, or it is not published.
    :raises Unauthenticated: the visitor was erased after the token was issued.
    """
    day = now.date()
    if visit.user_id is None:
        visitor = visit.mark(keys.of(day))
        with database.autocommit() as connection:
            return _count(connection, Counted.VIEW, listing_id, visit, visitor, day=day)
    with database.transaction() as session:
        hold_user(session, user_id=visit.user_id)
        return _count(session, Counted.VIEW, listing_id, visit, visit.user_id.bytes, day=day)


def count_inquiry(session: Session, *, listing_id: UUID, user_id: UUID, visit: Visit, now: datetime) -> Count:
    """Count that somebody asked about a published listing; whoever did today is not counted. Safe to repeat.

    :raises ListingNotFound: there is none, or it is not published.
    :raises OwnListing: it is theirs.
    """
    count = _count(session, Counted.INQUIRY, listing_id, visit, user_id.bytes, day=now.date())
    if count.owner == user_id:
        raise OwnListing
    return count


def _count(
    reader: Reader, counted: Counted, listing_id: UUID, visit: Visit, visitor: bytes, *, day: date
) -> Count:
    count = repository.count_visit(
        reader, counted=counted, listing_id=listing_id, visit=visit, visitor=visitor, day=day
    )
    if count is None:
        raise ListingNotFound
    return count


def forget_visits(database: Database, *, now: datetime) -> None:
    """Remove the marks and keys of days long gone, in short statements; the counts stay."""
    with database.autocommit() as connection:
        repository.delete_visitor_keys(connection, before=(now - KEYS_KEPT).date())
        removed = BATCH
        while removed == BATCH:
            removed = repository.delete_marks(connection, before=(now - MARKS_KEPT).date(), limit=BATCH)
