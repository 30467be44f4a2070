"""What commands work with: the database, and the tools with the keys loaded."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from cas_auth.credentials.encryption import WrongEncryptionKey
from cas_auth.credentials.keys import KeyRing
from cas_auth.operations.signing_keys import load_signing_keys
from cas_auth.operations.tools import Tools
from cas_auth.settings import Settings
from cas_kit.db import Database
from cas_kit.errors import DomainError

WRONG_ENCRYPTION_KEY = (
    "CAS_AUTH_ENCRYPTION_KEY is not the key under which the signing keys in the database are encrypted. "
    "Set the one that was used before."
)


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Database, Tools]]:
    """The means of one command. A refusal ends the program with its sentence."""
    database = Database(settings, application_name="cas-auth-command")
    tools = Tools.of(settings, KeyRing())
    try:
        load_signing_keys(
            database, keys=tools.issuer.keys, encryption_key=tools.encryption_key, now=datetime.now(UTC)
        )
        yield database, tools
    except WrongEncryptionKey:
        sys.exit(WRONG_ENCRYPTION_KEY)
    except DomainError as error:
        sys.exit(error.detail)
    finally:
        database.dispose()
