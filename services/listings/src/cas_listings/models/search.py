"""What is searched."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

from cas_listings.models.schema import Base

_Folded = Text(collation="C")  # compared byte by byte: fast, and a prefix is a range
_TRIGRAMS = {"fuzzy": "gin_trgm_ops", "city_key": "gin_trgm_ops"}
_AT_ONCE = {"fastupdate": False}  # otherwise some search or writer waits for what others left to be done

listing_search = Table(
    "listing_search",
    Base.metadata,
    Column("id", Uuid, ForeignKey("service_listings.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("format", Text, nullable=False),
    Column("head", TSVECTOR, nullable=False),
    Column("vector", TSVECTOR, nullable=False),
    Column("tokens", ARRAY(Text), nullable=False),
    Column("subject_ids", _Folded, nullable=False),
    Column("level_ids", _Folded, nullable=False),
    Column("language_ids", _Folded, nullable=False),
    Column("location_type", _Folded, nullable=False),
    Column("city", _Folded),
    Column("city_key", _Folded),
    Column("lowest", Integer),
    Column("highest", Integer),
    Column("price_bands", Integer, nullable=False),
    Column("hourly_rate", BigInteger),
    Column("free_trial", Boolean, nullable=False),
    Column("created_as_role", _Folded, nullable=False),
    Column("title_key", _Folded, nullable=False),
    Column("fuzzy", _Folded, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("published_at", DateTime(timezone=True), nullable=False),
    Index(
        "ix_listing_search_words",
        "vector",
        "tokens",
        "city_key",
        postgresql_using="gin",
        postgresql_ops=_TRIGRAMS,
        postgresql_with=_AT_ONCE,
    ),
    Index(
        "ix_listing_search_fuzzy",
        "fuzzy",
        postgresql_using="gin",
        postgresql_ops=_TRIGRAMS,
        postgresql_with=_AT_ONCE,
    ),
    Index("ix_listing_search_city", "city_key"),
    Index("ix_listing_search_title", "title_key"),
    Index("ix_listing_search_newest", text("published_at DESC"), "id"),
    Index("ix_listing_search_price", "hourly_rate", "id"),
    Index("ix_listing_search_price_desc", text("hourly_rate DESC NULLS LAST"), "id"),
    Index("ix_listing_search_updated", text("updated_at DESC"), "id"),
    Index("ix_listing_search_created", text("created_at DESC"), "id"),
    Index("ix_listing_search_lowest", "lowest"),
    Index("ix_listing_search_highest", "highest"),
)
"""One row for each published listing, made to be searched (docs/adr/0027); see `domain.search.document`.

`revision` is the listing's version that the row was made of. `head` holds title and labels alone: short enough to be
looked at for every result that is arranged. The counters are in `service_listings` alone, so that counting rewrites
nothing here.
"""
