"""Migrations run once, whoever starts them, and traffic goes on meanwhile."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from cas_kit import migrations
from cas_kit.testing import until

PACKAGE = "migrated_package"
ENVIRONMENT = """
from alembic import context
from sqlalchemy import MetaData
from cas_kit.migrations import run_environment
run_environment(context, MetaData())
"""
VERSION = """
from alembic import op
revision, down_revision = "{revision}", {down_revision!r}

def upgrade():
    op.execute("{upgrade}")

def downgrade():
    op.execute("{downgrade}")
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that ships these migrations: `package(("CREATE ...", "DROP ..."), ...)`."""
    folder = tmp_path / PACKAGE / "migrations"
    (folder / "versions").mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").touch()
    (folder / "env.py").write_text(ENVIRONMENT)
    monkeypatch.syspath_prepend(tmp_path)

    def add(*steps):
        down_revision = None
        for number, (up, down) in enumerate(steps, start=1):
            revision = f"{number:04}"
            source = VERSION.format(
                revision=revision, down_revision=down_revision, upgrade=up, downgrade=down
            )
            (folder / "versions" / f"{revision}_step.py").write_text(source)
            down_revision = revision

    yield add
    sys.modules.pop(PACKAGE, None)


@pytest.fixture
def url(database_urls):
    return database_urls["kit"]


@pytest.fixture
def connect(url):
    """Connections of the kit's role, in autocommit unless told; what the migrations made goes with them."""
    engine = create_engine(url, poolclass=NullPool)
    opened = []

    def open_one(**options):
        opened.append(engine.connect().execution_options(**{"isolation_level": "AUTOCOMMIT", **options}))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS migrated, alembic_version"))


CREATE = ("CREATE TABLE migrated (id integer)", "DROP TABLE migrated")
ALTER = ("ALTER TABLE migrated ADD COLUMN name text", "ALTER TABLE migrated DROP COLUMN name")


class TestUpgrade:
    def test_and_downgrade_move_the_schema(self, package, url, connect):
        package(CREATE, ALTER)
        migrations.upgrade(url, package=PACKAGE, revision="0001")
        assert not migrations.is_current(connect(), package=PACKAGE)
        migrations.upgrade(url, package=PACKAGE)
        migrations.upgrade(url, package=PACKAGE)
        assert migrations.is_current(connect(), package=PACKAGE)
        assert connect().execute(text("SELECT id, name FROM migrated")).all() == []
        migrations.downgrade(url, package=PACKAGE, revision="base")
        assert connect().execute(text("SELECT to_regclass('migrated')")).scalar() is None

    def test_by_several_runners_at_once_happens_once(self, package, url, connect, tmp_path):
        package(CREATE, ALTER)
        program = f"from cas_kit import migrations; migrations.upgrade({url!r}, package={PACKAGE!r})"
        runners = [
            subprocess.Popen(
                [sys.executable, "-c", program], env={"PYTHONPATH": str(tmp_path)}, stderr=subprocess.PIPE
            )
            for _ in range(3)
        ]
        said = [runner.communicate(timeout=60)[1].decode() for runner in runners]
        assert [runner.returncode for runner in runners] == [0, 0, 0], said
        assert migrations.is_current(connect(), package=PACKAGE)

    def test_waits_for_no_other_service(self, package, url, database_urls, connect):
        package(("SELECT 1", "SELECT 1"))
        runner = connect()
        runner.execute(
            text("SELECT pg_advisory_lock(:lock, hashtext(current_user))"), {"lock": migrations.RUNNER_LOCK}
        )
        migrations.upgrade(database_urls["auth"], package=PACKAGE)
        migrations.downgrade(database_urls["auth"], package=PACKAGE, revision="base")
        engine = create_engine(database_urls["auth"], poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE alembic_version"))

    def test_that_fails_changes_nothing_and_is_not_tried_again(self, package, url, connect):
        package((f"{CREATE[0]}; SELECT wrong", "SELECT 1"))
        with pytest.raises(ProgrammingError):
            migrations.upgrade(url, package=PACKAGE)
        assert connect().execute(text("SELECT to_regclass('migrated')")).scalar() is None


class TestLocks:
    def test_let_readers_go_on_while_a_migration_waits(self, package, url, connect):
        """One long reader blocks the migration; the short ones behind it must not queue."""
        package(CREATE)
        migrations.upgrade(url, package=PACKAGE)
        package(CREATE, ALTER)
        long_reader = connect(isolation_level="READ COMMITTED")
        short_reader, watcher = connect(), connect()
        long_reader.execute(text("SELECT * FROM migrated"))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'")
        with ThreadPoolExecutor(1) as pool:
            migrating = pool.submit(migrations.upgrade, url, package=PACKAGE)
            slowest = 0.0
            for _ in range(3):
                until(lambda: watcher.execute(waiting).scalar())
                started = time.monotonic()
                short_reader.execute(text("SELECT * FROM migrated"))
                slowest = max(slowest, time.monotonic() - started)
            assert not migrating.done()
            long_reader.rollback()
            migrating.result(30)
        assert slowest < 1.5, "the role's own statement timeout would end a longer one"
        assert migrations.is_current(connect(), package=PACKAGE)

    def test_that_stay_taken_are_given_up(self, package, url, connect, monkeypatch):
        monkeypatch.setattr(migrations, "LOCK_ATTEMPTS", 2)
        package(CREATE)
        migrations.upgrade(url, package=PACKAGE)
        package(CREATE, ALTER)
        reader = connect(isolation_level="READ COMMITTED")
        reader.execute(text("SELECT * FROM migrated"))
        with pytest.raises(OperationalError, match="lock timeout"):
            migrations.upgrade(url, package=PACKAGE)
        reader.rollback()
