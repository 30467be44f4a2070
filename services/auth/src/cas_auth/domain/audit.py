"""What the audit log records (docs/spec/auth-protocol.md 4)."""

from dataclasses import dataclass
from enum import StrEnum

from cas_auth.domain.networks import network_of


class AuditAction(StrEnum):
    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    LOGOUT = "logout"
    TOKEN_REVOKED = "token_revoked"  # noqa: S105  an action name
    TOKEN_REFRESHED = "token_refreshed"  # noqa: S105  an action name
    USER_SIGNEDUP = "user_signedup"
    USER_REPEATED_SIGNUP = "user_repeated_signup"
    USER_INVITED = "user_invited"
    INVITE_ACCEPTED = "invite_accepted"
    USER_MODIFIED = "user_modified"
    USER_UPDATED_PASSWORD = "user_updated_password"  # noqa: S105  an action name
    USER_DELETED = "user_deleted"
    USER_BANNED = "user_banned"
    USER_RECOVERY_REQUESTED = "user_recovery_requested"
    USER_CONFIRMATION_REQUESTED = "user_confirmation_requested"
    USER_REAUTHENTICATE_REQUESTED = "user_reauthenticate_requested"
    VERIFICATION_FAILED = "verification_failed"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"
    FACTOR_IN_PROGRESS = "factor_in_progress"
    FACTOR_UPDATED = "factor_updated"
    FACTOR_UNENROLLED = "factor_unenrolled"
    FACTOR_DELETED = "factor_deleted"
    CHALLENGE_CREATED = "challenge_created"
    VERIFICATION_ATTEMPTED = "verification_attempted"
    KEYS_ROTATED = "keys_rotated"
    USERS_IMPORTED = "users_imported"
    ADMIN_REFUSED = "admin_refused"


class LogType(StrEnum):
    """The kinds of the protocol's audit log."""

    ACCOUNT = "account"
    TEAM = "team"
    TOKEN = "token"  # noqa: S105  a kind of entry
    USER = "user"
    FACTOR = "factor"


_LOG_TYPES = {
    LogType.TEAM: {
        "user_signedup",
        "user_invited",
        "user_deleted",
        "user_banned",
        "users_imported",
        "keys_rotated",
    },
    LogType.TOKEN: {"token_revoked", "token_refreshed"},
    LogType.USER: {
        "user_recovery_requested",
        "user_reauthenticate_requested",
        "user_confirmation_requested",
        "user_repeated_signup",
        "user_updated_password",
        "user_modified",
        "identity_linked",
        "identity_unlinked",
        "verification_failed",
    },
    LogType.FACTOR: {
        "factor_in_progress",
        "factor_unenrolled",
        "factor_updated",
        "factor_deleted",
        "challenge_created",
        "verification_attempted",
    },
}


def log_type(action: AuditAction) -> LogType:
    """The protocol's kind of this action; signing in and out is `account`."""
    return next((kind for kind, actions in _LOG_TYPES.items() if action in actions), LogType.ACCOUNT)


USER_AGENT_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, for the audit log; None where nobody can say."""

    request_id: str
    ip: str | None = None
    user_agent: str | None = None

    @property
    def network(self) -> str | None:
        """The network it came from; None where nobody can say."""
        return self.ip and network_of(self.ip)

    @property
    def device(self) -> str | None:
        """The user agent, as far as it is kept."""
        return self.user_agent and self.user_agent[:USER_AGENT_CHARACTERS]
