"""Take over the users of a Supabase project, batch by batch (docs/migrate-from-supabase.md)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from cas_auth.credentials.imported_hashes import UnsupportedHash, check_hash
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.factors import FactorStatus, FactorType
from cas_auth.domain.supabase_export import (
    ImportedFactor,
    ImportedIdentity,
    ImportedUser,
    LeftOut,
    RowKind,
    RowRefused,
)
from cas_auth.operations.tools import Tools
from cas_auth.repository import importing
from cas_auth.repository.audit_log import add_audit_entry
from cas_auth.repository.audit_seals import list_erased
from cas_kit.db import Database


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row of an export, and where it stands."""

    file: str
    line: int
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What could not be taken, and why; it repeats nothing of the row but its id.

    :param taken: all but this was taken.
    """

    file: str
    line: int
    reason: str
    taken: bool = False

    @classmethod
    def of(cls, row: SourceRow, reason: str, *, taken: bool = False) -> "Problem":
        """A problem with this row."""
        return cls(file=row.file, line=row.line, reason=reason, taken=taken)


@dataclass(slots=True)
class Tally:
    """What became of the rows of one table."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    left_out: int = 0
    refused: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.added + self.updated + self.unchanged + self.left_out + self.refused


@dataclass(slots=True)
class _Batch:
    """Rows of one table that can be written, each with its columns in our table."""

    kind: RowKind
    writable: list[tuple[SourceRow, dict[str, Any]]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: int = 0


class Importer:
    """Takes rows over. Everything is safe to repeat: what is here already stays, unless it changed there later."""

    def __init__(self, database: Database, tools: Tools) -> None:
        self._database = database
        self._tools = tools
        self.tallies = {kind: Tally() for kind in RowKind}

    def take(self, kind: RowKind, rows: Sequence[SourceRow]) -> Sequence[Problem]:
        """Take over rows of one table in one transaction; what could not be taken.

        :raises Unavailable: the database cannot be reached; none of these was taken.
        """
        batch = self._read(kind, rows)
        with self._database.transaction() as session:
            _leave_the_deleted(session, batch)
            self._check_owners(session, batch)
            added, updated = _write(session, batch)
        refused = sum(not problem.taken for problem in batch.problems)
        tally = self.tallies[kind]
        tally.added += added
        tally.updated += updated
        tally.left_out += batch.left_out
        tally.refused += refused
        tally.unchanged += len(rows) - added - updated - batch.left_out - refused
        return sorted(batch.problems, key=lambda problem: problem.line)

    def record(self, *, origin: Origin, now: datetime) -> None:
        """Put the import on record, with its numbers, if it changed anything."""
        traits = {str(kind): tally.added + tally.updated for kind, tally in self.tallies.items()}
        if not any(traits.values()):
            return
        with self._database.transaction() as session:
            add_audit_entry(
                session, AuditAction.USERS_IMPORTED, actor_id=None, origin=origin, now=now, traits=traits
            )

    def _read(self, kind: RowKind, rows: Iterable[SourceRow]) -> _Batch:
        batch = _Batch(kind)
        readers: Mapping[RowKind, Callable[[SourceRow, _Batch], dict[str, Any]]] = {
            RowKind.USER: self._user,
            RowKind.IDENTITY: lambda row, _: _columns(ImportedIdentity.read(row.columns)),
            RowKind.FACTOR: lambda row, _: self._factor(row),
        }
        for row in rows:
            try:
                batch.writable.append((row, readers[kind](row, batch)))
            except LeftOut:
                batch.left_out += 1
            except RowRefused as error:
                batch.problems.append(Problem.of(row, str(error)))
        return batch

    def _user(self, row: SourceRow, batch: _Batch) -> dict[str, Any]:
        user = ImportedUser.read(row.columns, allow_test_domains=self._tools.settings.allows_test_domains)
        try:
            if user.password_hash is not None:
                check_hash(user.password_hash)
        except UnsupportedHash as error:
            user = replace(user, password_hash=None)
            batch.problems.append(Problem.of(row, f"taken without the password: {error}", taken=True))
        return _columns(user)

    def _factor(self, row: SourceRow) -> dict[str, Any]:
        factor = ImportedFactor.read(row.columns)
        columns = _columns(factor)
        sealed = self._tools.totp.of(columns.pop("secret"), factor_id=factor.id).sealed
        proven = {"factor_type": FactorType.TOTP, "status": FactorStatus.VERIFIED, "sealed_secret": sealed}
        return columns | proven

    def _check_owners(self, session: Session, batch: _Batch) -> None:
        """Set rows aside that are about a user who is not here, or whose identity is somebody else's."""
        if batch.kind is RowKind.USER:
            return
        known = importing.known_users(session, user_ids={columns["user_id"] for _, columns in batch.writable})
        names = {_name(columns) for _, columns in batch.writable} if batch.kind is RowKind.IDENTITY else set()
        owners = importing.owners_of_identities(session, names=names) if names else {}
        kept = []
        for row, columns in batch.writable:
            if columns["user_id"] not in known:
                batch.problems.append(Problem.of(row, "its user was not taken"))
            elif owners.get(_name(columns), columns["user_id"]) != columns["user_id"]:
                batch.problems.append(Problem.of(row, "the identity belongs to another user here"))
            else:
                kept.append((row, columns))
        batch.writable = kept


def _leave_the_deleted(session: Session, batch: _Batch) -> None:
    """Set rows aside of users who were deleted here: the other side does not know it."""
    user_of = "id" if batch.kind is RowKind.USER else "user_id"
    erased = list_erased(session, user_ids={columns[user_of] for _, columns in batch.writable})
    kept = []
    for row, columns in batch.writable:
        if columns[user_of] in erased:
            batch.problems.append(Problem.of(row, "the user was deleted here"))
        else:
            kept.append((row, columns))
    batch.writable = kept


def _write(session: Session, batch: _Batch) -> tuple[int, int]:
    """Write all at once, or one by one where the database does not take them all; how many are new and newer."""
    if not batch.writable:
        return 0, 0
    try:
        return importing.upsert(session, batch.kind, [columns for _, columns in batch.writable])
    except importing.Refused:
        pass
    added = updated = 0
    for row, columns in batch.writable:
        try:
            new, newer = importing.upsert(session, batch.kind, [columns])
        except importing.Refused as refusal:
            batch.problems.append(Problem.of(row, str(refusal)))
        else:
            added, updated = added + new, updated + newer
    return added, updated


def _columns(imported: ImportedUser | ImportedIdentity | ImportedFactor) -> dict[str, Any]:
    return {column.name: getattr(imported, column.name) for column in fields(imported)}


def _name(columns: Mapping[str, Any]) -> tuple[str, str]:
    return columns.get("provider", ""), columns.get("provider_id", "")
