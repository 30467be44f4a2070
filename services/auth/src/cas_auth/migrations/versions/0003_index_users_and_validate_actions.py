"""Index users for the admin's list and validate the audit actions: work that must not block anybody meanwhile."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE audit_log VALIDATE CONSTRAINT ck_audit_log_ck_audit_log_action")
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_users_created_at_id",
            "users",
            ["created_at", "id"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_index(
            "ix_users_email_pattern",
            "users",
            ["email"],
            postgresql_ops={"email": "text_pattern_ops"},
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    """A validated constraint is as good as one that is not: only the indexes go."""
    with op.get_context().autocommit_block():
        for index in ("ix_users_created_at_id", "ix_users_email_pattern"):
            op.drop_index(index, "users", postgresql_concurrently=True, if_exists=True)
