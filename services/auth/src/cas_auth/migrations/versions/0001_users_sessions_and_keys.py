"""Users, identities, sessions, signing keys and the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import INET, JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)

# Blanking where requests of an erased user came from is the one change that is allowed.
REFUSE_AUDIT_CHANGE = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.ip IS NULL AND NEW.user_agent IS NULL
        AND to_jsonb(NEW) - 'ip' - 'user_agent' = to_jsonb(OLD) - 'ip' - 'user_agent'
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit_log is append only';
END
$$
"""


def upgrade() -> None:
    _create_users()
    _create_identities()
    _create_sessions()
    _create_signing_keys()
    _create_audit_log()


def downgrade() -> None:
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION refuse_audit_change")
    for table in ("signing_keys", "sessions", "identities", "users"):
        op.drop_table(table)


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("email_confirmed_at", INSTANT),
        sa.Column("phone", sa.Text),
        sa.Column("phone_confirmed_at", INSTANT),
        sa.Column("password_hash", sa.Text),
        sa.Column("app_metadata", JSONB, nullable=False),
        sa.Column("app_roles_version", sa.BigInteger, nullable=False),
        sa.Column("user_metadata", JSONB, nullable=False),
        sa.Column("last_sign_in_at", INSTANT),
        sa.Column("banned_until", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        sa.UniqueConstraint("phone", name="uq_users_phone"),
    )


def _create_identities() -> None:
    op.create_table(
        "identities",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("provider_id", sa.Text, nullable=False),
        sa.Column("identity_data", JSONB, nullable=False),
        sa.Column("last_sign_in_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identities"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_identities_user_id_users", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("provider", "provider_id", name="uq_identities_provider_provider_id"),
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("aal", sa.String, nullable=False),
        sa.Column("amr", JSONB, nullable=False),
        sa.Column("refresh_counter", sa.BigInteger, nullable=False),
        sa.Column("refreshed_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sessions_user_id_users", ondelete="CASCADE"
        ),
        sa.CheckConstraint("aal IN ('aal1', 'aal2')", name="ck_sessions_aal"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])


def _create_signing_keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_keys"),
        sa.CheckConstraint("state IN ('standby', 'current', 'previous')", name="ck_signing_keys_state"),
    )
    op.create_index(
        "uq_signing_keys_current",
        "signing_keys",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'current'"),
    )


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("actor_id", sa.Uuid),
        sa.Column("session_id", sa.Uuid),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("ip", INET),
        sa.Column("user_agent", sa.Text),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        sa.CheckConstraint(
            "action IN ('login', 'login_failed', 'logout', 'token_revoked', 'user_signedup', "
            "'user_repeated_signup', 'user_modified', 'user_updated_password', 'user_deleted')",
            name="ck_audit_log_action",
        ),
    )
    op.create_index("ix_audit_log_actor_id", "audit_log", ["actor_id"])
    op.create_index("ix_audit_log_created_at", "audit_log", ["created_at"])
    op.execute(REFUSE_AUDIT_CHANGE)
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit_log "
        "FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()"
    )
