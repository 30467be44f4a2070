"""Another search index beside the live one, and the moment that puts it in its place (docs/adr/0028)."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from sqlalchemy import Connection, MetaData, exists, func, select, text
from sqlalchemy.orm import Session

from cas_listings.domain.search.document import Findable, SearchDocument
from cas_listings.domain.states import Status
from cas_listings.models import ServiceListing, listing_search
from cas_listings.repository.search_index import (
    execute_with,
    hidden_in,
    insert_statement,
    outdated_in,
    take_time,
    upsert_statement,
)

LIVE, NEXT, OLD = listing_search.name, "listing_search_next", "listing_search_old"
_BY_AGE = f"ix_{LIVE}_newest"
_REFERENCE = f"fk_{LIVE}_id_service_listings"

_next = listing_search.to_metadata(MetaData(), name=NEXT)
_UPSERT, _INSERT = text(upsert_statement(NEXT)), text(insert_statement(NEXT))
# Rows of what is needed and no more: objects of whole listings take as long as all the rest of the work.
_READ = select(*(ServiceListing.__table__.c[name] for name in Findable.__annotations__))
_OUTDATED = outdated_in(_next)
_HIDDEN = hidden_in(_next)
_LOCK = "hashtextextended('listings.reindex', 0)"
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
    take_time(session)
    session.execute(text(f"SET LOCAL lock_timeout = '{lock_timeout}'"))
    session.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))


def has_others(session: Session) -> bool:
    """Whether there are tables beside the live one."""
    names = {"next": NEXT, "old": OLD}
    return bool(
        session.scalar(text("SELECT coalesce(to_regclass(:next), to_regclass(:old)) IS NOT NULL"), names)
    )


def drop_others(session: Session) -> None:
    """Remove the table that was live, and what an earlier try left; alone, for it takes a lock on the listings."""
    session.execute(text(f"DROP TABLE IF EXISTS {NEXT}, {OLD}"))


def create_next(session: Session) -> None:
    """An empty table of the live one's shape.

    Constraints and indexes come when it is full: kept up row by row they take longer than the rows.
    """
    session.execute(text(f"CREATE TABLE {NEXT} (LIKE {LIVE} INCLUDING DEFAULTS INCLUDING STORAGE)"))


def count_published(session: Session) -> int:
    return session.scalar(select(func.count()).where(_IS_PUBLISHED)) or 0


def list_published(session: Session, *, after: UUID | None, limit: int) -> Sequence[Findable]:
    """What documents are made of, of published listings in the order of their ids."""
    statement = _READ.where(_IS_PUBLISHED).order_by(ServiceListing.id).limit(limit)
    rows = session.execute(statement.where(ServiceListing.id > after) if after else statement).all()
    return cast("Sequence[Findable]", rows)


def fill_next(session: Session, documents: Sequence[SearchDocument]) -> int:
    """Write rows for listings that have none yet; returns how many of them were of the present version."""
    return execute_with(session.connection(), _INSERT, documents)


def write_next(session: Session, documents: Sequence[SearchDocument]) -> int:
    """As `write_documents`, into the table that was filled."""
    return execute_with(session.connection(), _UPSERT, documents)


def list_outdated_next(session: Session, *, index_format: str, limit: int) -> Sequence[ServiceListing]:
    """What changed since it was written into the table that is being filled."""
    return session.scalars(_OUTDATED.limit(limit), {"format": index_format}).all()


def delete_hidden_next(session: Session) -> None:
    """Remove what was hidden since; nobody else writes this table."""
    session.execute(_next.delete().where(_next.c.id.in_(_HIDDEN.with_only_columns(_next.c.id))))


def create_indexes(session: Session) -> None:
    """The live table's indexes, on the table that was filled.

    The index of dates comes first, and the rows are put in its order: most searches read the newest ones.
    """
    indexes = {row.indexname: row.indexdef for row in session.execute(_INDEXES, {"name": LIVE})}
    session.execute(text(_definition_for_next(_BY_AGE, indexes.pop(_BY_AGE))))
    session.execute(text(f"CLUSTER {NEXT} USING {_BY_AGE}_next"))
    session.execute(text(f"ALTER TABLE {NEXT} ADD CONSTRAINT pk_{NEXT} PRIMARY KEY (id)"))
    for name, definition in indexes.items():
        if name != f"pk_{LIVE}":
            session.execute(text(_definition_for_next(name, definition)))


def _definition_for_next(name: str, definition: str) -> str:
    named = definition.replace(f" {name} ON ", f" {name}_next ON ")
    return named.replace(f".{LIVE} ", f".{NEXT} ")


def reference_listings(session: Session) -> None:
    """From now on a listing takes its row with it."""
    session.execute(
        text(
            f"ALTER TABLE {NEXT} ADD CONSTRAINT {_REFERENCE} "
            "FOREIGN KEY (id) REFERENCES service_listings (id) ON DELETE CASCADE NOT VALID"
        )
    )


def delete_orphans(session: Session) -> None:
    """Remove what was deleted before rows went with their listings."""
    session.execute(_next.delete().where(~exists().where(ServiceListing.id == _next.c.id)))
    session.execute(text(f"ALTER TABLE {NEXT} VALIDATE CONSTRAINT {_REFERENCE}"))


def vacuum_next(connection: Connection) -> None:
    """Let the first searches find it as the later ones will: measured, and known to be seen by everybody."""
    connection.execute(text("SET statement_timeout = 0"))
    connection.execute(text(f"VACUUM (ANALYZE) {NEXT}"))
    connection.execute(text("RESET statement_timeout"))


def rename(session: Session) -> None:
    """Put the new table in the place of the live one, with the names of its indexes; whoever reads or writes waits."""
    names = [name for name, _ in session.execute(_INDEXES, {"name": LIVE}).all()]
    session.execute(text(f"ALTER TABLE {LIVE} RENAME TO {OLD}"))
    session.execute(text(f"ALTER TABLE {NEXT} RENAME TO {LIVE}"))
    for name in names:
        filled = f"pk_{NEXT}" if name == f"pk_{LIVE}" else f"{name}_next"
        session.execute(text(f"ALTER INDEX {name} RENAME TO {name}_old"))
        session.execute(text(f"ALTER INDEX {filled} RENAME TO {name}"))
