"""The schema follows the models, goes down and comes up again; the audit log only grows."""

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from cas_auth.models import AuditEntry
from cas_kit.testing.plugin import schema_survives_down_and_up


def test_schema_survives_down_and_up(settings):
    schema_survives_down_and_up(settings.database_url.get_secret_value(), package="cas_auth")


class TestAuditLog:
    @pytest.mark.parametrize(
        "statement",
        [
            delete(AuditEntry),
            update(AuditEntry).values(action="logout", ip=None, user_agent=None),
            update(AuditEntry).values(ip="198.51.100.1"),
            update(AuditEntry).values(actor_id=None, ip=None, user_agent=None),
        ],
    )
    def test_refuses_a_change(self, database, ada, statement, audit):
        before = [vars(entry) for entry in audit()]
        with pytest.raises(DBAPIError, match="append only"), database.engine.begin() as connection:
            connection.execute(statement)
        assert len(audit()) == len(before)

    def test_lets_an_origin_be_forgotten(self, database, ada, audit):
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE audit_log SET ip = NULL, user_agent = NULL"))
        assert {(entry.ip, entry.user_agent) for entry in audit()} == {(None, None)}
