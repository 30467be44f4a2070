"""Signing keys of several algorithms, and since when each is what it is; at most one waits to sign."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("signing_keys", sa.Column("algorithm", sa.String, server_default="ES256", nullable=False))
    op.add_column(
        "signing_keys", sa.Column("state_since", INSTANT, server_default=sa.func.now(), nullable=False)
    )
    op.add_column("signing_keys", sa.Column("needed_until", INSTANT))
    op.execute("UPDATE signing_keys SET state_since = created_at")
    op.execute(
        "ALTER TABLE signing_keys ADD CONSTRAINT ck_signing_keys_algorithm "
        "CHECK (algorithm IN ('ES256', 'RS256', 'HS256')) NOT VALID"
    )
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE signing_keys VALIDATE CONSTRAINT ck_signing_keys_algorithm")
        op.create_index(
            "uq_signing_keys_standby",
            "signing_keys",
            ["state"],
            unique=True,
            postgresql_where=sa.text("state = 'standby'"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    """Keys of other algorithms go: the code before cannot read them. Tokens they signed are good no longer."""
    with op.get_context().autocommit_block():
        op.drop_index("uq_signing_keys_standby", "signing_keys", postgresql_concurrently=True, if_exists=True)
    op.execute("DELETE FROM signing_keys WHERE algorithm <> 'ES256'")
    op.execute(
        "UPDATE signing_keys SET state = 'current' WHERE state = 'standby' "
        "AND NOT EXISTS (SELECT FROM signing_keys WHERE state = 'current')"
    )
    for column in ("algorithm", "state_since", "needed_until"):
        op.drop_column("signing_keys", column)
