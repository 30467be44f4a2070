"""How long an administrator keeps somebody out (docs/spec/auth-protocol.md 1.5)."""

import re
from datetime import timedelta
from decimal import Decimal

from cas_auth.domain.refusals import InvalidRequest

NO_BAN = timedelta(0)
LONGEST_BAN = timedelta(days=365 * 1000)  # the calendar of the database and of Python goes on for longer
_UNITS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_PART = re.compile(r"(\d{1,16}(?:\.\d{0,9})?|\.\d{1,9})(ns|us|ms|s|m|h)", re.ASCII)
MAX_PARTS = 8


def ban_length(text: str) -> timedelta:
    """The length that `24h`, `1h30m` or `none` stands for; `NO_BAN` lifts a ban.

    :raises InvalidRequest: it stands for none, or for more than a thousand years.
    """
    if text in {"none", "0"}:
        return NO_BAN
    parts = list(_PART.finditer(text))
    if not parts or len(parts) > MAX_PARTS or "".join(part[0] for part in parts) != text:
        raise InvalidRequest("invalid format for ban duration: write it like 24h, 1h30m or none")
    seconds = sum(Decimal(part[1]) * _UNITS[part[2]] for part in parts)
    if seconds > LONGEST_BAN.total_seconds():
        raise InvalidRequest("invalid ban duration: it is longer than a thousand years")
    return timedelta(microseconds=int(seconds * 1_000_000))
