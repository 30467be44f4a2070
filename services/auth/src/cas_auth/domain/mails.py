"""What this service writes to people."""

from enum import StrEnum


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
