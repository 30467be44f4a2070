"""The audit log as administrators read it."""

import pytest
from sqlalchemy import text

from cas_auth.domain.audit import AuditAction, LogType, log_type
from cas_auth.domain.audit_search import AuditSearch
from cas_auth.domain.refusals import InvalidRequest
from cas_auth.operations.audit_reading import list_audit_page
from cas_auth.repository import audit_list

from .conftest import bearer
from .test_rest_admin import refusal

AUDIT = "/auth/v1/admin/audit"


class TestAuditSearch:
    def test_finds_actions_by_a_part_of_their_name(self):
        assert AuditSearch.read("action:login").actions == {AuditAction.LOGIN, AuditAction.LOGIN_FAILED}
        assert AuditSearch.read("action:nothing").actions == frozenset()

    def test_finds_actions_by_their_kind(self):
        found = AuditSearch.read("type:factor").actions
        assert found
        assert {log_type(action) for action in found} == {LogType.FACTOR}

    def test_finds_authors(self):
        assert AuditSearch.read("author: Ada@Example.com").author == "ada@example.com"

    @pytest.mark.parametrize("query", ["", "action:", "author:", "type: "])
    def test_finds_everything_when_asked_for_nothing(self, query):
        assert AuditSearch.read(query) == AuditSearch()

    @pytest.mark.parametrize("query", ["login", "ip:203.0.113.9", ":", "Action:login"])
    def test_refuses_other_scopes(self, query):
        with pytest.raises(InvalidRequest, match="Invalid query scope"):
            AuditSearch.read(query)


class TestListAuditPage:
    def read(self, database, query="", *, limit=50, offset=0):
        with database.transaction() as session:
            return list_audit_page(session, AuditSearch.read(query), limit=limit, offset=offset)

    def actions(self, page):
        return [entry.action for entry in page.entries]

    def test_shows_the_newest_first_with_addresses_of_those_still_here(self, desk, ada, database):
        page = self.read(database)
        assert self.actions(page) == [AuditAction.LOGIN, AuditAction.USER_SIGNEDUP]
        assert (page.total, page.addresses) == (2, {ada.user.id: "ada@example.com"})
        assert self.actions(self.read(database, limit=1, offset=1)) == [AuditAction.USER_SIGNEDUP]

    def test_finds_by_author(self, desk, ada, database):
        eve = desk.sign_up("eve@example.com")
        assert {entry.actor_id for entry in self.read(database, "author:EVE@").entries} == {eve.user.id}
        assert self.read(database, f"author:{ada.user.id}").total == 2
        assert self.read(database, "author:adam").total == 0

    def test_counts_only_so_far(self, desk, ada, database, monkeypatch):
        monkeypatch.setattr(audit_list, "MAX_COUNTED", 1)
        assert self.read(database).total == 1

    def test_reads_indexes_however_long_it_is(self, database):
        with database.transaction() as session:
            session.execute(
                text(
                    "INSERT INTO audit_log (action, actor_id, traits, request_id, created_at) SELECT "
                    "CASE n % 1000 WHEN 0 THEN 'user_banned' ELSE 'login' END, gen_random_uuid(), '{}', 'r', now() "
                    "FROM generate_series(1, 20000) AS n"
                )
            )
            session.execute(text("ANALYZE audit_log"))
            for condition in (
                "true",
                "action IN ('user_banned')",
                "actor_id IN ('8f95b4eb-453b-4c76-931e-8e4a0c75803e')",
                "traits ->> 'user_id' = 'x'",
            ):
                plan = session.execute(
                    text(f"EXPLAIN SELECT * FROM audit_log WHERE {condition} ORDER BY id DESC LIMIT 50")
                )
                assert "Seq Scan" not in "\n".join(plan.scalars())


class TestRest:
    def test_shows_entries_in_the_shape_of_the_protocol(self, auth, call):
        user = auth.sign_up().json()["user"]
        answer = call("GET", AUDIT, params={"query": "action:login", "page": "1", "per_page": "1"})
        (entry,) = answer.json()
        assert entry["payload"] == {
            "actor_id": user["id"],
            "actor_username": "ada@example.com",
            "actor_via_sso": False,
            "action": "login",
            "log_type": "account",
        }
        assert (entry["ip_address"], entry["user_agent"]) == ("203.0.113.9", "testclient")
        assert {"id", "created_at", "session_id", "request_id"} < entry.keys()
        assert answer.headers["x-total-count"] == "1"
        assert answer.headers["link"] == f'<{AUDIT}?page=1&per_page=1&query=action%3Alogin>; rel="last"'

    def test_shows_what_administrators_do_and_to_whom(self, auth, call):
        user = call("POST", "/auth/v1/admin/users", json={"email": "ada@example.com"}).json()
        (entry,) = call("GET", AUDIT, params={"query": "action:user_signedup"}).json()
        assert entry["payload"]["traits"] == {"user_id": user["id"]}
        assert "actor_id" not in entry["payload"]

    def test_shows_refusals_with_their_origin(self, auth, call):
        token = auth.sign_up().json()["access_token"]
        auth.client.get(AUDIT, headers=bearer(token))
        auth.sign_in(password="wrong password")
        entries = call("GET", AUDIT).json()
        refused = {entry["payload"]["action"]: entry["ip_address"] for entry in entries}
        assert refused["admin_refused"] == refused["login_failed"] == "203.0.113.9"

    def test_refuses_other_scopes_and_pages(self, call):
        assert refusal(call("GET", AUDIT, params={"query": "ip:1"})) == (400, "validation_failed")
        assert refusal(call("GET", AUDIT, params={"page": "x"})) == (400, "validation_failed")
