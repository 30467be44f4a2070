"""PostgreSQL as a context manager."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import psycopg
import pytest

from cas_local.errors import CannotRunPostgres
from cas_local.ports import FREE_PORTS, is_free
from cas_local.postgres import PostgresServer, libpq_url
from cas_local.process import Identity
from cas_local.unprivileged import NOBODY

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")

PARENT = """
import sys
from pathlib import Path
from cas_local.postgres import PostgresServer
server = PostgresServer(Path(sys.argv[1]), durable=False)
server.start()
print(server.port, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with PostgresServer(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


def setting(server, name):
    with server.connect() as connection:
        return connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0]


class TestSettings:
    def test_listens_on_loopback_alone(self, server):
        listening = [c for c in psutil.net_connections("tcp") if c.pid == server.process.pid]
        assert {c.laddr for c in listening} == {("127.0.0.1", server.port)}
        assert server.port in FREE_PORTS

    def test_keeps_checksums_and_utf8(self, server):
        assert setting(server, "data_checksums") == "on"
        assert setting(server, "server_encoding") == "UTF8"

    def test_refuses_a_wrong_password(self, server):
        url = server.url(password="wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(libpq_url(url))

    def test_keeps_the_password_for_its_owner(self, server):
        assert (server.folder / "superuser.password").stat().st_mode & 0o077 == 0

    def test_gives_up_durability_only_when_told(self, server, tmp_path):
        assert setting(server, "fsync") == "off"
        with PostgresServer(tmp_path / "durable") as durable:
            assert setting(durable, "fsync") == "on"
            assert setting(durable, "synchronous_commit") == "on"


class TestLife:
    def test_keeps_its_data_and_password_across_a_restart(self, tmp_path):
        server = PostgresServer(tmp_path, durable=False)
        with server, server.connect() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        assert is_free(server.port)
        with PostgresServer(tmp_path, durable=False) as again, again.connect() as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)

    def test_starts_again_after_its_processes_were_killed(self, tmp_path):
        server = PostgresServer(tmp_path, durable=False)
        server.start()
        server.process.kill()
        assert (tmp_path / "data" / "postmaster.pid").exists()
        with server, server.connect() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_ignores_a_pid_file_which_names_another_process(self, tmp_path):
        server = PostgresServer(tmp_path, durable=False)
        with server:
            pass
        (tmp_path / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path}\n")
        with server:
            assert server.process.running

    def test_starts_over_after_an_interrupted_first_start(self, tmp_path):
        (tmp_path / "data").mkdir(mode=0o700)
        (tmp_path / "data" / "PG_VERSION").write_text("18\n")
        (tmp_path / "initialising").touch()
        with PostgresServer(tmp_path, durable=False) as server:
            assert server.process.running

    def test_stopping_what_never_started_is_harmless(self, tmp_path):
        PostgresServer(tmp_path).stop()

    def test_ends_with_a_parent_that_is_killed(self, tmp_path, running_on, eventually):
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with parent:
            assert parent.stdout.readline().strip()
            assert running_on(tmp_path / "data")
            parent.send_signal(signal.SIGKILL)
        eventually(lambda: not running_on(tmp_path))


class TestIdentity:
    @as_root
    def test_root_runs_it_in_a_user_namespace_without_giving_files_away(self, server):
        assert (server.folder / "data").stat().st_uid == 0
        namespace = Path(f"/proc/{server.process.pid}/uid_map").read_text(encoding="ascii").split()
        assert namespace == [str(NOBODY), "0", "1"]

    @as_root
    def test_root_runs_it_as_the_unprivileged_owner_of_the_folder(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            (folder / "data").mkdir(mode=0o700)
            Identity(uid=NOBODY).own(folder / "data")
            with PostgresServer(folder, durable=False) as server:
                assert psutil.Process(server.process.pid).uids().real == NOBODY
            with PostgresServer(folder, durable=False) as server, server.connect() as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)

    @as_root
    def test_root_is_told_when_the_owner_cannot_reach_the_folder(self, tmp_path):
        tmp_path.chmod(0o700)
        (tmp_path / "data").mkdir(mode=0o700)
        (tmp_path / "data" / "file").touch()
        Identity(uid=NOBODY).own(tmp_path / "data")
        with pytest.raises(CannotRunPostgres, match="ordinary user"):
            PostgresServer(tmp_path).start()

    @as_root
    @pytest.mark.parametrize("uid", [NOBODY, 47320], ids=["with a name", "without a name"])
    def test_an_ordinary_user_runs_it(self, tmp_path, uid):
        command, owner = ordinary_user(tmp_path, uid)
        script = PARENT.replace("sys.stdin.read()", "server.stop()")
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}  # noqa: TID251
        answer = subprocess.run(
            [*command, sys.executable, "-c", script, str(tmp_path / "ours")],
            capture_output=True, text=True, timeout=60, env=environment, check=False,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        assert (tmp_path / "ours" / "data").stat().st_uid == owner


def ordinary_user(folder, uid):
    """Give a command prefix that is not root, and the owner of what it makes.

    A user namespace stands in where Python itself is installed in a folder that only root can enter.
    """
    interpreter = os.path.realpath(sys.executable)
    prefix = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    reachable = subprocess.run(
        [*prefix, "sh", "-c", f"test -x {interpreter} -a -x {folder.parent}"], check=False
    )
    if reachable.returncode == 0:
        os.chown(folder, uid, uid)
        return prefix, uid
    return ["unshare", "--user", f"--map-user={uid}", f"--map-group={uid}"], 0


class TestStandby:
    def test_follows_and_takes_no_writes(self, server, tmp_path, eventually):
        with PostgresServer(tmp_path / "standby", durable=False, standby_of=server) as standby:
            with server.connect() as connection:
                connection.execute("CREATE TABLE followed AS SELECT 1 AS id")
            with standby.connect() as copy:
                there = "SELECT to_regclass('followed') IS NOT NULL"
                eventually(lambda: copy.execute(there).fetchone()[0])
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                    copy.execute("DROP TABLE followed")
