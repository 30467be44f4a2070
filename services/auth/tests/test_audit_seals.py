"""The chain over the audit log: it holds while many write and seal, and any change to the log breaks it."""

import argparse
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from cas_auth.commands.audit import AUDIT, audit
from cas_auth.credentials.audit_seals import AuditSeals
from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.audit_chain import ChainHead, Flaw
from cas_auth.domain.refusals import InvalidCredentials
from cas_auth.models import AuditEntry, AuditSeal
from cas_auth.operations import audit_seals, directory
from cas_auth.operations.audit_seals import AuditSealer, find_head, verify_audit_log
from cas_auth.repository.audit_log import add_audit_entry
from cas_kit.errors import Unavailable
from cas_kit.testing import until

TAMPERINGS = 2000


@pytest.fixture
def seals(tools) -> AuditSeals:
    return AuditSeals(tools.encryption_key)


@pytest.fixture
def sealer(database, seals) -> AuditSealer:
    return AuditSealer(database, seals)


@pytest.fixture
def verify(database, seals):
    """Hold the log against its seals: `verify(kept=head)`."""

    def run(*, kept=None):
        with database.transaction() as session:
            return verify_audit_log(session, seals, kept=kept)

    return run


def record(session: Session, desk, actor_id: UUID | None = None, *, ip: str | None = "203.0.113.9") -> None:
    origin = Origin(request_id="request-1", ip=ip, user_agent="Firefox")
    traits = {"user_id": str(uuid4()), "b": 1}
    add_audit_entry(
        session, AuditAction.USER_MODIFIED, actor_id=actor_id, origin=origin, now=desk.now, traits=traits
    )
    session.flush()


def use_up_a_number(database, desk) -> None:
    with Session(database.engine) as session:
        record(session, desk)
        session.rollback()


def flaws(verdict) -> set[Flaw]:
    return {finding.flaw for finding in verdict.findings}


class TestSealing:
    def test_seals_every_entry_once(self, desk, ada, sealer, verify, database, audit):
        with pytest.raises(InvalidCredentials):
            desk.sign_in(password="wrong password")
        assert verify().waiting == len(audit()) == 3
        assert sealer.run_once() == 3
        assert sealer.run_once() == 0
        verdict = verify()
        assert (verdict.waiting, verdict.findings, verdict.head.position) == (0, [], 3)

    def test_goes_on_in_batches(self, desk, sealer, verify, database, monkeypatch):
        monkeypatch.setattr(audit_seals, "BATCH", 10)
        with database.transaction() as session:
            for _ in range(250):
                record(session, desk)
        assert (sealer.run_once(), sealer.run_once()) == (200, 50)
        assert not verify().findings

    def test_waits_for_those_who_began_earlier(self, desk, sealer, verify, database, audit):
        with database.transaction() as early:
            record(early, desk)
            with database.transaction() as session:
                record(session, desk)
            assert sealer.run_once() == 0
            with database.transaction() as session:
                record(session, desk)
            assert sealer.run_once() == 0
        assert sealer.run_once() == 2  # those below the horizon it waited for
        assert sealer.run_once() == 1
        assert not verify().findings

    def test_does_not_wait_for_those_who_only_read(self, desk, ada, sealer, database):
        with database.transaction() as reader:
            reader.scalars(select(AuditEntry)).all()
            assert sealer.run_once() == 2

    def test_skips_numbers_nobody_used(self, desk, sealer, verify, database):
        use_up_a_number(database, desk)
        with database.transaction() as session:
            record(session, desk)
        assert sealer.run_once() == 1
        assert not verify().findings

    def test_leaves_it_to_whoever_is_at_it(self, desk, ada, sealer, database):
        with database.transaction() as session:
            session.execute(select(func.pg_advisory_xact_lock(0x5EA1)))
            assert sealer.run_once() == 0
        assert sealer.run_once() == 2

    def test_survives_parallel_writers_and_sealers(self, desk, database, seals, verify):
        stop = threading.Event()

        def write(seed: int) -> int:
            chance, written = random.Random(seed), 0
            for _ in range(60):
                number = chance.randint(1, 4)
                try:
                    with database.transaction() as session:
                        for _ in range(number):
                            record(session, desk)
                        if chance.random() < 0.2:
                            raise ZeroDivisionError
                    written += number
                except ZeroDivisionError:
                    pass
            return written

        def seal() -> int:
            sealer, sealed = AuditSealer(database, seals), 0
            while not stop.is_set():
                sealed += sealer.run_once()
            return sealed

        with ThreadPoolExecutor(5) as threads:
            sealers = [threads.submit(seal) for _ in range(2)]
            written = sum(threads.map(write, range(3)))
            until(lambda: verify().waiting == 0)
            stop.set()
            assert sum(sealer.result() for sealer in sealers) == written
        assert not verify().findings
        assert verify().head.position == written


class TestErasing:
    def erase(self, desk, user_id):
        with desk.database.transaction() as session:
            directory.erase_user(session, user_id=user_id, origin=desk.origin, now=desk.now)

    def test_leaves_the_chain_good(self, desk, ada, sealer, verify, database):
        desk.sign_up("eve@example.com")
        sealer.run_once()
        before = verify().head
        self.erase(desk, ada.user.id)
        assert not verify(kept=before).findings
        sealer.run_once()
        assert not verify(kept=before).findings
        with database.transaction() as session:
            salts = dict(
                session.execute(
                    select(AuditEntry.actor_id, func.count(AuditSeal.origin_salt))
                    .join(AuditSeal, AuditSeal.entry_id == AuditEntry.id)
                    .where(AuditEntry.action != AuditAction.USER_DELETED)
                    .group_by(AuditEntry.actor_id)
                ).all()
            )
        assert salts.pop(ada.user.id) == 0
        assert list(salts.values()) == [2]

    def test_can_come_before_sealing(self, desk, ada, sealer, verify):
        self.erase(desk, ada.user.id)
        sealer.run_once()
        assert not verify().findings

    def test_notices_origins_blanked_of_somebody_who_was_not_erased(
        self, desk, ada, sealer, verify, database
    ):
        sealer.run_once()
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE audit_log SET ip = NULL, user_agent = NULL"))
        assert flaws(verify()) == {Flaw.ORIGIN_CHANGED}
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE audit_seals SET origin_salt = NULL"))
        assert flaws(verify()) == {Flaw.ORIGIN_BLANKED}


class TestSealsTable:
    @pytest.mark.parametrize(
        "statement",
        [
            delete(AuditSeal),
            update(AuditSeal).values(hash=b"x", origin_salt=None),
            update(AuditSeal).values(position=AuditSeal.position + 1000),
            update(AuditSeal).values(origin_salt=b"x"),
        ],
    )
    def test_refuses_a_change(self, database, ada, sealer, statement, verify):
        sealer.run_once()
        with pytest.raises(DBAPIError, match="append only"), database.engine.begin() as connection:
            connection.execute(statement)
        assert not verify().findings


@pytest.fixture
def unguarded(database):
    """A connection on which the triggers are off; everything on it is undone at the end."""
    with database.engine.connect() as connection, connection.begin() as transaction:
        for table in ("audit_log", "audit_seals"):
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        yield connection
        transaction.rollback()


Tampering = Callable[[Connection, random.Random, int], None]
SOME_ENTRY = "(SELECT entry_id FROM audit_seals WHERE position = :at)"


def _edits() -> dict[str, Tampering]:
    columns = {
        "actor_id": "gen_random_uuid()",
        "session_id": "gen_random_uuid()",
        "action": "CASE action WHEN 'logout' THEN 'login' ELSE 'logout' END",
        "traits": "traits || '{\"c\": 1}'",
        "request_id": "request_id || '0'",
        "ip": "'198.51.100.7'",
        "user_agent": "coalesce(user_agent, '') || ' '",
        "created_at": "created_at + interval '1 microsecond'",
        "id": "id + 1000000",
    }

    def edit(column: str, value: str) -> Tampering:
        statement = text(f"UPDATE audit_log SET {column} = {value} WHERE id = {SOME_ENTRY}")
        if column == "id":
            statement = text(
                f"INSERT INTO audit_log OVERRIDING SYSTEM VALUE SELECT id + 1000000, actor_id, session_id, action, "
                f"request_id, ip, user_agent, created_at, traits FROM audit_log WHERE id = {SOME_ENTRY}"
            )
            return lambda c, r, n: (
                c.execute(statement, {"at": (at := r.randint(1, n))}),
                c.execute(text(f"DELETE FROM audit_log WHERE id = {SOME_ENTRY}"), {"at": at}),
            )
        return lambda c, r, n: c.execute(statement, {"at": r.randint(1, n)})

    return {f"edit {column}": edit(column, value) for column, value in columns.items()}


def _run(statement: str) -> Tampering:
    return lambda c, r, n: c.execute(text(statement), {"at": r.randint(1, n)})


def _swap(c: Connection, r: random.Random, n: int) -> None:
    first, second = r.sample(range(1, n + 1), 2)
    for column in ("request_id", "traits", "created_at"):
        c.execute(
            text(
                f"UPDATE audit_log e SET {column} = o.{column} FROM audit_log o, audit_seals a, audit_seals b "
                "WHERE ((a.position, b.position) IN ((:first, :second), (:second, :first))) "
                "AND e.id = a.entry_id AND o.id = b.entry_id"
            ),
            {"first": first, "second": second},
        )


def _swap_seals(c: Connection, r: random.Random, n: int) -> None:
    first, second = r.sample(range(1, n + 1), 2)
    move = text("UPDATE audit_seals SET position = :to WHERE position = :at")
    for at, to in ((first, -1), (second, first), (-1, second)):
        c.execute(move, {"at": at, "to": to})


def _insert(c: Connection, r: random.Random, n: int) -> None:
    """An entry with a number nobody used, between two sealed ones or before the first."""
    c.execute(
        text(
            "INSERT INTO audit_log OVERRIDING SYSTEM VALUE SELECT free.id, e.actor_id, e.session_id, e.action, "
            "e.request_id, e.ip, e.user_agent, e.created_at, e.traits FROM audit_log e, (SELECT g.id FROM "
            "generate_series((SELECT min(id) - 5 FROM audit_log), (SELECT max(id) FROM audit_log)) AS g (id) "
            "WHERE g.id NOT IN (SELECT id FROM audit_log) ORDER BY random() LIMIT 1) free "
            f"WHERE e.id = {SOME_ENTRY}"
        ),
        {"at": r.randint(1, n)},
    )


TAMPERINGS_BY_NAME: dict[str, Tampering] = {
    **_edits(),
    "delete an entry": _run(f"DELETE FROM audit_log WHERE id = {SOME_ENTRY}"),
    "delete an entry and its seal": lambda c, r, n: (
        c.execute(
            text(f"DELETE FROM audit_log WHERE id = {SOME_ENTRY}"), {"at": (at := r.randint(1, n - 1))}
        ),
        c.execute(text("DELETE FROM audit_seals WHERE position = :at"), {"at": at}),
    ),
    "delete a seal": lambda c, r, n: c.execute(
        text("DELETE FROM audit_seals WHERE position = :at"), {"at": r.randint(1, n - 1)}
    ),
    "delete the beginning": _run(
        f"WITH gone AS (DELETE FROM audit_log WHERE id <= {SOME_ENTRY}) DELETE FROM audit_seals WHERE position <= :at "
        "AND position < (SELECT max(position) FROM audit_seals)"
    ),
    "cut off entries": _run(f"DELETE FROM audit_log WHERE id >= {SOME_ENTRY}"),
    "swap entries": _swap,
    "swap seals": _swap_seals,
    "insert an entry": _insert,
    "insert a seal": _run(
        "INSERT INTO audit_seals SELECT (SELECT max(position) + 1 FROM audit_seals), (SELECT max(id) + 1 FROM "
        "audit_log), origin_salt, origin_digest, hash FROM audit_seals WHERE position = :at"
    ),
    "change a hash": _run("UPDATE audit_seals SET hash = sha256(hash) WHERE position = :at"),
    "change a digest": _run("UPDATE audit_seals SET origin_digest = sha256(hash) WHERE position = :at"),
    "change a salt": _run("UPDATE audit_seals SET origin_salt = substr(hash, 1, 16) WHERE position = :at"),
    "blank a salt": _run("UPDATE audit_seals SET origin_salt = NULL WHERE position = :at"),
    "blank an origin": _run(
        f"WITH blanked AS (UPDATE audit_log SET ip = NULL, user_agent = NULL WHERE id = {SOME_ENTRY}) "
        "UPDATE audit_seals SET origin_salt = NULL WHERE position = :at"
    ),
}


class TestTampering:
    @pytest.fixture
    def sealed(self, desk, database, sealer) -> ChainHead:
        """Sealed entries of several users and of nobody, with unused numbers between them, and its head."""
        people = [uuid4() for _ in range(4)]
        for number in range(30):
            with database.transaction() as session:
                record(session, desk, people[number % 5] if number % 5 < 4 else None)
            if number % 5 == 2:
                use_up_a_number(database, desk)
        assert sealer.run_once() == 30
        with database.transaction() as session:
            return find_head(session)

    def test_is_always_noticed(self, sealed, unguarded, seals):
        chance = random.Random(20260301)
        names = sorted(TAMPERINGS_BY_NAME)
        unnoticed = []
        for number in range(TAMPERINGS):
            name = names[number % len(names)]
            with unguarded.begin_nested() as savepoint:
                TAMPERINGS_BY_NAME[name](unguarded, chance, sealed.position)
                if chance.random() < 0.3:
                    TAMPERINGS_BY_NAME["edit request_id"](unguarded, chance, sealed.position)
                with Session(unguarded, join_transaction_mode="create_savepoint") as session:
                    if not verify_audit_log(session, seals).findings:
                        unnoticed.append((number, name))
                savepoint.rollback()
        assert unnoticed == []
        with Session(unguarded, join_transaction_mode="create_savepoint") as session:
            assert not verify_audit_log(session, seals, kept=sealed).findings

    def test_needs_the_kept_head_to_notice_a_log_that_was_cut_off(self, sealed, unguarded, seals):
        for left in range(sealed.position):
            with unguarded.begin_nested() as savepoint:
                unguarded.execute(
                    text(
                        "DELETE FROM audit_log WHERE id > coalesce("
                        "(SELECT entry_id FROM audit_seals WHERE position = :left), 0)"
                    ),
                    {"left": left},
                )
                unguarded.execute(text("DELETE FROM audit_seals WHERE position > :left"), {"left": left})
                with Session(unguarded, join_transaction_mode="create_savepoint") as session:
                    assert not verify_audit_log(session, seals).findings
                    assert flaws(verify_audit_log(session, seals, kept=sealed)) == {Flaw.HEAD_MISSING}
                savepoint.rollback()

    def test_is_not_hidden_by_a_chain_made_anew_under_another_key(self, sealed, verify, database, seals):
        forger = AuditSeals(EncryptionKey(SecretStr("A" * 43 + "=")))
        with database.transaction() as session:
            assert flaws(verify_audit_log(session, forger)) == {Flaw.SEAL_CHANGED}

    def test_is_noticed_when_the_kept_seal_is_another(self, sealed, verify):
        assert flaws(verify(kept=replace(sealed, hash=bytes(32)))) == {Flaw.HEAD_CHANGED}


class TestChainHead:
    def test_is_read_as_it_is_written(self):
        head = ChainHead(12, bytes(range(32)))
        assert ChainHead.read(str(head)) == head

    @pytest.mark.parametrize("text", ["", "12", "12:", "12:00", "x:" + "00" * 32, "12:" + "zz" * 32])
    def test_refuses_what_it_never_wrote(self, text):
        with pytest.raises(ValueError):  # noqa: PT011  of whatever part of it
            ChainHead.read(text)


class TestCommand:
    def run(self, settings, what, head=None):
        audit(settings, argparse.Namespace(what=what, head=head))

    def test_prints_the_head_and_finds_nothing_wrong(self, settings, ada, sealer, capsys):
        sealer.run_once()
        self.run(settings, "head")
        printed = capsys.readouterr().out.strip()
        self.run(settings, "verify", ChainHead.read(printed))
        assert capsys.readouterr().out == f"2 entries are sealed, 0 wait for it; head {printed}\n"

    def test_has_no_head_before_the_first_seal(self, settings, ada):
        with pytest.raises(SystemExit, match="Nothing is sealed yet"):
            self.run(settings, "head")

    def test_fails_and_says_where_when_the_log_was_changed(self, settings, ada, sealer, database, capsys):
        sealer.run_once()
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE audit_log SET ip = NULL, user_agent = NULL"))
        with pytest.raises(SystemExit, match="2 findings"):
            self.run(settings, "verify")
        assert "seal 2, entry" in capsys.readouterr().out

    def test_reads_its_arguments(self):
        parser = argparse.ArgumentParser()
        AUDIT.add_arguments(parser)
        head = "7:" + "ab" * 32
        assert parser.parse_args(["verify", "--head", head]).head == ChainHead.read(head)
        with pytest.raises(SystemExit):
            parser.parse_args(["verify", "--head", "7"])


class TestRunning:
    def test_seals_while_the_service_serves(self, auth, verify):
        auth.sign_up()
        periodic = {periodic.name: periodic for periodic in auth.service.periodic}["audit-sealer"]
        assert periodic.every <= timedelta(seconds=1)
        periodic.job()
        verdict = verify()
        assert (verdict.waiting, verdict.findings, verdict.head.position) == (0, [], 2)

    def test_waits_for_the_next_time_while_the_database_is_away(self, seals):
        class Away:
            def transaction(self):
                raise Unavailable

        AuditSealer(Away(), seals).run()
