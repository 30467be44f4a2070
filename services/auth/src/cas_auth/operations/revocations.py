"""Let every service know which sessions have ended (docs/adr/0017)."""

from datetime import datetime
from uuid import UUID

from cas_auth.repository.revocations import forget_revocations, list_live_revocations, list_revocations
from cas_kit.db import Database
from cas_kit.outbox import Message
from cas_kit.revocations import RevocationFeed


def publish_ended_sessions(database: Database, feed: RevocationFeed, message: Message) -> None:
    """Tell of the sessions a message names. Safe to repeat; what was forgotten since needs no telling.

    :raises Unavailable: Redis is away.
    """
    session_ids = [UUID(text) for text in message.payload["session_ids"]]
    with database.autocommit() as connection:
        ended = list_revocations(connection, session_ids=session_ids)
    feed.publish(ended)


def complete_feed(database: Database, feed: RevocationFeed, *, now: datetime) -> None:
    """Write every session that counts once more if Redis was emptied or started again.

    :raises Unavailable: Redis is away.
    """
    if feed.is_whole():
        return
    with database.autocommit() as connection:
        live = list_live_revocations(connection, now=now)
    feed.publish_all(live)


def forget_ended_sessions(database: Database, feed: RevocationFeed, *, now: datetime) -> None:
    """Drop the sessions none of whose tokens would be good anyway.

    :raises Unavailable: Redis is away.
    """
    with database.autocommit() as connection:
        forget_revocations(connection, now=now)
    feed.forget_expired(now)
