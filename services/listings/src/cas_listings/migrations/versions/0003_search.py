"""The table that listings are found in (docs/adr/0027)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
FOLDED = sa.Text(collation="C")


def upgrade() -> None:
    # A role that owns no more than its schema may not: then whoever makes the schema has done it.
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    # English stems of every word: what says nothing is left out before it comes here.
    op.execute(
        "CREATE TEXT SEARCH DICTIONARY listing_stems (TEMPLATE = pg_catalog.snowball, LANGUAGE = english)"
    )
    op.execute("CREATE TEXT SEARCH CONFIGURATION listing_words (COPY = pg_catalog.simple)")
    op.execute(
        "ALTER TEXT SEARCH CONFIGURATION listing_words ALTER MAPPING FOR asciiword, word WITH listing_stems"
    )
    _create_table()
    _create_indexes()


def downgrade() -> None:
    """The extension stays: it may have been there before, and may belong to somebody else."""
    op.drop_table("listing_search")
    op.execute("DROP TEXT SEARCH CONFIGURATION listing_words")
    op.execute("DROP TEXT SEARCH DICTIONARY listing_stems")


def _create_table() -> None:
    op.create_table(
        "listing_search",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("head", postgresql.TSVECTOR(), nullable=False),
        sa.Column("vector", postgresql.TSVECTOR(), nullable=False),
        sa.Column("tokens", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("subject_ids", FOLDED, nullable=False),
        sa.Column("level_ids", FOLDED, nullable=False),
        sa.Column("language_ids", FOLDED, nullable=False),
        sa.Column("location_type", FOLDED, nullable=False),
        sa.Column("city", FOLDED),
        sa.Column("city_key", FOLDED),
        sa.Column("lowest", sa.Integer()),
        sa.Column("highest", sa.Integer()),
        sa.Column("price_bands", sa.Integer(), nullable=False),
        sa.Column("hourly_rate", sa.BigInteger()),
        sa.Column("free_trial", sa.Boolean(), nullable=False),
        sa.Column("created_as_role", FOLDED, nullable=False),
        sa.Column("title_key", FOLDED, nullable=False),
        sa.Column("fuzzy", FOLDED, nullable=False),
        sa.Column("view_count", sa.BigInteger(), nullable=False),
        sa.Column("booking_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("published_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing_search")),
        sa.ForeignKeyConstraint(
            ["id"],
            ["service_listings.id"],
            name=op.f("fk_listing_search_id_service_listings"),
            ondelete="CASCADE",
        ),
    )


def _create_indexes() -> None:
    for name in ("vector", "tokens"):
        op.create_index(f"ix_listing_search_{name}", "listing_search", [name], postgresql_using="gin")
    for name, column in (("fuzzy", "fuzzy"), ("city_parts", "city_key")):
        op.create_index(
            f"ix_listing_search_{name}",
            "listing_search",
            [column],
            postgresql_using="gin",
            postgresql_ops={column: "gin_trgm_ops"},
        )
    op.create_index("ix_listing_search_city", "listing_search", ["city_key"])
    op.create_index("ix_listing_search_title", "listing_search", ["title_key"])
    op.create_index("ix_listing_search_newest", "listing_search", [sa.text("published_at DESC"), "id"])
    op.create_index("ix_listing_search_price", "listing_search", ["hourly_rate", "id"])
