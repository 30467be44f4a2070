"""The schema: no drift, a way back, and the names others rely on."""

from uuid import uuid4

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError

import cas_onboarding
from cas_kit.testing.plugin import schema_survives_down_and_up

INSERT = text(
    "INSERT INTO onboarding_progress (id, profile_id, role_type, current_step, furthest_step) "
    "VALUES (:id, :profile, :role, :step, 5)"
)


def insert_row(database, **values):
    row = {"id": uuid4(), "profile": uuid4(), "role": "tutor", "step": 1, **values}
    with database.engine.begin() as connection:
        connection.execute(INSERT, row)
    return row


def test_models_and_migrations_agree_and_every_step_has_a_way_back(base_settings, migrated):
    migrated.dispose()
    schema_survives_down_and_up(
        base_settings.database_url.get_secret_value(), package=cas_onboarding.__name__
    )


def test_names_of_the_specification(migrated):
    inspector = inspect(migrated.engine)
    indexes = {index["name"] for index in inspector.get_indexes("onboarding_progress")}
    assert inspector.get_pk_constraint("onboarding_progress")["name"] == "pk_onboarding"
    assert {"idx_progress_profile", "idx_progress_role"} <= indexes


def test_defaults(database):
    insert_row(database)
    with database.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM onboarding_progress")).one()
    assert (row.step_data, row.is_complete, row.client_session, row.version) == ({}, False, "", 1)


@pytest.mark.parametrize("values", [{"role": "provider"}, {"step": 0}, {"step": 6}])
def test_values_outside_the_rules_are_refused(database, values):
    with pytest.raises(IntegrityError):
        insert_row(database, **values)


def test_one_row_per_user_and_role(database):
    row = insert_row(database)
    insert_row(database, profile=row["profile"], role="client")
    with pytest.raises(IntegrityError):
        insert_row(database, profile=row["profile"])


def test_every_update_renews_updated_at(database):
    insert_row(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE onboarding_progress SET updated_at = 'epoch', current_step = 2"))
        row = connection.execute(text("SELECT created_at, updated_at FROM onboarding_progress")).one()
    assert row.updated_at > row.created_at


@pytest.mark.parametrize("change", ["UPDATE audit_log SET action = ''", "DELETE FROM audit_log"])
def test_the_audit_log_only_grows(database, change):
    with database.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO audit_log (id, action, thing, request_id) VALUES (:id, 'a', 'b', '')"),
            {"id": uuid4()},
        )
    with pytest.raises(DBAPIError, match="only grows"), database.engine.begin() as connection:
        connection.execute(text(change))
