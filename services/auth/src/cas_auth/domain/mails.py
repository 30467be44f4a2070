"""What this service writes to people."""

from datetime import timedelta
from enum import StrEnum

# Longer than a task may run (cas_kit.worker): a mail whose sender is gone is free again after it.
LEASE = timedelta(seconds=90)
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=10), timedelta(hours=1)
# About a day at these delays. Who waits for a mail has asked for another one by then.
MAX_ATTEMPTS = 32
# A mail that takes its sender down with it is not tried for a day.
MAX_UNFINISHED = 3
# How long a mail that was given up is kept for a person to look at.
GIVEN_UP_KEPT = timedelta(days=30)


class MailKind(StrEnum):
    CONFIRMATION = "confirmation"
    ALREADY_REGISTERED = "already_registered"
    INVITE = "invite"
    MAGIC_LINK = "magic_link"
    RECOVERY = "recovery"
    EMAIL_CHANGE = "email_change"
    EMAIL_CHANGE_CURRENT = "email_change_current"
    REAUTHENTICATION = "reauthentication"
    # Notices: nothing to click, sent after the fact.
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  a kind of mail
    EMAIL_CHANGED = "email_changed"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"
    FACTOR_ENROLLED = "factor_enrolled"
    FACTOR_UNENROLLED = "factor_unenrolled"


def retry_delay(attempts: int, *, luck: float) -> timedelta:
    """How long to wait after this many tries: doubled each time, capped, and up to a quarter longer by luck.

    :param luck: from 0 to 1; keeps mails that failed together apart.
    """
    delay: timedelta = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY)
    return delay * (1 + luck / 4)
