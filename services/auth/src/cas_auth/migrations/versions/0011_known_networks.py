"""Networks that users have signed in from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import CIDR

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_networks",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("network", CIDR, nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "network", name="pk_known_networks"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_known_networks_user_id_users", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_known_networks_last_used_at", "known_networks", ["last_used_at"])


def downgrade() -> None:
    op.drop_table("known_networks")
