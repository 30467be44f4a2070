"""A person takes everything with them, and nothing of others; complete, or not at all."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import select

from cas_account.domain.export import Export, ExportItem
from cas_account.models import AuditEntry, Profile
from cas_account.operations.own_part import HIDDEN
from cas_kit.errors import Unavailable

PATH = "/api/account/export"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEMPLATE = {"role_type": "tutor", "subjects": ["Mathematics"], "hourly_rate": 45.5}


def actions(database):
    with database.transaction() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.at)))


class TestDocument:
    def document(self, *items):
        export = Export.of(uuid4(), [ExportItem(name, text.encode()) for name, text in items], now=AT)
        return json.loads(b"".join(export.pieces()))

    def test_of_nothing_has_every_section(self):
        document = self.document()
        assert (document["format"], document["format_version"]) == ("cas-export", 1)
        assert document["generated_at"] == "2026-03-01T12:00:00Z"
        assert (document["auth"], document["profile"]) == ({}, {})
        assert all(
            document[name] == [] for name in ("templates", "onboarding", "listings", "images", "activity")
        )

    def test_has_items_in_the_order_they_came(self):
        document = self.document(("onboarding", '{"a": 1}'), ("auth", '{"b": 2}'), ("onboarding", "{}"))
        assert (document["auth"], document["onboarding"]) == ({"b": 2}, [{"a": 1}, {}])

    def test_has_activity_in_the_order_it_happened(self):
        late = '{"at": "2026-02-01T00:00:00Z", "n": 2}'
        early = '{"at": "2026-02-01T00:30:00+01:00", "n": 1}'
        document = self.document(("activity", late), ("activity", early))
        assert [entry["n"] for entry in document["activity"]] == [1, 2]

    def test_leaves_out_no_section_of_a_newer_service(self):
        assert self.document(("reviews", '{"c": "\\u00e4"}'))["reviews"] == [{"c": "ä"}]


class TestExport:
    def test_is_a_file_of_everything_every_service_keeps(
        self, ada, database, auth_service, onboarding_service, user_id
    ):
        auth_service.kept = [
            ("auth", {"email": "ada@example.com"}),
            ("activity", {"at": "2026-02-01T00:00:00Z", "action": "login"}),
        ]
        onboarding_service.kept = [("onboarding", {"role_type": "tutor"})]
        ada.patch("/api/profile", json={"bio": "About me", "preferences": {"theme": "dark"}})
        ada.patch("/api/account/professional-info", json=TEMPLATE)
        answer = ada.get(PATH)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.headers["content-disposition"].startswith('attachment; filename="cas-export-20')
        assert answer.headers["cache-control"] == "no-store"
        document = answer.json()
        assert document["user_id"] == str(user_id)
        assert document["auth"] == {"email": "ada@example.com"}
        assert (document["profile"]["bio"], document["profile"]["preferences"]) == (
            "About me",
            {"theme": "dark"},
        )
        (template,) = document["templates"]
        assert (template["subjects"], template["hourly_rate"]) == (["Mathematics"], 45.5)
        assert document["onboarding"] == [{"role_type": "tutor"}]
        assert [entry["action"] for entry in document["activity"]] == ["login"]
        assert actions(database) == ["data_exported"]

    def test_has_every_column_of_the_profile_but_those_hidden_for_a_reason(self, ada):
        columns = {column.name for column in Profile.__table__.columns}
        assert ada.get(PATH).json()["profile"].keys() == columns - HIDDEN

    def test_has_nothing_of_others(self, ada, client, issuer):
        stranger = issuer.bearer(uuid4(), email="mallory@example.com", user_metadata={"name": "Mallory"})
        assert client.get("/api/profile", headers=stranger).json()["display_name"] == "Mallory"
        assert "mallory" not in ada.get(PATH).text.lower()

    def test_is_the_first_thing_a_user_may_ask_for(self, client, issuer):
        document = client.get(PATH, headers=issuer.bearer(uuid4(), email="new@example.com")).json()
        assert document["profile"]["email"] == "new@example.com"

    def test_demands_a_token(self, client):
        assert client.get(PATH).status_code == 401


class TestCompleteness:
    """*Complete or not at all.*"""

    @pytest.mark.parametrize("away", ["auth_service", "onboarding_service"])
    def test_a_service_that_does_not_answer_is_503_and_uses_nothing_up(self, ada, database, request, away):
        service = request.getfixturevalue(away)
        service.kept = [("activity", {"at": "2026-02-01T00:00:00Z"})]
        service.refusal = Unavailable()
        for _ in range(6):
            answer = ada.get(PATH)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert actions(database) == []
        service.refusal = None
        assert ada.get(PATH).status_code == 200


class TestLimit:
    def test_is_five_a_day_for_each_user(self, ada, client, issuer):
        assert [ada.get(PATH).status_code for _ in range(6)] == [200] * 5 + [429]
        refused = ada.get(PATH)
        assert 86_000 < int(refused.headers["retry-after"]) <= 86_400
        assert refused.json()["code"] == "rate-limited"
        assert client.get(PATH, headers=issuer.bearer(uuid4())).status_code == 200

    def test_asks_no_service_once_it_is_used_up(self, ada, auth_service):
        for _ in range(5):
            ada.get(PATH)
        auth_service.refusal = Unavailable()
        assert ada.get(PATH).status_code == 429
