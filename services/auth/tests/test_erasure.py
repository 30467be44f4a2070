"""Nothing of an erased person is left in any column of any table."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Boolean, Column, DateTime, Enum, LargeBinary, Table, Text, Uuid, insert, text
from sqlalchemy.dialects.postgresql import CIDR, INET, JSONB
from sqlalchemy.orm import Session

from cas_auth.credentials.audit_seals import AuditSeals
from cas_auth.models import Base
from cas_auth.operations import administration, directory
from cas_auth.operations.administration import Act
from cas_auth.operations.audit_seals import AuditSealer, verify_audit_log

CANARY = "canary"
CANARY_IP = "192.0.2.66"
USER, SESSION, FACTOR, FLOW = uuid4(), uuid4(), uuid4(), uuid4()

# What rows are about. A column that is not named here and refers to nothing gets a canary.
KNOWN: dict[tuple[str, str], Any] = {
    ("users", "id"): USER,
    ("users", "deleted_at"): None,
    ("sessions", "id"): SESSION,
    ("factors", "id"): FACTOR,
    ("flow_states", "id"): FLOW,
    ("revoked_sessions", "session_id"): SESSION,
    # The log keeps what happened to which id. Words and ids of ours stand there, nothing personal.
    ("audit_log", "traits"): {},
    ("audit_log", "request_id"): "request-1",
}
REFERENCES = {
    "user_id": USER,
    "actor_id": USER,
    "linking_user_id": USER,
    "session_id": SESSION,
    "factor_id": FACTOR,
    "flow_id": FLOW,
}
# Where the ids of the user or of their session stay: what happened, and which tokens count no more.
IDS_STAY = {"audit_log", "revoked_sessions", "outbox_messages"}
# Tables that hold nothing about people.
IMPERSONAL = {
    "signing_keys": "keys of ours",
    "outbox_messages": "ids of mails and sessions, for a moment",
    "audit_seals": "made from the log by the sealer",
}


def value_of(table: Table, column: Column) -> Any:
    if (table.name, column.name) in KNOWN:
        return KNOWN[table.name, column.name]
    if column.name in REFERENCES:
        return REFERENCES[column.name]
    return plain_value(column)


def plain_value(column: Column) -> Any:
    if isinstance(column.type, Enum):
        return column.type.enums[0]
    return next((make(column) for kind, make in PLAIN.items() if isinstance(column.type, kind)), 1)


PLAIN: dict[type, Callable[[Column], Any]] = {
    Text: lambda column: f"{CANARY}-{column.name}",
    JSONB: lambda _: {CANARY: CANARY},
    LargeBinary: lambda _: CANARY.encode(),
    INET: lambda _: CANARY_IP,
    CIDR: lambda _: f"{CANARY_IP}/32",
    Uuid: lambda _: uuid4(),
    DateTime: lambda _: text("now()"),
    Boolean: lambda _: False,
}


def plant(session: Session, table: Table, **fixed: Any) -> None:
    values = {column.name: value_of(table, column) for column in table.columns if column.identity is None}
    session.execute(insert(table).values({**values, **fixed}))


@pytest.fixture
def planted(database, desk, tools):
    """A user of whom every column of every table says something."""
    tables = Base.metadata.tables
    with database.transaction() as session:
        for table in Base.metadata.sorted_tables:
            if table.name not in IMPERSONAL:
                plant(session, table)
        plant(session, tables["mails"], id=uuid4(), user_id=None, address=f"{CANARY}-email")
        plant(session, tables["mails"], id=uuid4(), user_id=None, address=f"{CANARY}-new_email")
        for owner in ({"user_id": None}, {"linking_user_id": None}):
            plant(session, tables["flow_states"], id=uuid4(), auth_code_digest=uuid4().bytes, **owner)
        mailed = uuid4()
        nobodys = {"user_id": None, "linking_user_id": None, "auth_code_digest": uuid4().bytes}
        plant(session, tables["flow_states"], id=mailed, **nobodys)
        token = {"kind": "recovery", "link_digest": uuid4().bytes}
        plant(session, tables["one_time_tokens"], id=uuid4(), flow_id=mailed, **token)
    assert AuditSealer(database, AuditSeals(tools.encryption_key)).run_once() > 0
    found = left(database)
    assert all(found[name] for name in tables.keys() - IMPERSONAL.keys())


def left(database) -> dict[str, list[str]]:
    """Every row that speaks of the user, by table."""
    signs = (CANARY, CANARY.encode().hex(), CANARY_IP, str(USER), str(SESSION))
    with database.transaction() as session:
        rows = {
            name: session.execute(text(f"SELECT row_to_json(t)::text FROM {name} AS t")).scalars().all()
            for name in Base.metadata.tables
        }
    return {
        name: [row for row in found if any(sign in row for sign in signs)] for name, found in rows.items()
    }


def personal(database) -> dict[str, list[str]]:
    """What is left beside ids that stay."""

    def is_personal(name: str, row: str) -> bool:
        return name not in IDS_STAY or CANARY in row or CANARY_IP in row

    kept = {name: [row for row in rows if is_personal(name, row)] for name, rows in left(database).items()}
    return {name: rows for name, rows in kept.items() if rows}


class TestErasure:
    def test_leaves_nothing_of_a_person(self, database, desk, tools, planted):
        with database.transaction() as session:
            removed = directory.erase_user(session, user_id=USER, origin=desk.origin, now=desk.now)
        assert removed >= len(Base.metadata.tables) - len(IMPERSONAL) - 3
        assert personal(database) == {}
        with database.transaction() as session:
            assert not verify_audit_log(session, AuditSeals(tools.encryption_key)).findings

    def test_leaves_nothing_but_an_id_when_that_is_kept(self, database, desk, planted):
        with database.transaction() as session:
            administration.delete_user(
                session, user_id=USER, keep_id=True, act=Act(None, desk.origin, desk.now)
            )
        (row,) = personal(database).pop("users")
        assert str(USER) in row
        assert CANARY not in row
        assert personal(database).keys() == {"users"}

    def test_leaves_others_alone(self, database, desk, ada, planted):
        with database.transaction() as session:
            directory.erase_user(session, user_id=USER, origin=desk.origin, now=desk.now)
        assert desk.authenticate(ada)
        assert desk.refresh(ada.refresh_token)
        assert desk.sign_in()
