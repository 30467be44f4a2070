"""Second factors and their challenges; sessions that were proven by one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import INET

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_factors()
    _create_factor_challenges()
    op.add_column("sessions", sa.Column("factor_id", sa.Uuid))
    op.add_column("sessions", sa.Column("first_counter", sa.BigInteger, server_default="0", nullable=False))


def downgrade() -> None:
    for column in ("factor_id", "first_counter"):
        op.drop_column("sessions", column)
    for table in ("factor_challenges", "factors"):
        op.drop_table(table)


def _create_factors() -> None:
    op.create_table(
        "factors",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("factor_type", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("friendly_name", sa.Text),
        sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
        sa.Column("last_step", sa.BigInteger),
        sa.Column("last_challenged_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_factors"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_factors_user_id_users", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("user_id", "friendly_name", name="uq_factors_user_id_friendly_name"),
        sa.CheckConstraint(
            "factor_type IN ('totp', 'phone', 'webauthn')", name=op.f("ck_factors_factor_type")
        ),
        sa.CheckConstraint("status IN ('unverified', 'verified')", name=op.f("ck_factors_status")),
    )


def _create_factor_challenges() -> None:
    op.create_table(
        "factor_challenges",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("factor_id", sa.Uuid, nullable=False),
        sa.Column("ip", INET),
        sa.Column("attempts", sa.Integer, server_default="0", nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_factor_challenges"),
        sa.ForeignKeyConstraint(
            ["factor_id"], ["factors.id"], name="fk_factor_challenges_factor_id_factors", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_factor_challenges_factor_id", "factor_challenges", ["factor_id"])
