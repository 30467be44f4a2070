"""One index for all that a search looks for together, and one for each order (docs/adr/0031)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLE = "listing_search"
APART = ("vector", "tokens", "city_parts")


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_listing_search_words",
            TABLE,
            ["vector", "tokens", "city_key"],
            postgresql_using="gin",
            postgresql_ops={"city_key": "gin_trgm_ops"},
            postgresql_with={"fastupdate": False},
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        orders = {"price_desc": "hourly_rate DESC NULLS LAST", "updated": "updated_at DESC"}
        for name, order in orders.items():
            op.create_index(
                f"ix_listing_search_{name}",
                TABLE,
                [sa.text(order), "id"],
                postgresql_concurrently=True,
                if_not_exists=True,
            )
        op.execute("ALTER INDEX ix_listing_search_fuzzy SET (fastupdate = off)")
        for name in APART:
            op.drop_index(f"ix_listing_search_{name}", TABLE, postgresql_concurrently=True, if_exists=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, column in zip(APART, ("vector", "tokens", "city_key"), strict=True):
            op.create_index(
                f"ix_listing_search_{name}",
                TABLE,
                [column],
                postgresql_using="gin",
                postgresql_ops={"city_key": "gin_trgm_ops"} if column == "city_key" else {},
                postgresql_concurrently=True,
                if_not_exists=True,
            )
        op.execute("ALTER INDEX ix_listing_search_fuzzy RESET (fastupdate)")
        for name in ("words", "price_desc", "updated"):
            op.drop_index(f"ix_listing_search_{name}", TABLE, postgresql_concurrently=True, if_exists=True)
