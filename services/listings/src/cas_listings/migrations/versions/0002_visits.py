"""Who visited a listing on a day, and the keys under which visitors are told apart."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "listing_marks",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("counted", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("visitor", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("listing_id", "counted", "day", "visitor", name=op.f("pk_listing_marks")),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["service_listings.id"],
            name=op.f("fk_listing_marks_listing_id_service_listings"),
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("counted IN ('view', 'inquiry')", name=op.f("ck_listing_marks_counted")),
    )
    op.create_index(op.f("ix_listing_marks_day"), "listing_marks", ["day"])
    op.create_index(op.f("ix_listing_marks_visitor"), "listing_marks", ["visitor"])
    op.create_table(
        "visitor_keys",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_visitor_keys")),
    )


def downgrade() -> None:
    op.drop_table("visitor_keys")
    op.drop_table("listing_marks")
