"""Index the audit log by action and by whom it is about, and validate the actions: work that must not block anybody."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE audit_log VALIDATE CONSTRAINT ck_audit_log_ck_audit_log_action")
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_audit_log_action_id",
            "audit_log",
            ["action", "id"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_index(
            "ix_audit_log_subject",
            "audit_log",
            [sa.text("(traits ->> 'user_id')")],
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    """A validated constraint is as good as one that is not: only the indexes go."""
    with op.get_context().autocommit_block():
        for index in ("ix_audit_log_action_id", "ix_audit_log_subject"):
            op.drop_index(index, "audit_log", postgresql_concurrently=True, if_exists=True)
