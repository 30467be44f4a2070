"""The schema follows the models, both ways."""

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import ProgrammingError

from cas_account.models import AuditEntry
from cas_account.operations.erasure import begin_erasure
from cas_kit.testing.plugin import schema_survives_down_and_up


class TestMigrations:
    def test_go_down_and_up_without_drift(self, database, settings):
        schema_survives_down_and_up(settings.database_url.get_secret_value(), package="cas_account")


class TestAuditLog:
    @pytest.mark.parametrize("statement", [delete(AuditEntry), update(AuditEntry).values(action="x")])
    def test_refuses_to_be_changed(self, database, user_id, now, statement):
        with database.transaction() as session:
            begin_erasure(session, user_id=user_id, parts=["account"], now=now)
        with pytest.raises(Exception, match="append-only") as raised, database.transaction() as session:
            session.execute(statement)
        assert isinstance(raised.value, ProgrammingError)
