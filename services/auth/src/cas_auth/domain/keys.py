"""The life of a signing key (docs/spec/auth-protocol.md 2.2)."""

from datetime import datetime, timedelta
from enum import StrEnum

# Gateways and clients each keep the published keys for ten minutes: by then everybody knows a new one.
PUBLISHED_AHEAD = timedelta(minutes=20)
# Our own replicas, services and gateway look for new keys every ten seconds at the latest.
PUBLISHED_AT_HOME = timedelta(seconds=15)
# Clocks differ, and a token is sometimes used a little late.
KEPT_BEYOND_TOKENS = timedelta(minutes=15)


class KeyState(StrEnum):
    """Life of a signing key: published ahead, then signing, then only verifying."""

    STANDBY = "standby"
    CURRENT = "current"
    PREVIOUS = "previous"


def verifies_until(
    retired_at: datetime, *, token_lifetime: timedelta, needed_until: datetime | None
) -> datetime:
    """When the last token has expired that a key signed before it was retired.

    :param needed_until: when the longest-lived token for programs expires that it signed; None: it signed none.
    """
    last_expiry = max(retired_at + token_lifetime, needed_until or retired_at)
    return last_expiry + KEPT_BEYOND_TOKENS
