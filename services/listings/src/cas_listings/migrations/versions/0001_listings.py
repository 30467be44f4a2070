"""The tables of the listings service."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROLES = "('tutor', 'client', 'agent')"
INSTANT = sa.DateTime(timezone=True)
TEXTS = postgresql.ARRAY(sa.Text())


def upgrade() -> None:
    _create_listings()
    _create_slugs()
    _create_erased_users()
    _create_audit_log()
    _create_outbox()
    _create_idempotency_keys()


def downgrade() -> None:
    for table in (
        "idempotency_keys",
        "outbox_messages",
        "audit_log",
        "erased_users",
        "listing_slugs",
        "service_listings",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change()")


def _create_listings() -> None:
    op.create_table(
        "service_listings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("created_as_role", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("subjects", TEXTS, nullable=False),
        sa.Column("subject_ids", TEXTS, nullable=False),
        sa.Column("levels", TEXTS, nullable=False),
        sa.Column("level_ids", TEXTS, nullable=False),
        sa.Column("languages", TEXTS, nullable=False),
        sa.Column("language_ids", TEXTS, nullable=False),
        sa.Column("specializations", TEXTS, nullable=False),
        sa.Column("specialization_ids", TEXTS, nullable=False),
        sa.Column("teaching_methods", TEXTS, nullable=False),
        sa.Column("teaching_method_ids", TEXTS, nullable=False),
        sa.Column("qualifications", TEXTS, nullable=False),
        sa.Column("academic_qualifications", TEXTS, nullable=False),
        sa.Column("professional_qualifications", TEXTS, nullable=False),
        sa.Column("teaching_experience", sa.Text()),
        sa.Column("teaching_experience_id", sa.Text()),
        sa.Column("hourly_rate", sa.BigInteger()),
        sa.Column("hourly_rate_min", sa.BigInteger()),
        sa.Column("hourly_rate_max", sa.BigInteger()),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("pricing_packages", postgresql.JSONB(), nullable=False),
        sa.Column("free_trial", sa.Boolean(), nullable=False),
        sa.Column("trial_duration_minutes", sa.Integer()),
        sa.Column("location_type", sa.Text(), nullable=False),
        sa.Column("location_address", sa.Text()),
        sa.Column("location_city", sa.Text()),
        sa.Column("location_country", sa.Text()),
        sa.Column("location_postcode", sa.Text()),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("availability", postgresql.JSONB()),
        sa.Column("unavailability", postgresql.JSONB()),
        sa.Column("availability_windows", postgresql.JSONB()),
        sa.Column("availability_slots", TEXTS, nullable=False),
        sa.Column("video_url", sa.Text()),
        sa.Column("tags", TEXTS, nullable=False),
        sa.Column("response_time", sa.Text()),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("view_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("inquiry_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("booking_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_from_template", sa.Boolean(), nullable=False),
        sa.Column("owner_display_name", sa.Text(), server_default="", nullable=False),
        sa.Column("owner_avatar_url", sa.Text()),
        sa.Column("owner_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("published_at", INSTANT),
        sa.Column("last_published_at", INSTANT),
        sa.Column("archived_at", INSTANT),
        sa.Column("deletable_at", INSTANT),
        sa.CheckConstraint(f"created_as_role IN {ROLES}", name=op.f("ck_service_listings_created_as_role")),
        sa.CheckConstraint(
            "status IN ('draft', 'published', 'unpublished', 'archived')",
            name=op.f("ck_service_listings_status"),
        ),
        sa.CheckConstraint(
            "(published_at IS NULL) = (last_published_at IS NULL) "
            "AND (published_at IS NOT NULL OR status IN ('draft', 'archived'))",
            name=op.f("ck_service_listings_published"),
        ),
        sa.CheckConstraint(
            "(status = 'archived') = (archived_at IS NOT NULL) AND (archived_at IS NULL) = (deletable_at IS NULL)",
            name=op.f("ck_service_listings_archived"),
        ),
        sa.CheckConstraint(
            "location_type IN ('online', 'in_person', 'hybrid')",
            name=op.f("ck_service_listings_location_type"),
        ),
        sa.CheckConstraint(
            "char_length(description) <= 2000", name=op.f("ck_service_listings_description_length")
        ),
        sa.CheckConstraint("char_length(title) <= 200", name=op.f("ck_service_listings_title_length")),
        sa.CheckConstraint(
            "free_trial = (trial_duration_minutes IS NOT NULL)", name=op.f("ck_service_listings_trial")
        ),
        sa.CheckConstraint("hourly_rate BETWEEN 0 AND 1000000", name=op.f("ck_service_listings_hourly_rate")),
        sa.CheckConstraint(
            "hourly_rate_min BETWEEN 0 AND 1000000 "
            "AND hourly_rate_max BETWEEN 0 AND 1000000 AND hourly_rate_min <= hourly_rate_max",
            name=op.f("ck_service_listings_hourly_rate_range"),
        ),
        sa.CheckConstraint(
            "least(view_count, inquiry_count, booking_count) >= 0", name=op.f("ck_service_listings_counts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_listings")),
        sa.UniqueConstraint("slug", name=op.f("uq_service_listings_slug")),
    )
    op.create_index(
        "ix_service_listings_newest",
        "service_listings",
        [sa.literal_column("published_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status = 'published'"),
    )
    op.create_index(
        "ix_service_listings_owner",
        "service_listings",
        ["profile_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )


def _create_slugs() -> None:
    op.create_table(
        "listing_slugs",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_listing_slugs")),
    )
    op.create_index(op.f("ix_listing_slugs_listing_id"), "listing_slugs", ["listing_id"])
    op.create_index(op.f("ix_listing_slugs_profile_id"), "listing_slugs", ["profile_id"])


def _create_erased_users() -> None:
    op.create_table(
        "erased_users",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("erased_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_erased_users")),
    )


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("acting_role", sa.String()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("thing", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
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
