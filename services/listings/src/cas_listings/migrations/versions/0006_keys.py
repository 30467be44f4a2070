"""Every slug in `listing_slugs`, and keys by which the tables can be partitioned (docs/adr/0032).

Processes of the version before stay right while they are replaced, but look for a slug without an index.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

IMAGES = "listing_images"
IMAGES_KEY = "pk_listing_images"
LISTINGS = "service_listings"
LISTINGS_SLUG = "uq_service_listings_slug"
NEW = "new"  # what an index is called until it takes the place of another one


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # Published listings have theirs; one statement, since it keeps nobody waiting.
        op.execute(
            "INSERT INTO listing_slugs (slug, listing_id, profile_id) "
            "SELECT slug, id, profile_id FROM service_listings ON CONFLICT DO NOTHING"
        )
        op.create_index(
            "ix_listing_images_pending",
            IMAGES,
            ["id"],
            postgresql_where=sa.text("state = 'pending'"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        _build_key(IMAGES_KEY, IMAGES, ["listing_id", "id"])
    op.drop_constraint(op.f(LISTINGS_SLUG), LISTINGS)
    op.drop_constraint(op.f(IMAGES_KEY), IMAGES)
    _add_key(IMAGES_KEY, IMAGES, "PRIMARY KEY")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        _build_key(IMAGES_KEY, IMAGES, ["id"])
        _build_key(LISTINGS_SLUG, LISTINGS, ["slug"])
        # Slugs that the public has not seen: the version before would keep them for ever.
        op.execute(
            "DELETE FROM listing_slugs USING service_listings AS listing "
            "WHERE listing.id = listing_id AND listing.published_at IS NULL"
        )
    op.drop_constraint(op.f(IMAGES_KEY), IMAGES)
    _add_key(IMAGES_KEY, IMAGES, "PRIMARY KEY")
    _add_key(LISTINGS_SLUG, LISTINGS, "UNIQUE")
    op.drop_index("ix_listing_images_pending", IMAGES)


def _build_key(name: str, table: str, columns: list[str]) -> None:
    """One that an earlier try left unfinished would not do."""
    op.drop_index(f"{name}_{NEW}", table, postgresql_concurrently=True, if_exists=True)
    op.create_index(f"{name}_{NEW}", table, columns, unique=True, postgresql_concurrently=True)


def _add_key(name: str, table: str, kind: str) -> None:
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {kind} USING INDEX {name}_{NEW}")
