"""Erasures that take a while: who is being erased, and what every service answered."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("profiles", sa.Column("erasing_at", INSTANT))
    op.create_table(
        "erasures",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("deletion_id", sa.Uuid(), nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_erasures")),
        sa.UniqueConstraint("deletion_id", name=op.f("uq_erasures_deletion_id")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["erased_users.user_id"], name=op.f("fk_erasures_user_id_erased_users")
        ),
    )
    op.create_index(
        "ix_erasures_unfinished",
        "erasures",
        ["begun_at"],
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "erasure_parts",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), server_default="0", nullable=False),
        sa.Column("objects", sa.Integer(), server_default="0", nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.PrimaryKeyConstraint("user_id", "part", name=op.f("pk_erasure_parts")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["erasures.user_id"], name=op.f("fk_erasure_parts_user_id_erasures")
        ),
    )


def downgrade() -> None:
    op.drop_table("erasure_parts")
    op.drop_table("erasures")
    op.drop_column("profiles", "erasing_at")
