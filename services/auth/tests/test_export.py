"""People get everything that is kept about them, and nothing that opens an account or is about others."""

import json
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import Table, insert, inspect

from cas_auth.domain.audit import Origin
from cas_auth.models import Base, Factor, KnownNetwork, Mail
from cas_auth.operations import administration
from cas_auth.operations.administration import Act, UserAttributes
from cas_auth.operations.export import export_user
from cas_auth.repository.export import HIDDEN, SKIPPED

ADMIN = Origin(request_id="request-2", ip="198.51.100.1", user_agent="the admin's browser")


def exported(database, user_id):
    """The sections of the export, each a list."""
    sections = {"auth": [], "activity": []}
    with database.transaction() as session:
        for item in export_user(session, user_id=user_id):
            sections[item.section].append(json.loads(item.document))
    return sections


@pytest.fixture
def known(desk, ada, database):
    """Ada, of whom every table says something."""
    rows = {
        Factor: {
            "id": uuid4(),
            "factor_type": "totp",
            "status": "verified",
            "friendly_name": "my phone",
            "sealed_secret": b"factor-secret",
            "created_at": desk.now,
            "updated_at": desk.now,
        },
        KnownNetwork: {"network": "192.0.2.0/24", "last_used_at": desk.now},
        Mail: {
            "id": uuid4(),
            "kind": "recovery",
            "address": "ada@example.com",
            "data": {"code": "mailed-secret"},
            "next_attempt_at": desk.now,
            "created_at": desk.now,
        },
    }
    with database.transaction() as session:
        for table, row in rows.items():
            session.execute(insert(table).values(user_id=ada.user.id, **row))
    desk.update(ada, data={"full_name": "Ada Lovelace", "city": "London"})
    return ada


class TestExport:
    def test_says_who_the_user_is_and_how_they_prove_it(self, database, known):
        (user,) = exported(database, known.user.id)["auth"]
        assert (user["id"], user["email"]) == (str(known.user.id), "ada@example.com")
        assert user["user_metadata"] == {"full_name": "Ada Lovelace", "city": "London"}
        assert user["identities"][0]["identity_data"]["email"] == "ada@example.com"
        assert user["factors"][0]["friendly_name"] == "my phone"
        assert user["known_networks"][0]["network"] == "192.0.2.0/24"
        assert user["mails"][0]["kind"] == "recovery"
        assert (user["sessions"][0]["ip"], user["sessions"][0]["user_agent"]) == ("203.0.113.9", "pytest")

    def test_says_what_the_user_did_in_order(self, database, known):
        activity = exported(database, known.user.id)["activity"]
        assert [entry["action"] for entry in activity][-1] == "user_modified"
        assert [entry["at"] for entry in activity] == sorted(entry["at"] for entry in activity)
        assert {entry["ip"] for entry in activity} == {"203.0.113.9"}

    def test_holds_nothing_that_opens_the_account(self, database, desk, known):
        text = json.dumps(exported(database, known.user.id))
        for secret in ("argon2", "factor-secret", "mailed-secret", known.refresh_token, "password_hash"):
            assert secret not in text

    def test_does_not_say_which_administrator_did_something_and_from_where(self, database, desk, known):
        act = Act(uuid4(), ADMIN, desk.now)
        attributes = UserAttributes(user_metadata={"checked": True})
        administration.update_user(
            database, desk.tools, user_id=known.user.id, attributes=attributes, act=act
        )
        activity = exported(database, known.user.id)["activity"]
        assert activity[-1].keys() == {"at", "service", "action"}
        text = json.dumps(activity)
        assert str(act.admin_id) not in text
        assert ADMIN.ip not in text

    def test_holds_nothing_of_anybody_else(self, database, desk, known):
        eve = replace(desk, origin=replace(desk.origin, ip="198.51.100.66")).sign_up(
            "eve@example.com", data={"full_name": "Eve"}
        )
        text = json.dumps(exported(database, known.user.id))
        for word in ("eve@example.com", "Eve", "198.51.100.66", str(eve.user.id)):
            assert word not in text

    def test_of_nobody_is_empty(self, database):
        assert exported(database, uuid4()) == {"auth": [], "activity": []}


def tables_about_users() -> dict[str, Table]:
    """The tables whose rows belong to a user, and that of the users themselves."""
    return {
        name: table
        for name, table in Base.metadata.tables.items()
        if name == "users" or {"user_id", "factor_id", "session_id"} & set(table.columns.keys())
    }


def column_names(table: type[Base]) -> set[str]:
    return {column.name for column in table.__table__.columns}


class TestTables:
    def test_that_know_users_are_exported_or_skipped_for_a_reason(self):
        shown = {inspect(table).local_table.name for table in HIDDEN}
        assert tables_about_users().keys() == shown | SKIPPED | {"audit_log"}

    @pytest.mark.parametrize("table", HIDDEN, ids=lambda table: table.__tablename__)
    def test_hide_only_columns_there_are(self, table):
        assert set(HIDDEN[table]) <= column_names(table)

    @pytest.mark.parametrize("table", HIDDEN, ids=lambda table: table.__tablename__)
    def test_hide_everything_that_is_secret(self, table):
        telling = ("hash", "secret", "digest", "token")
        secrets = {name for name in column_names(table) if any(word in name for word in telling)}
        assert secrets <= set(HIDDEN[table])
