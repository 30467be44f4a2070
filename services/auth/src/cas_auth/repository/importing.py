"""Write what is taken over from elsewhere: new rows, and those that changed there since."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Enum,
    String,
    Table,
    TableValuedAlias,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, Insert, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from cas_auth.models import Base, Factor, Identity, User

Rows = Sequence[Mapping[str, Any]]
_KEYS = {
    User.__tablename__: ("id",),
    Identity.__tablename__: ("provider", "provider_id"),
    Factor.__tablename__: ("id",),
}
_FIXED = {"id", "user_id", "created_at"}
_REASONS = {
    "uq_users_email": "the address belongs to another user",
    "uq_users_phone": "the number belongs to another user",
    "pk_identities": "the id belongs to another identity",
    "uq_factors_user_id_friendly_name": "the user has another factor of this name",
}


class Refused(Exception):
    """The database takes at least one of these rows not; the text says why, if it was one row."""


def upsert(session: Session, table_name: str, rows: Rows) -> tuple[int, int]:
    """Add these rows, and bring those that are there up to date where theirs changed later; how many of each.

    A row that was changed here later stays as it is, and so does one that is not the same user's, or of a deleted one.

    :raises Refused: and none of them is written.
    """
    statement = _statement(Base.metadata.tables[table_name], rows[0].keys())
    try:
        with session.begin_nested():
            added = session.execute(statement, {"rows": _as_json(rows)}).scalars().all()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        raise Refused(_reason(error)) from error
    return added.count(True), added.count(False)


def known_users(session: Session, *, user_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of these users that there are."""
    wanted = bindparam("ids", list(user_ids), type_=ARRAY(Uuid))
    return frozenset(session.scalars(select(User.id).where(User.id == any_(wanted))))


def owners_of_identities(
    session: Session, *, names: Collection[tuple[str, str]]
) -> Mapping[tuple[str, str], UUID]:
    """Whose the identities of these providers and their ids are, as far as they are known."""
    wanted = _records([column(name, Text) for name in _KEYS[Identity.__tablename__]])
    rows = session.execute(
        select(Identity.provider, Identity.provider_id, Identity.user_id).where(
            Identity.provider == wanted.c.provider, Identity.provider_id == wanted.c.provider_id
        ),
        {"rows": _as_json([{"provider": name, "provider_id": key} for name, key in names])},
    )
    return {(provider, provider_id): user_id for provider, provider_id, user_id in rows}


def _statement(table: Table, names: Collection[str]) -> Any:
    """One parameter holds all rows: a thousand rows of parameters of their own take ten times as long."""
    columns = [table.c[name] for name in names]
    statement = insert(table).from_select(columns, select(_records(columns)))
    keys = _KEYS[table.name]
    changes: dict[str, ColumnElement[Any]] = {
        name: statement.excluded[name] for name in names if name not in {*keys, *_FIXED}
    }
    condition = statement.excluded.updated_at > table.c.updated_at
    if "user_id" in table.c:
        condition &= statement.excluded.user_id == table.c.user_id
    if table.name == User.__tablename__:
        condition &= table.c.deleted_at.is_(None)
        changes |= _decided_here(table, statement)
    return statement.on_conflict_do_update(index_elements=keys, set_=changes, where=condition).returning(
        literal_column("xmax = 0")
    )


def _decided_here(table: Table, statement: Insert) -> dict[str, ColumnElement[Any]]:
    """What the other side cannot know of a user: their roles in the marketplace, and how long we ban them."""
    ours, theirs = table.c, statement.excluded
    roles = func.jsonb_build_object(
        "roles", ours.app_metadata["roles"], "active_role", ours.app_metadata["active_role"]
    )
    return {
        "app_metadata": case(
            (ours.app_roles_version > 0, theirs.app_metadata.op("||")(roles)), else_=theirs.app_metadata
        ),
        "banned_until": func.greatest(ours.banned_until, theirs.banned_until),
    }


def _records(columns: Sequence[ColumnClause[Any]]) -> TableValuedAlias:
    """The rows of the parameter `rows`, as a table with these columns."""
    rows = cast(bindparam("rows", type_=Text), JSON)
    typed = [column(each.name, String if isinstance(each.type, Enum) else each.type) for each in columns]
    return func.json_to_recordset(rows).table_valued(*typed).render_derived(name="records", with_types=True)


def _as_json(rows: Rows) -> str:
    return json.dumps(rows, default=_written)


def _written(value: object) -> str:
    """What JSON has no form for, as PostgreSQL reads it."""
    match value:
        case datetime():
            return value.isoformat()
        case bytes():
            return f"\\x{value.hex()}"
    return str(value)


def _reason(error: DBAPIError) -> str:
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    return _REASONS.get(
        constraint or "", f"the database refuses it ({getattr(error.orig, 'sqlstate', None)})"
    )
