"""`cas-auth keys`: list, rotate, import and revoke the keys that sign access tokens."""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from cas_auth.commands.opened import opened
from cas_auth.credentials.foreign_keys import UnreadableKey, read_private_key, read_secret
from cas_auth.credentials.keys import SigningKey
from cas_auth.domain.audit import Origin
from cas_auth.domain.keys import PUBLISHED_AHEAD, PUBLISHED_AT_HOME, KeyState
from cas_auth.domain.refusals import StandbyKeyTooYoung
from cas_auth.models import StoredSigningKey
from cas_auth.operations import key_changes
from cas_auth.operations.key_changes import Rotation
from cas_auth.operations.tools import Tools
from cas_auth.settings import Settings
from cas_kit.issuers import PUBLISHED, Algorithm
from cas_kit.service import Command
from cas_kit.telemetry import new_request_id

Action = Callable[[Settings, argparse.Namespace], None]


def list_keys(settings: Settings, _: argparse.Namespace) -> None:
    """Print every key, its state, and since when it is in it."""
    with opened(settings) as (database, _tools):
        for key in key_changes.list_signing_keys(database):
            _say(
                f"{key.kid}  {key.state:<8}  {key.algorithm}  since {_instant(key.state_since)}{_remark(key)}"
            )


def rotate(settings: Settings, options: argparse.Namespace) -> None:
    """Sign with the standby key from now on."""
    with opened(settings) as (database, tools):
        turn = partial(
            key_changes.rotate_signing_keys,
            database,
            tools,
            algorithm=options.algorithm and Algorithm(options.algorithm),
            origin=_origin(),
        )
        done = _as_soon_as_possible(turn) if options.force else turn(now=datetime.now(UTC))
    _say(f"current   {done.current}")
    _say(f"previous  {done.previous}")
    _say(f"standby   {done.standby}")
    for kid in done.dropped:
        _say(f"dropped   {kid}")


def import_key(settings: Settings, options: argparse.Namespace) -> None:
    """Use a key that was made elsewhere."""
    with opened(settings) as (database, tools):
        key = _read(tools, options)
        key_changes.import_signing_key(database, tools, key=key, origin=_origin(), now=datetime.now(UTC))
    _say(f"{key.state}  {key.kid}")


def revoke(settings: Settings, options: argparse.Namespace) -> None:
    """Let what a key signed be good no longer."""
    with opened(settings) as (database, tools):
        key_changes.revoke_signing_key(
            database, tools, kid=options.kid, origin=_origin(), now=datetime.now(UTC)
        )
    _say(f"revoked  {options.kid}")


def _run(settings: Settings, options: argparse.Namespace) -> None:
    options.run(settings, options)


def _as_soon_as_possible(turn: Callable[..., Rotation]) -> Rotation:
    """Rotate once our own replicas, services and gateway know the standby key: seconds after it was made."""
    while True:
        now = datetime.now(UTC)
        try:
            return turn(published_for=PUBLISHED_AT_HOME, now=now)
        except StandbyKeyTooYoung as early:
            time.sleep((early.ripe_at - now).total_seconds())


def _read(tools: Tools, options: argparse.Namespace) -> SigningKey:
    state = KeyState(options.state)
    if options.hs256 and state is KeyState.STANDBY:
        sys.exit("A secret is never published, so it has no use as standby key.")
    text = sys.stdin.read()
    try:
        if options.hs256:
            return read_secret(text, state=state, encryption_key=tools.encryption_key)
        return read_private_key(text, state=state, kid=options.kid)
    except UnreadableKey as error:
        sys.exit(f"The key was not imported: {error}.")


def _remark(key: StoredSigningKey) -> str:
    if key.state is KeyState.STANDBY:
        return f", may sign from {_instant(key.state_since + PUBLISHED_AHEAD)}"
    return f", signed a service token until {_instant(key.needed_until)}" if key.needed_until else ""


def _instant(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _origin() -> Origin:
    return Origin(request_id=new_request_id())


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)

    def add(word: str, purpose: str, action: Action) -> argparse.ArgumentParser:
        found = actions.add_parser(word, help=purpose, description=purpose)
        found.set_defaults(run=action)
        return found

    add("list", "print every key and its state", list_keys)
    rotating = add("rotate", "sign with the standby key from now on, and make the next one", rotate)
    rotating.add_argument(
        "--algorithm", choices=sorted(PUBLISHED), help="of the new standby key; else as before"
    )
    rotating.add_argument(
        "--force",
        action="store_true",
        help="after seconds, although clients may not know the standby key yet",
    )
    importing = add("import", "use the PEM file, JWK or secret that comes on standard input", import_key)
    importing.add_argument(
        "--hs256", action="store_true", help="it is a secret; line breaks at its end are not"
    )
    importing.add_argument(
        "--state", choices=list(KeyState), default=KeyState.PREVIOUS, help="%(default)s: verify only"
    )
    importing.add_argument("--kid", help="the name tokens have for it; else the JWK's own, or its thumbprint")
    revoking = add("revoke", "let what a key signed be good no longer", revoke)
    revoking.add_argument("kid")


KEYS = Command(
    "keys",
    "list, rotate, import and revoke the keys that sign access tokens",
    _run,
    _arguments,
)
