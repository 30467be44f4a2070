"""Indexes for every order of search results and for prices; the counters are read from the listings.

Processes of the version before cannot publish once their columns are gone; none was released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COUNTERS = {"views": "view_count", "bookings": "booking_count"}
SEARCHED: dict[str, list[str | sa.TextClause]] = {
    "created": [sa.text("created_at DESC"), "id"],
    "lowest": ["lowest"],
    "highest": ["highest"],
}
PUBLISHED = sa.text("status = 'published'")


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, column in COUNTERS.items():
            op.create_index(
                f"ix_service_listings_{name}",
                "service_listings",
                [sa.text(f"{column} DESC"), "id"],
                postgresql_where=PUBLISHED,
                postgresql_concurrently=True,
                if_not_exists=True,
            )
        for name, columns in SEARCHED.items():
            op.create_index(
                f"ix_listing_search_{name}",
                "listing_search",
                columns,
                postgresql_concurrently=True,
                if_not_exists=True,
            )
    for column in COUNTERS.values():
        op.execute(f"-- squawk-ignore ban-drop-column\nALTER TABLE listing_search DROP COLUMN {column}")


def downgrade() -> None:
    for column in COUNTERS.values():
        op.add_column(
            "listing_search", sa.Column(column, sa.BigInteger(), nullable=False, server_default="0")
        )
    op.execute(
        "UPDATE listing_search AS shown SET view_count = l.view_count, booking_count = l.booking_count "
        "FROM service_listings AS l WHERE l.id = shown.id"
    )
    for column in COUNTERS.values():
        op.alter_column("listing_search", column, server_default=None)
    with op.get_context().autocommit_block():
        for name in SEARCHED:
            op.drop_index(f"ix_listing_search_{name}", "listing_search", postgresql_concurrently=True)
        for name in COUNTERS:
            op.drop_index(f"ix_service_listings_{name}", "service_listings", postgresql_concurrently=True)
