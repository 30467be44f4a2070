"""The tables of the onboarding service."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROLES = "('tutor', 'client', 'agent')"
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_progress()
    _create_audit_log()
    _create_outbox()
    _create_idempotency_keys()


def downgrade() -> None:
    for table in ("idempotency_keys", "outbox_messages", "audit_log", "onboarding_progress"):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change()")
    op.execute("DROP FUNCTION renew_updated_at()")


def _create_progress() -> None:
    op.create_table(
        "onboarding_progress",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("role_type", sa.String(), nullable=False),
        sa.Column("current_step", sa.Integer(), server_default="1", nullable=False),
        sa.Column("furthest_step", sa.Integer(), server_default="1", nullable=False),
        sa.Column("step_data", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("is_complete", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("completed_at", INSTANT),
        sa.Column("completion_id", sa.Uuid()),
        sa.Column("client_session", sa.Text(), server_default="", nullable=False),
        sa.Column("client_revision", sa.BigInteger()),
        sa.Column("past_sessions", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_onboarding"),
        sa.UniqueConstraint(
            "profile_id", "role_type", name=op.f("uq_onboarding_progress_profile_id_role_type")
        ),
        sa.CheckConstraint(f"role_type IN {ROLES}", name=op.f("ck_onboarding_progress_role_type")),
        sa.CheckConstraint("current_step BETWEEN 1 AND 5", name=op.f("ck_onboarding_progress_current_step")),
        sa.CheckConstraint(
            "furthest_step BETWEEN current_step AND 5", name=op.f("ck_onboarding_progress_furthest_step")
        ),
        sa.CheckConstraint(
            "jsonb_typeof(step_data) = 'object'", name=op.f("ck_onboarding_progress_step_data")
        ),
        sa.CheckConstraint(
            "is_complete = (completed_at IS NOT NULL) AND is_complete = (completion_id IS NOT NULL)",
            name=op.f("ck_onboarding_progress_completion"),
        ),
    )
    op.create_index("idx_progress_profile", "onboarding_progress", ["profile_id"])
    op.create_index("idx_progress_role", "onboarding_progress", ["role_type"])
    op.create_index("idx_progress_complete", "onboarding_progress", ["is_complete"])
    op.create_index(
        "idx_progress_abandoned",
        "onboarding_progress",
        ["updated_at"],
        postgresql_where=sa.text("NOT is_complete"),
    )
    # clock_timestamp: now() is the start of the transaction, which may lie before the update it waited for.
    op.execute(
        """
        CREATE FUNCTION renew_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.updated_at := clock_timestamp();
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER renew_updated_at BEFORE UPDATE ON onboarding_progress "
        "FOR EACH ROW EXECUTE FUNCTION renew_updated_at()"
    )


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor_id", sa.Uuid()),
        sa.Column("acting_role", sa.String()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("thing", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sa.CheckConstraint(f"acting_role IN {ROLES}", name=op.f("ck_audit_log_acting_role")),
    )
    op.create_index(op.f("ix_audit_log_actor_id"), "audit_log", ["actor_id"])
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the audit log only grows';
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit_log "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("parked_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_messages")),
    )
    op.create_index(
        "ix_outbox_messages_due",
        "outbox_messages",
        ["next_attempt_at"],
        postgresql_where=sa.text("parked_at IS NULL"),
    )


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "operation", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])
