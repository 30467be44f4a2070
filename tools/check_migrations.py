"""Prove every service's migrations on a real server: no drift, down and up again, and clean SQL by squawk."""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command

from cas_kit.migrations import alembic_config
from cas_kit.testing.plugin import schema_survives_down_and_up
from cas_local.postgres import PostgresServer, provision

SERVICES = ("auth", "account", "onboarding")
# The runner sets the time limits and runs each migration in one transaction (docs/adr/0009).
THE_RUNNER_SEES_TO = ("prefer-robust-stmts", "require-timeout-settings")


def main() -> None:
    """Exit with 1 when a migration of any service fails a check."""
    with tempfile.TemporaryDirectory() as folder, PostgresServer(Path(folder), durable=False) as server:
        urls = provision(server.url(), dict.fromkeys(SERVICES, "only-for-this-check"))
        for service, url in urls.items():
            schema_survives_down_and_up(url, package=f"cas_{service}")
            print(f"{service}: no drift; down and up again")
    sys.exit(max(squawk(service) for service in SERVICES))


def squawk(service: str) -> int:
    """Lint the SQL that the service's migrations run."""
    config = alembic_config(f"cas_{service}")
    config.output_buffer = sql = io.StringIO()
    command.upgrade(config, "head", sql=True)
    binary = Path(sys.executable).parent / "squawk"
    linted = subprocess.run(  # noqa: S603
        [binary, "--assume-in-transaction", *(f"--exclude={rule}" for rule in THE_RUNNER_SEES_TO)],
        input=sql.getvalue(),
        text=True,
        check=False,
    )
    return linted.returncode


if __name__ == "__main__":
    main()
