"""Mailed tokens, flows, mails, revoked sessions; devices of sessions; the rest of the protocol's user."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import INET, JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
ACTION_CONSTRAINT = "ck_audit_log_ck_audit_log_action"  # as 0001 named it
INSTANTS = (
    "invited_at",
    "confirmation_sent_at",
    "recovery_sent_at",
    "email_change_sent_at",
    "reauthentication_sent_at",
    "deleted_at",
)
FIRST_ACTIONS = (
    "login", "login_failed", "logout", "token_revoked", "user_signedup", "user_repeated_signup", "user_modified",
    "user_updated_password", "user_deleted",
)  # fmt: skip
MORE_ACTIONS = (
    "token_refreshed", "user_invited", "invite_accepted", "user_banned", "user_recovery_requested",
    "user_confirmation_requested", "user_reauthenticate_requested", "verification_failed", "identity_linked",
    "identity_unlinked", "factor_in_progress", "factor_updated", "factor_unenrolled", "factor_deleted",
    "challenge_created", "verification_attempted", "keys_rotated",
)  # fmt: skip
METHODS = (
    "password", "otp", "totp", "oauth", "recovery", "invite", "magiclink", "email/signup", "email_change", "anonymous",
)  # fmt: skip
TOKEN_KINDS = (
    "confirmation", "invite", "recovery", "magic_link", "email_change_current", "email_change_new", "reauthentication",
)  # fmt: skip
MAIL_KINDS = (
    "confirmation", "already_registered", "invite", "magic_link", "recovery", "email_change", "email_change_current",
    "reauthentication", "password_changed", "email_changed", "identity_linked", "identity_unlinked", "factor_enrolled",
    "factor_unenrolled",
)  # fmt: skip


def upgrade() -> None:
    _extend_users()
    _extend_sessions()
    _extend_audit_log()
    _create_outbox()
    _create_revoked_sessions()
    _create_flow_states()
    _create_one_time_tokens()
    _create_mails()


def downgrade() -> None:
    """Entries with the newer actions cannot be kept: the older constraint does not know them."""
    for table in ("mails", "one_time_tokens", "flow_states", "revoked_sessions", "outbox_messages"):
        op.drop_table(table)
    op.drop_column("audit_log", "traits")
    op.execute("ALTER TABLE audit_log DISABLE TRIGGER refuse_change")
    op.execute(f"DELETE FROM audit_log WHERE action IN {MORE_ACTIONS}")  # noqa: S608  our own words
    op.execute("ALTER TABLE audit_log ENABLE TRIGGER refuse_change")
    _constrain_actions(FIRST_ACTIONS)
    for column in ("ip", "user_agent"):
        op.drop_column("sessions", column)
    for column in ("role", "is_anonymous", "new_email", "new_email_confirmations", *INSTANTS):
        op.drop_column("users", column)


def _extend_users() -> None:
    op.add_column("users", sa.Column("role", sa.Text, server_default="authenticated", nullable=False))
    op.add_column("users", sa.Column("is_anonymous", sa.Boolean, server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("new_email", sa.Text))
    op.add_column(
        "users", sa.Column("new_email_confirmations", sa.Integer, server_default="0", nullable=False)
    )
    for name in INSTANTS:
        op.add_column("users", sa.Column(name, INSTANT))


def _extend_sessions() -> None:
    op.add_column("sessions", sa.Column("ip", INET))
    op.add_column("sessions", sa.Column("user_agent", sa.Text))


def _extend_audit_log() -> None:
    op.add_column("audit_log", sa.Column("traits", JSONB, server_default="{}", nullable=False))
    _constrain_actions(FIRST_ACTIONS + MORE_ACTIONS)


def _constrain_actions(actions: tuple[str, ...]) -> None:
    op.execute(f"ALTER TABLE audit_log DROP CONSTRAINT {ACTION_CONSTRAINT}")
    op.execute(
        f"ALTER TABLE audit_log ADD CONSTRAINT {ACTION_CONSTRAINT} CHECK (action IN {actions}) NOT VALID"
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox_messages",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer, server_default="0", nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("parked_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_messages"),
    )
    op.create_index(
        "ix_outbox_messages_due",
        "outbox_messages",
        ["next_attempt_at"],
        postgresql_where=sa.text("parked_at IS NULL"),
    )


def _create_revoked_sessions() -> None:
    op.create_table(
        "revoked_sessions",
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_revoked_sessions"),
    )
    op.create_index("ix_revoked_sessions_until", "revoked_sessions", ["until"])


def _create_flow_states() -> None:
    op.create_table(
        "flow_states",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("code_challenge", sa.Text),
        sa.Column("code_challenge_method", sa.String),
        sa.Column("redirect_to", sa.Text),
        sa.Column("linking_user_id", sa.Uuid),
        sa.Column("provider_session", sa.LargeBinary),
        sa.Column("provider_tokens", sa.LargeBinary),
        sa.Column("user_id", sa.Uuid),
        sa.Column("method", sa.String),
        sa.Column("auth_code_digest", sa.LargeBinary),
        sa.Column("auth_code_issued_at", INSTANT),
        sa.Column("used_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flow_states"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_flow_states_user_id_users", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("auth_code_digest", name="uq_flow_states_auth_code_digest"),
        sa.CheckConstraint(
            "code_challenge_method IN ('s256', 'plain')", name=op.f("ck_flow_states_code_challenge_method")
        ),
        sa.CheckConstraint(f"method IN {METHODS}", name=op.f("ck_flow_states_method")),
    )
    op.create_index("ix_flow_states_user_id", "flow_states", ["user_id"])
    op.create_index("ix_flow_states_created_at", "flow_states", ["created_at"])


def _create_one_time_tokens() -> None:
    op.create_table(
        "one_time_tokens",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("link_digest", sa.LargeBinary, nullable=False),
        sa.Column("code_digest", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, server_default="0", nullable=False),
        sa.Column("flow_id", sa.Uuid),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_one_time_tokens"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_one_time_tokens_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["flow_states.id"], name="fk_one_time_tokens_flow_id_flow_states", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("user_id", "kind", name="uq_one_time_tokens_user_id_kind"),
        sa.UniqueConstraint("link_digest", name="uq_one_time_tokens_link_digest"),
        sa.CheckConstraint(f"kind IN {TOKEN_KINDS}", name=op.f("ck_one_time_tokens_kind")),
    )
    op.create_index("ix_one_time_tokens_address", "one_time_tokens", ["address"])
    op.create_index("ix_one_time_tokens_flow_id", "one_time_tokens", ["flow_id"])


def _create_mails() -> None:
    op.create_table(
        "mails",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("attempts", sa.Integer, server_default="0", nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=False),
        sa.Column("dead_at", INSTANT),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
        sa.CheckConstraint(f"kind IN {MAIL_KINDS}", name=op.f("ck_mails_kind")),
    )
    op.create_index(
        "ix_mails_next_attempt_at", "mails", ["next_attempt_at"], postgresql_where=sa.text("dead_at IS NULL")
    )
