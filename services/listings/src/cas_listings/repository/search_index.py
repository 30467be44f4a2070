"""Writing the rows that listings are found in, and comparing them with the listings.

A row is written only from the version that its listing has, held until the transaction ends: whoever comes late with an
older one writes nothing. A listing that somebody is changing is skipped: they write its row themselves.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

import msgspec
from sqlalchemy import (
    Connection,
    Select,
    Table,
    TextClause,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.orm import Session

from cas_listings.domain.search.document import SearchDocument
from cas_listings.domain.states import Status
from cas_listings.models import ServiceListing, listing_search

COLUMNS = tuple(column.name for column in listing_search.columns)
_DOCUMENT_COLUMNS = """
    id uuid, revision bigint, format text, title text, labels text, body text, owner text, tokens text[],
    subject_ids text, level_ids text, language_ids text, lowest integer, highest integer, price_bands integer,
    city text, city_key text, title_key text, fuzzy text
"""
# Stems for words in any form, and beside them title and labels as they are, for names and a better rank.
_HEAD = """
    setweight(to_tsvector('listing_words', d.title), 'A') || setweight(to_tsvector('simple', d.title), 'A')
    || setweight(to_tsvector('listing_words', d.labels), 'B') || setweight(to_tsvector('simple', d.labels), 'B')
"""
_REST = """
    setweight(to_tsvector('listing_words', d.body), 'C') || setweight(to_tsvector('listing_words', d.owner), 'D')
"""
_FROM_DOCUMENTS = f"""
    SELECT d.id, d.revision, d.format, w.head, w.head || {_REST}, d.tokens, d.subject_ids, d.level_ids,
           d.language_ids, l.location_type, d.city, d.city_key, d.lowest, d.highest, d.price_bands, l.hourly_rate,
           l.free_trial, l.created_as_role, d.title_key, d.fuzzy, l.created_at, l.updated_at, l.published_at
    FROM jsonb_to_recordset(CAST(:documents AS jsonb)) AS d({_DOCUMENT_COLUMNS})
    JOIN service_listings AS l ON l.id = d.id AND l.version = d.revision AND l.status = 'published'
    CROSS JOIN LATERAL (SELECT {_HEAD} AS head) AS w
"""  # noqa: S608  made of constants


def upsert_statement(table: str) -> str:
    """The statement that writes documents into a table of the index's shape."""
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS if name != "id")
    return f"{insert_statement(table)} FOR SHARE OF l SKIP LOCKED ON CONFLICT (id) DO UPDATE SET {changes}"


def insert_statement(table: str) -> str:
    """As `upsert_statement`, into a table with none of these listings; it holds none of them either."""
    return f"INSERT INTO {table} ({', '.join(COLUMNS)}) {_FROM_DOCUMENTS}"


_UPSERT = text(upsert_statement(listing_search.name))
_DELETE = delete(listing_search).where(listing_search.c.id == bindparam("listing_id"))
_IS_PUBLISHED = ServiceListing.status == Status.PUBLISHED


def outdated_in(table: Table) -> Select[ServiceListing]:
    """Published listings whose row in this table is missing, of another version, or of another format."""
    return (
        select(ServiceListing)
        .outerjoin(table, table.c.id == ServiceListing.id)
        .where(
            _IS_PUBLISHED,
            table.c.id.is_(None)
            | (table.c.revision != ServiceListing.version)
            | (table.c.format != bindparam("format")),
        )
    )


def hidden_in(table: Table) -> Select[UUID, int]:
    """Rows of this table whose listing is not published."""
    return (
        select(table.c.id, table.c.revision)
        .join(ServiceListing, ServiceListing.id == table.c.id)
        .where(~_IS_PUBLISHED)
    )


_OUTDATED = outdated_in(listing_search)
_HIDDEN = hidden_in(listing_search)
_DELETE_HIDDEN = delete(listing_search).where(
    listing_search.c.id == bindparam("hidden_id"), listing_search.c.revision == bindparam("hidden_revision")
)


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the index is from the listings: rows that are missing or old, and rows that should be gone."""

    outdated: int
    hidden: int


def take_time(session: Session) -> None:
    """Let this transaction compare all listings with the index: in memory, and for as long as that takes."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL work_mem = '128MB'"))


def write_documents(session: Session, documents: Sequence[SearchDocument]) -> int:
    """Write rows for these documents; returns how many of them were of the present version and published."""
    return execute_with(session.connection(), _UPSERT, documents)


def hide(session: Session, *, listing_id: UUID) -> None:
    """Take a listing out of the index, by whoever holds its lock."""
    session.execute(_DELETE, {"listing_id": listing_id})


def list_outdated(
    session: Session, *, index_format: str, owner: UUID | None, limit: int
) -> Sequence[ServiceListing]:
    """Published listings whose row is missing, made of another version, or in another format.

    :param owner: only theirs.
    """
    statement = _OUTDATED.order_by(ServiceListing.id).limit(limit)
    if owner is not None:
        statement = statement.where(ServiceListing.profile_id == owner)
    return session.scalars(statement, {"format": index_format}).all()


def delete_hidden(session: Session, *, limit: int) -> int:
    """Remove rows of listings that are not published, unless somebody has written them since."""
    found = session.execute(_HIDDEN.limit(limit)).all()
    for row in found:
        session.execute(_DELETE_HIDDEN, {"hidden_id": row.id, "hidden_revision": row.revision})
    return len(found)


def measure_drift(session: Session, *, index_format: str) -> Drift:
    """Compare all listings with the index."""
    outdated = select(func.count()).select_from(_OUTDATED.with_only_columns(literal_column("1")).subquery())
    hidden = select(func.count()).select_from(_HIDDEN.subquery())
    return Drift(
        outdated=session.scalar(outdated, {"format": index_format}) or 0,
        hidden=session.scalar(hidden) or 0,
    )


def execute_with(connection: Connection, statement: TextClause, documents: Sequence[SearchDocument]) -> int:
    """Run a statement that writes documents; returns how many rows it wrote."""
    encoded = msgspec.json.encode([asdict(document) for document in documents]).decode()
    return connection.execute(statement, {"documents": encoded}).rowcount
