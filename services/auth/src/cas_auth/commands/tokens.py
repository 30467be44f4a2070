"""Tokens for programs."""

import argparse
import sys
from datetime import UTC, datetime, timedelta

from cas_auth.credentials.keys import KeyRing
from cas_auth.operations.signing_keys import load_signing_keys
from cas_auth.operations.tools import Tools
from cas_auth.settings import Settings
from cas_kit.db import Database
from cas_kit.service import Command


def service_token(settings: Settings, options: argparse.Namespace) -> None:
    """Print a token with which a program administers users."""
    keys = KeyRing()
    tools = Tools.of(settings, keys)
    database = Database(settings, application_name="cas-auth-command")
    now = datetime.now(UTC)
    load_signing_keys(database, keys=keys, encryption_key=tools.encryption_key, now=now)
    token = tools.issuer.service_token(options.role, now=now, lifetime=timedelta(days=options.days))
    sys.stdout.write(token + "\n")
    database.dispose()


def _service_token_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", default="service_role", help="one of CAS_AUTH_ADMIN_ROLES")
    parser.add_argument("--days", type=int, default=30, help="how long it is good for")


SERVICE_TOKEN = Command(
    "service-token",
    "print a token for programs that administer users; keep it secret",
    service_token,
    _service_token_arguments,
)
