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

SERVICES = ("auth", "account", "onboarding", "listings")
ACCEPTED = (
    "require-timeout-settings",  # the runner sets the time limits for every migration (docs/adr/0009)
    "prefer-robust-stmts",  # each migration runs in one transaction: nothing is left half done
    "ban-drop-constraint",  # a check that learns new values is dropped and made anew in one transaction
    "prefer-bigint-over-int",  # keys are UUIDs; steps, statuses, attempts and versions of a row stay far below 2^31
)
ALEMBICS_OWN = "CREATE TABLE alembic_version"


def main() -> None:
    """Exit with 1 when a migration of any service fails a check."""
    with tempfile.TemporaryDirectory() as folder, PostgresServer(Path(folder), durable=False) as server:
        urls = provision(server.url(), dict.fromkeys(SERVICES, "only-for-this-check"))
        for service, url in urls.items():
            schema_survives_down_and_up(url, package=f"cas_{service}")
            print(f"{service}: no drift; down and up again")
    sys.exit(max(squawk(service) for service in SERVICES))


def squawk(service: str) -> int:
    """Lint the SQL that the service's migrations run; the exit status."""
    config = alembic_config(f"cas_{service}")
    config.output_buffer = sql = io.StringIO()
    command.upgrade(config, "head", sql=True)
    ours = [part for part in sql.getvalue().split(";\n") if ALEMBICS_OWN not in part]
    linted = subprocess.run(
        [Path(sys.executable).parent / "squawk", *(f"--exclude={rule}" for rule in ACCEPTED)],
        input=";\n".join(ours),
        text=True,
        check=False,
    )
    return linted.returncode


if __name__ == "__main__":
    main()
