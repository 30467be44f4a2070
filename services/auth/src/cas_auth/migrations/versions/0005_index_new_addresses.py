"""Index the addresses that users wait for: a mail to one of them looks its user up."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_users_new_email",
            "users",
            ["new_email"],
            postgresql_where=sa.text("new_email IS NOT NULL"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_users_new_email", "users", postgresql_concurrently=True, if_exists=True)
