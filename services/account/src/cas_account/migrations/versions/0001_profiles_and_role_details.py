"""Profiles, role details and what keeps their changes safe.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROLES = "('tutor', 'client', 'agent')"
APPEND_ONLY = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
"""


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.Uuid(), nullable=False),
        sa.Column("acting_role", sa.String(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("thing", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint(f"acting_role IN {ROLES}", name=op.f("ck_audit_log_acting_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "erased_users",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_erased_users")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "operation", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "outbox_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_messages")),
    )
    op.create_index(
        "ix_outbox_messages_due",
        "outbox_messages",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("parked_at IS NULL"),
    )
    op.create_table(
        "profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_verified", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("phone_verified", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("display_name", sa.Text(), server_default="", nullable=False),
        sa.Column("first_name", sa.Text(), server_default="", nullable=False),
        sa.Column("last_name", sa.Text(), server_default="", nullable=False),
        sa.Column("bio", sa.Text(), server_default="", nullable=False),
        sa.Column("categories", sa.Text(), server_default="", nullable=False),
        sa.Column("achievements", sa.Text(), server_default="", nullable=False),
        sa.Column("avatar_url", sa.Text(), server_default="", nullable=False),
        sa.Column("custom_picture_url", sa.Text(), server_default="", nullable=False),
        sa.Column("cover_photo_url", sa.Text(), server_default="", nullable=False),
        sa.Column("avatar_storage_path", sa.Text(), server_default="", nullable=False),
        sa.Column("cover_storage_path", sa.Text(), server_default="", nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.Column("country", sa.Text(), server_default="", nullable=False),
        sa.Column("city", sa.Text(), server_default="", nullable=False),
        sa.Column("timezone", sa.Text(), server_default="Europe/London", nullable=False),
        sa.Column("preferences", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("active_role", sa.Text(), nullable=True),
        sa.Column("onboarding_completed", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "onboarding_completed - roles = '{}'::jsonb", name=op.f("ck_profiles_completed_roles_are_held")
        ),
        sa.CheckConstraint(
            "roles <@ ARRAY['tutor', 'client', 'agent']", name=op.f("ck_profiles_roles_are_known")
        ),
        sa.CheckConstraint(
            "CASE WHEN cardinality(roles) = 0 THEN active_role IS NULL "
            "ELSE active_role IS NOT NULL AND active_role = ANY (roles) END",
            name=op.f("ck_profiles_active_role_is_held"),
        ),
        sa.CheckConstraint("char_length(bio) <= 500", name=op.f("ck_profiles_bio_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
        sa.UniqueConstraint("agent_id", name=op.f("uq_profiles_agent_id")),
    )
    op.create_index("idx_profiles_email", "profiles", ["email"], unique=False)
    op.create_index("ix_profiles_roles", "profiles", ["roles"], unique=False, postgresql_using="gin")
    op.create_table(
        "applied_completions",
        sa.Column("completion_id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.id"],
            name=op.f("fk_applied_completions_profile_id_profiles"),
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(f"role IN {ROLES}", name=op.f("ck_applied_completions_role")),
        sa.PrimaryKeyConstraint("completion_id", name=op.f("pk_applied_completions")),
    )
    op.create_index(
        op.f("ix_applied_completions_profile_id"), "applied_completions", ["profile_id"], unique=False
    )
    op.create_table(
        "role_details",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("role_type", sa.String(), nullable=False),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column("entry_ids", postgresql.JSONB(), nullable=False),
        sa.Column("currency", sa.Text(), server_default="GBP", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.id"],
            name=op.f("fk_role_details_profile_id_profiles"),
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(f"role_type IN {ROLES}", name=op.f("ck_role_details_role_type")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_details")),
    )
    op.create_index("idx_role_profile_type", "role_details", ["profile_id", "role_type"], unique=True)
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    op.drop_table("role_details")
    op.drop_table("applied_completions")
    op.drop_table("profiles")
    op.drop_table("outbox_messages")
    op.drop_table("idempotency_keys")
    op.drop_table("erased_users")
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION refuse_audit_change()")
