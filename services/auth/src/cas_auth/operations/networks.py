"""Know where users have signed in from."""

from datetime import datetime

from cas_auth.domain.accounts import lookup_email
from cas_auth.domain.audit import Origin
from cas_auth.domain.networks import KNOWN_FOR
from cas_auth.repository import networks
from cas_kit.db import Database


def is_known_network(database: Database, *, email: str, origin: Origin, now: datetime) -> bool:
    """Whether the user of this address has proven lately, from this network, who they are.

    It takes the same time whether or not there is such a user.
    """
    if origin.network is None:
        return False
    with database.autocommit() as connection:
        return networks.is_known_network(
            connection, email=lookup_email(email), network=origin.network, since=now - KNOWN_FOR
        )
