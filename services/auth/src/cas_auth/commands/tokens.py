"""Tokens for programs."""

import argparse
import sys
from datetime import UTC, datetime, timedelta

from cas_auth.commands.opened import opened
from cas_auth.operations.signing_keys import issue_service_token
from cas_auth.settings import Settings
from cas_kit.service import Command

LONGEST_DAYS = 3650  # its key has to be kept for as long


def service_token(settings: Settings, options: argparse.Namespace) -> None:
    """Print a token with which a program administers users."""
    if options.role not in settings.admin_roles:
        sys.exit(
            f"A token of this role would administer nobody: choose one of {', '.join(settings.admin_roles)}."
        )
    with opened(settings) as (database, tools):
        token = issue_service_token(
            database,
            tools,
            role=options.role,
            lifetime=timedelta(days=options.days),
            now=datetime.now(UTC),
        )
    sys.stdout.write(token + "\n")


def _service_token_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", default="service_role", help="one of CAS_AUTH_ADMIN_ROLES")
    parser.add_argument(
        "--days", type=_days, default=30, help=f"how long it is good for, at most {LONGEST_DAYS}"
    )


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= LONGEST_DAYS:
        raise argparse.ArgumentTypeError(f"must be 1 to {LONGEST_DAYS}")
    return days


SERVICE_TOKEN = Command(
    "service-token",
    "print a token for programs that administer users; keep it secret",
    service_token,
    _service_token_arguments,
)
