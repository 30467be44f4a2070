"""`cas-auth retry-mails`: give mails that were given up a new series of tries."""

import argparse
from datetime import UTC, datetime

import structlog

from cas_auth.repository.mails import retry_mails
from cas_auth.settings import Settings
from cas_kit.db import Database
from cas_kit.service import Command

log = structlog.get_logger(__name__)


def _retry(settings: Settings, _: argparse.Namespace) -> None:
    database = Database(settings, application_name="cas-auth-retry-mails")
    with database.transaction() as session:
        count = retry_mails(session, now=datetime.now(UTC))
    database.dispose()
    log.info("mails_released", count=count)


RETRY_MAILS = Command("retry-mails", "give mails that were given up new tries", _retry)
