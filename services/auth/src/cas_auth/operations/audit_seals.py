"""Chain the audit log, and hold it against its chain (docs/adr/0018)."""

import secrets
from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from cas_auth.credentials.audit_seals import FIRST_HASH, SALT_BYTES, AuditSeals, origin_digest
from cas_auth.domain.audit_chain import ChainHead, Finding, Flaw, Verdict
from cas_auth.models import AuditEntry, AuditSeal
from cas_auth.repository import audit_seals
from cas_auth.repository.audit_seals import Horizon
from cas_kit.db import Database
from cas_kit.errors import Unavailable

BATCH = 1000
BATCHES_AT_ONCE = 20  # then others get their turn, and the process may stop

log = structlog.get_logger(__name__)


class AuditSealer:
    """Seals entries shortly after they are durable, in the order of their numbers, and none before its elders.

    Run one in every process: they take turns.
    """

    def __init__(self, database: Database, seals: AuditSeals) -> None:
        self._database = database
        self._seals = seals
        self._waiting_for: Horizon | None = None

    def run(self) -> None:
        """Seal what is settled, or leave it to the next time while the database is away."""
        try:
            self.run_once()
        except Unavailable:
            log.warning("audit_sealing_postponed")

    def run_once(self) -> int:
        """Seal what is settled; the number of entries sealed. Safe to repeat and to run at once.

        :raises Unavailable: the database cannot be reached.
        """
        up_to_id = self._settled()
        sealed = 0
        for _ in range(BATCHES_AT_ONCE if up_to_id is not None else 0):
            found = self._seal_batch(up_to_id or 0)
            sealed += found
            if found < BATCH:
                break
        return sealed

    def _settled(self) -> int | None:
        """The number up to which no entry can appear any more; None until those who might add one have ended."""
        with self._database.transaction() as session:
            horizon = self._waiting_for or audit_seals.read_horizon(session)
            settled = not horizon.writers & audit_seals.list_writers(session)
        self._waiting_for = None if settled else horizon
        return horizon.last_id if settled else None

    def _seal_batch(self, up_to_id: int) -> int:
        with self._database.transaction() as session:
            if not audit_seals.lock_seals(session, wait=False):
                return 0
            newest = audit_seals.find_newest_seal(session)
            entries = audit_seals.list_entries(
                session, after_id=newest.entry_id if newest else 0, up_to_id=up_to_id, limit=BATCH
            )
            if entries:
                audit_seals.add_seals(session, self._sealed(entries, newest))
        return len(entries)

    def _sealed(self, entries: Sequence[AuditEntry], newest: AuditSeal | None) -> Sequence[AuditSeal]:
        position, previous = (newest.position, newest.hash) if newest else (0, FIRST_HASH)
        made = []
        for entry in entries:
            position += 1
            salt = secrets.token_bytes(SALT_BYTES)
            digest = origin_digest(entry, salt)
            previous = self._seals.hash(entry, position=position, previous=previous, origin_digest=digest)
            made.append(
                AuditSeal(
                    position=position,
                    entry_id=entry.id,
                    origin_salt=salt,
                    origin_digest=digest,
                    hash=previous,
                )
            )
        return made


def find_head(session: Session) -> ChainHead | None:
    """The newest seal, to keep where whoever writes the database cannot; None while there is none."""
    newest = audit_seals.find_newest_seal(session)
    return ChainHead(newest.position, newest.hash) if newest else None


def verify_audit_log(session: Session, seals: AuditSeals, *, kept: ChainHead | None = None) -> Verdict:
    """Hold every sealed entry against its seal.

    :param kept: a head that was kept elsewhere. Without one nobody can tell a log that was cut off from a young one.
    """
    return _Verification(session, seals, kept).run()


class _Verification:
    """One walk along the chain. After a flaw it goes on with the stored seal, so that each flaw is told once."""

    def __init__(self, session: Session, seals: AuditSeals, kept: ChainHead | None) -> None:
        self._session = session
        self._seals = seals
        self._kept = kept
        self._newest: AuditSeal | None = None
        self._findings: list[Finding] = []
        self._blanked: dict[UUID | None, Finding] = {}  # the first of each user

    def run(self) -> Verdict:
        """Walk from the first seal to the last."""
        while batch := audit_seals.list_seals(
            self._session, after_position=self._newest.position if self._newest else None, limit=BATCH
        ):
            self._check_batch(batch)
            self._session.expunge_all()
        newest = self._newest
        if self._kept is not None and (newest is None or newest.position < self._kept.position):
            self._findings.append(Finding(Flaw.HEAD_MISSING, self._kept.position))
        return Verdict(
            head=ChainHead(newest.position, newest.hash) if newest else None,
            waiting=audit_seals.count_entries_after(self._session, entry_id=newest.entry_id if newest else 0),
            findings=self._findings,
        )

    def _check_batch(self, batch: Sequence[tuple[AuditSeal, AuditEntry | None]]) -> None:
        reached = self._newest.entry_id if self._newest else None
        for seal, entry in batch:
            self._check(seal, entry)
            self._newest = seal
        for entry_id in audit_seals.list_unsealed(
            self._session, after_id=reached, up_to_id=batch[-1][0].entry_id
        ):
            self._findings.append(Finding(Flaw.ENTRY_ADDED, entry_id=entry_id))
        self._check_blanked()

    def _check(self, seal: AuditSeal, entry: AuditEntry | None) -> None:
        before = self._newest
        if seal.position != (before.position if before else 0) + 1:
            self._report(Flaw.SEAL_MISSING, seal)
        if before is not None and seal.entry_id <= before.entry_id:
            self._report(Flaw.ENTRY_MOVED, seal)
        if self._kept is not None and seal.position == self._kept.position and seal.hash != self._kept.hash:
            self._report(Flaw.HEAD_CHANGED, seal)
        if entry is None:
            self._report(Flaw.ENTRY_MISSING, seal)
            return
        expected = self._seals.hash(
            entry,
            position=seal.position,
            previous=before.hash if before else FIRST_HASH,
            origin_digest=seal.origin_digest,
        )
        if seal.hash != expected:
            self._report(Flaw.SEAL_CHANGED, seal)
        self._check_origin(seal, entry)

    def _check_origin(self, seal: AuditSeal, entry: AuditEntry) -> None:
        if seal.origin_salt is not None:
            if origin_digest(entry, seal.origin_salt) != seal.origin_digest:
                self._report(Flaw.ORIGIN_CHANGED, seal)
        elif entry.ip is not None or entry.user_agent is not None:
            self._report(Flaw.ORIGIN_CHANGED, seal)
        else:
            finding = Finding(Flaw.ORIGIN_BLANKED, seal.position, seal.entry_id)
            self._blanked.setdefault(entry.actor_id, finding)

    def _check_blanked(self) -> None:
        """Blank origins belong to users who were erased."""
        users = [user_id for user_id in self._blanked if user_id is not None]
        erased = audit_seals.list_erased(self._session, user_ids=users) if users else frozenset()
        self._findings += [finding for user_id, finding in self._blanked.items() if user_id not in erased]
        self._blanked.clear()

    def _report(self, flaw: Flaw, seal: AuditSeal) -> None:
        self._findings.append(Finding(flaw, seal.position, seal.entry_id))
