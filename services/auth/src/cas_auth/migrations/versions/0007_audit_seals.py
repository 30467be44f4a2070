"""Seals over the audit log; what administrators are refused, and imports, are on record."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ACTION_CONSTRAINT = "ck_audit_log_ck_audit_log_action"  # as 0001 named it
EARLIER_ACTIONS = (
    "login", "login_failed", "logout", "token_revoked", "user_signedup", "user_repeated_signup", "user_modified",
    "user_updated_password", "user_deleted", "token_refreshed", "user_invited", "invite_accepted", "user_banned",
    "user_recovery_requested", "user_confirmation_requested", "user_reauthenticate_requested", "verification_failed",
    "identity_linked", "identity_unlinked", "factor_in_progress", "factor_updated", "factor_unenrolled",
    "factor_deleted", "challenge_created", "verification_attempted", "keys_rotated",
)  # fmt: skip
MORE_ACTIONS = ("users_imported", "admin_refused")

# Blanking the salt of an erased user's origin is the one change that is allowed.
REFUSE_SEAL_CHANGE = """
CREATE FUNCTION refuse_seal_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.origin_salt IS NULL
        AND to_jsonb(NEW) - 'origin_salt' = to_jsonb(OLD) - 'origin_salt'
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit_seals is append only';
END
$$
"""


def upgrade() -> None:
    _constrain_actions(EARLIER_ACTIONS + MORE_ACTIONS)
    op.create_table(
        "audit_seals",
        sa.Column("position", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger, nullable=False),
        sa.Column("origin_salt", sa.LargeBinary),
        sa.Column("origin_digest", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_audit_seals"),
        sa.UniqueConstraint("entry_id", name="uq_audit_seals_entry_id"),
    )
    op.execute(REFUSE_SEAL_CHANGE)
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit_seals "
        "FOR EACH ROW EXECUTE FUNCTION refuse_seal_change()"
    )


def downgrade() -> None:
    """Entries with the newer actions cannot be kept: the older constraint does not know them."""
    op.drop_table("audit_seals")
    op.execute("DROP FUNCTION refuse_seal_change")
    op.execute("ALTER TABLE audit_log DISABLE TRIGGER refuse_change")
    op.execute(f"DELETE FROM audit_log WHERE action IN {MORE_ACTIONS}")  # noqa: S608  our own words
    op.execute("ALTER TABLE audit_log ENABLE TRIGGER refuse_change")
    _constrain_actions(EARLIER_ACTIONS)


def _constrain_actions(actions: tuple[str, ...]) -> None:
    op.execute(f"ALTER TABLE audit_log DROP CONSTRAINT {ACTION_CONSTRAINT}")
    op.execute(
        f"ALTER TABLE audit_log ADD CONSTRAINT {ACTION_CONSTRAINT} CHECK (action IN {actions}) NOT VALID"
    )
