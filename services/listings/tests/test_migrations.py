"""The schema follows the models, both ways."""

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import ProgrammingError

from cas_kit.testing.plugin import schema_survives_down_and_up
from cas_listings.models import AuditEntry


class TestMigrations:
    def test_go_down_and_up_without_drift(self, database, settings):
        schema_survives_down_and_up(settings.database_url.get_secret_value(), package="cas_listings")


class TestAuditLog:
    @pytest.mark.parametrize(
        "statement", [delete(AuditEntry), update(AuditEntry).values(action="x")], ids=["delete", "update"]
    )
    def test_refuses_to_be_changed(self, database, ada, statement):
        ada.post("/api/listings", json={})
        with pytest.raises(Exception, match="only grows") as raised, database.transaction() as session:
            session.execute(statement)
        assert isinstance(raised.value, ProgrammingError)
