"""Pictures of listings."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "listing_images",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("alt_text", sa.Text(), server_default="", nullable=False),
        sa.Column("upload_digest", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("url_prefix", sa.Text(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("placeholder", sa.Text(), nullable=True),
        sa.Column("dominant_colour", sa.Text(), nullable=True),
        sa.Column("variants", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("strikes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("run_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing_images")),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["service_listings.id"],
            name=op.f("fk_listing_images_listing_id_service_listings"),
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "listing_id", "upload_digest", name=op.f("uq_listing_images_listing_id_upload_digest")
        ),
        sa.CheckConstraint("state IN ('pending', 'ready', 'failed')", name=op.f("ck_listing_images_state")),
        sa.CheckConstraint("char_length(alt_text) <= 200", name=op.f("ck_listing_images_alt_text_length")),
        sa.CheckConstraint(
            "(state = 'ready') = (digest IS NOT NULL AND url_prefix IS NOT NULL AND variants IS NOT NULL)",
            name=op.f("ck_listing_images_ready"),
        ),
        sa.CheckConstraint(
            "(state = 'failed') = (reason IS NOT NULL)", name=op.f("ck_listing_images_failed")
        ),
    )
    op.create_index(
        op.f("ix_listing_images_due"),
        "listing_images",
        ["run_after"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        op.f("ix_listing_images_profile_id_upload_digest"), "listing_images", ["profile_id", "upload_digest"]
    )
    op.create_index(op.f("ix_listing_images_profile_id_digest"), "listing_images", ["profile_id", "digest"])


def downgrade() -> None:
    op.drop_table("listing_images")
