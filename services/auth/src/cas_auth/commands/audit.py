"""Hold the audit log against its seals."""

import argparse
import sys

from cas_auth.credentials.audit_seals import AuditSeals
from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.domain.audit_chain import ChainHead, Verdict
from cas_auth.operations.audit_seals import find_head, verify_audit_log
from cas_auth.settings import Settings
from cas_kit.db import Database
from cas_kit.service import Command

SHOWN_FINDINGS = 50


def audit(settings: Settings, options: argparse.Namespace) -> None:
    """Print the newest seal, or what is wrong with the log; the exit status is 1 when something is."""
    database = Database(settings, application_name="cas-auth-command")
    try:
        if options.what == "head":
            _print_head(database)
        else:
            _verify(database, AuditSeals(EncryptionKey(settings.encryption_key)), options.head)
    finally:
        database.dispose()


def _print_head(database: Database) -> None:
    with database.transaction() as session:
        head = find_head(session)
    if head is None:
        sys.exit("Nothing is sealed yet. A running cas-auth seals entries within seconds.")
    sys.stdout.write(f"{head}\n")


def _verify(database: Database, seals: AuditSeals, kept: ChainHead | None) -> None:
    with database.transaction() as session:
        verdict = verify_audit_log(session, seals, kept=kept)
    sys.stdout.write(_summary(verdict))
    for finding in verdict.findings[:SHOWN_FINDINGS]:
        sys.stdout.write(f"{finding}\n")
    if verdict.findings:
        sys.exit(f"The audit log was changed: {len(verdict.findings)} findings.")


def _summary(verdict: Verdict) -> str:
    sealed = verdict.head.position if verdict.head else 0
    return f"{sealed} entries are sealed, {verdict.waiting} wait for it; head {verdict.head or 'none'}\n"


def _head(text: str) -> ChainHead:
    try:
        return ChainHead.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("write it as `cas-auth audit head` does, POSITION:HASH") from error


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("verify", "head"))
    parser.add_argument(
        "--head", type=_head, metavar="POSITION:HASH", help="what `audit head` printed once; kept elsewhere"
    )


AUDIT = Command(
    "audit", "verify the audit log, or print its newest seal to keep elsewhere", audit, _arguments
)
