"""Another search index beside the live one, and the moment that puts it in its place (docs/adr/0028)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, MetaData, func, select, text
from sqlalchemy.orm import Session

from cas_listings.domain.search.document import SearchDocument
from cas_listings.domain.states import Status
from cas_listings.models import ServiceListing, listing_search
from cas_listings.repository.search_index import (
    execute_upsert,
    hidden_in,
    outdated_in,
    upsert_statement,
)

LIVE, NEXT, OLD = listing_search.name, "listing_search_next", "listing_search_old"

_next = listing_search.to_metadata(MetaData(), name=NEXT)
_UPSERT = text(upsert_statement(NEXT))
_OUTDATED = outdated_in(_next)
_HIDDEN = hidden_in(_next)
_LOCK = "hashtextextended('listings.reindex', 0)"
_COUNTERS = text(
    f"UPDATE {NEXT} AS n SET view_count = l.view_count, booking_count = l.booking_count "  # noqa: S608  constants
    "FROM service_listings AS l WHERE l.id = n.id "
    "AND (n.view_count, n.booking_count) IS DISTINCT FROM (l.view_count, l.booking_count)"
)
_INDEXES = text(
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = :name"
)
_IS_PUBLISHED = ServiceListing.status == Status.PUBLISHED


def reserve(connection: Connection) -> bool:
    """Whether nobody else is rebuilding; from now on nobody does until `release`, or until the connection ends."""
    return bool(connection.scalar(text(f"SELECT pg_try_advisory_lock({_LOCK})")))


def release(connection: Connection) -> None:
    """Let others rebuild."""
    connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))


def patient(session: Session, *, lock_timeout: str) -> None:
    """Let the statements of this transaction take their time, but wait for locks only briefly."""
    session.execute(text(f"SET LOCAL lock_timeout = '{lock_timeout}'"))
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))


def create_next(session: Session) -> None:
    """An empty table of the live one's shape; what an earlier try left goes first."""
    session.execute(text(f"DROP TABLE IF EXISTS {NEXT}"))
    session.execute(text(f"CREATE TABLE {NEXT} (LIKE {LIVE} INCLUDING DEFAULTS INCLUDING STORAGE)"))
    session.execute(text(f"ALTER TABLE {NEXT} ADD CONSTRAINT pk_{NEXT} PRIMARY KEY (id)"))
    session.execute(
        text(
            f"ALTER TABLE {NEXT} ADD CONSTRAINT fk_{LIVE}_id_service_listings "
            "FOREIGN KEY (id) REFERENCES service_listings (id) ON DELETE CASCADE"
        )
    )


def count_published(session: Session) -> int:
    return session.scalar(select(func.count()).where(_IS_PUBLISHED)) or 0


def list_published(session: Session, *, after: UUID | None, limit: int) -> Sequence[ServiceListing]:
    """Published listings in the order of their ids."""
    statement = select(ServiceListing).where(_IS_PUBLISHED).order_by(ServiceListing.id).limit(limit)
    return session.scalars(statement.where(ServiceListing.id > after) if after else statement).all()


def write_next(session: Session, documents: Sequence[SearchDocument]) -> int:
    """As `write_documents`, into the table that is being filled."""
    return execute_upsert(session.connection(), _UPSERT, documents)


def list_outdated_next(session: Session, *, index_format: str, limit: int) -> Sequence[ServiceListing]:
    """What changed since it was written into the table that is being filled."""
    return session.scalars(_OUTDATED.limit(limit), {"format": index_format}).all()


def delete_hidden_next(session: Session) -> None:
    """Remove what was hidden since; nobody else writes this table."""
    session.execute(_next.delete().where(_next.c.id.in_(_HIDDEN.with_only_columns(_next.c.id))))


def create_indexes(session: Session) -> None:
    """The live table's indexes, on the table that was filled: faster than to fill it with them."""
    for name, definition in session.execute(_INDEXES, {"name": LIVE}).all():
        if name != f"pk_{LIVE}":
            named = definition.replace(f" {name} ON ", f" {name}_next ON ")
            session.execute(text(named.replace(f".{LIVE} ", f".{NEXT} ")))
    session.execute(text(f"ANALYZE {NEXT}"))


def keep_writers_out(session: Session) -> None:
    """From now to the end of the transaction nobody else writes the live table; searches go on."""
    session.execute(text(f"LOCK TABLE {LIVE} IN SHARE ROW EXCLUSIVE MODE"))


def copy_counters(session: Session) -> None:
    """Counters change without a version."""
    session.execute(_COUNTERS)


def rename(session: Session) -> None:
    """Put the new table in the place of the live one, with the names of its indexes."""
    names = [name for name, _ in session.execute(_INDEXES, {"name": LIVE}).all()]
    session.execute(text(f"ALTER TABLE {LIVE} RENAME TO {OLD}"))
    session.execute(text(f"ALTER TABLE {NEXT} RENAME TO {LIVE}"))
    for name in names:
        filled = f"pk_{NEXT}" if name == f"pk_{LIVE}" else f"{name}_next"
        session.execute(text(f"ALTER INDEX {name} RENAME TO {name}_old"))
        session.execute(text(f"ALTER INDEX {filled} RENAME TO {name}"))


def drop_old(session: Session) -> None:
    """Remove the table that was live; alone, because it takes a lock on the listings for a moment."""
    session.execute(text(f"DROP TABLE IF EXISTS {OLD}"))
