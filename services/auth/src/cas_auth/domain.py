"""The rules of signing in, and every way a request can be refused (docs/spec/auth-protocol.md).

Error codes are written as everywhere in this system, `like-this`; the REST edge spells them `like_this`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from email_validator import EmailNotValidError, validate_email

from cas_kit.errors import DomainError, Kind

EMAIL_MAX_CHARACTERS = 320  # 64 before the @ and 255 after it (RFC 5321); longer text is not worth parsing
PASSWORD_MAX_BYTES = 1024
# The access token carries the metadata, and services refuse tokens beyond 8 KiB.
METADATA_MAX_BYTES = 4096
# The database role of the protocol, not a role of the marketplace.
TOKEN_ROLE = "authenticated"  # noqa: S105  a role name


class Provider(StrEnum):
    EMAIL = "email"


class AuthMethod(StrEnum):
    """How a session was proven; a value of the `amr` claim."""

    PASSWORD = "password"  # noqa: S105  a method name


class AssuranceLevel(StrEnum):
    AAL1 = "aal1"
    AAL2 = "aal2"


class KeyState(StrEnum):
    """Life of a signing key: published ahead, then signing, then only verifying."""

    STANDBY = "standby"
    CURRENT = "current"
    PREVIOUS = "previous"


class LogoutScope(StrEnum):
    GLOBAL = "global"
    LOCAL = "local"
    OTHERS = "others"


class AuditAction(StrEnum):
    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    LOGOUT = "logout"
    TOKEN_REVOKED = "token_revoked"  # noqa: S105  an action name
    USER_SIGNEDUP = "user_signedup"
    USER_REPEATED_SIGNUP = "user_repeated_signup"
    USER_MODIFIED = "user_modified"
    USER_UPDATED_PASSWORD = "user_updated_password"  # noqa: S105  an action name
    USER_DELETED = "user_deleted"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, for the audit log; None where nobody can say."""

    request_id: str
    ip: str | None = None
    user_agent: str | None = None


# ---- addresses, passwords, metadata ----


def canonical_email(text: str, *, allow_test_domains: bool = False) -> str:
    """The one spelling an address is stored and looked up in. Asks no name server.

    :raises InvalidRequest: it is not an address.
    """
    try:
        if len(text) > EMAIL_MAX_CHARACTERS:
            raise EmailNotValidError
        address = validate_email(
            text.strip(), check_deliverability=False, test_environment=allow_test_domains
        )
    except EmailNotValidError as error:
        raise InvalidRequest("Unable to validate email address: invalid format") from error
    return address.normalized.lower()


def lookup_email(text: str) -> str:
    """The spelling to look an address up in; text that is no address finds nobody."""
    try:
        return canonical_email(text, allow_test_domains=True)
    except InvalidRequest:
        return text


def check_password(password: str, *, min_length: int) -> None:
    """Refuse a password nobody should choose or nobody can type.

    :raises WeakPassword: it is shorter than `min_length` characters.
    :raises InvalidRequest: it is longer than `PASSWORD_MAX_BYTES`.
    """
    if len(password.encode()) > PASSWORD_MAX_BYTES:
        raise InvalidRequest(f"Password cannot be longer than {PASSWORD_MAX_BYTES} bytes")
    if len(password) < min_length:
        raise WeakPassword(f"Password should be at least {min_length} characters.", reasons=["length"])


def merge_metadata(current: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Lay `changes` over `current`; a null removes its key.

    :raises InvalidRequest: the result does not fit into an access token.
    """
    merged = {key: value for key, value in {**current, **(changes or {})}.items() if value is not None}
    if len(json.dumps(merged, separators=(",", ":"))) > METADATA_MAX_BYTES:
        raise InvalidRequest(f"User metadata cannot be larger than {METADATA_MAX_BYTES} bytes")
    return merged


def email_app_metadata() -> dict[str, Any]:
    """What tokens say of somebody who signed up with an address."""
    return {"provider": Provider.EMAIL, "providers": [Provider.EMAIL]}


# ---- refresh tokens ----


class RefreshVerdict(StrEnum):
    """What becomes of a genuine refresh token."""

    ROTATE = "rotate"
    REPEAT = "repeat"
    REUSED = "reused"
    UNKNOWN = "unknown"


def judge_refresh(
    presented: int, *, current: int, rotated_at: datetime, now: datetime, reuse_interval: timedelta
) -> RefreshVerdict:
    """Hold the counter of a refresh token against its session's (docs/spec/auth-protocol.md 2.3).

    One behind is forgiven at any time: the client never saved the answer. Further behind is forgiven while the last
    rotation is young. What is older was stolen, or the thief has rotated already.
    """
    if presented > current:
        return RefreshVerdict.UNKNOWN
    if presented == current:
        return RefreshVerdict.ROTATE
    if presented == current - 1 or now - rotated_at <= reuse_interval:
        return RefreshVerdict.REPEAT
    return RefreshVerdict.REUSED


# ---- refusals: the request ----


class InvalidRequest(DomainError):
    kind = Kind.MALFORMED
    code = "validation-failed"


class NoAuthorization(DomainError):
    kind = Kind.UNAUTHENTICATED
    code = "no-authorization"
    sentence = "This endpoint requires a valid Bearer token"


class BadJwt(DomainError):
    kind = Kind.FORBIDDEN
    code = "bad-jwt"
    sentence = "invalid JWT: unable to parse or verify signature"


class BadSubject(DomainError):
    kind = Kind.MALFORMED
    code = "bad-jwt"
    sentence = "invalid JWT: sub claim must be a UUID"


class CallerNotFound(DomainError):
    kind = Kind.FORBIDDEN
    code = "user-not-found"
    sentence = "User from sub claim in JWT does not exist"


class SessionNotFound(DomainError):
    kind = Kind.FORBIDDEN
    code = "session-not-found"
    sentence = "Session from session_id claim in JWT does not exist"


class UserBanned(DomainError):
    kind = Kind.FORBIDDEN
    code = "user-banned"
    sentence = "User is banned"


class NotAdmin(DomainError):
    kind = Kind.FORBIDDEN
    code = "not-admin"
    sentence = "Updating app_metadata requires admin privileges"


class UserNotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "user-not-found"
    sentence = "User not found"


# ---- refusals: what this installation does not offer ----


class SignupDisabled(DomainError):
    kind = Kind.INVALID
    code = "signup-disabled"
    sentence = "Signups not allowed for this instance"


class AnonymousSignInsDisabled(DomainError):
    kind = Kind.INVALID
    code = "anonymous-provider-disabled"
    sentence = "Anonymous sign-ins are disabled"


class PhoneSignupsDisabled(DomainError):
    kind = Kind.MALFORMED
    code = "phone-provider-disabled"
    sentence = "Phone signups are disabled"


class PhoneLoginsDisabled(DomainError):
    kind = Kind.INVALID
    code = "phone-provider-disabled"
    sentence = "Phone logins are disabled"


class PhoneChangesDisabled(DomainError):
    kind = Kind.INVALID
    code = "phone-provider-disabled"
    sentence = "Phone numbers are not supported"


class EmailChangesDisabled(DomainError):
    kind = Kind.INVALID
    code = "email-provider-disabled"
    sentence = "The e-mail address cannot be changed: this instance cannot send the confirmation it takes"


class Web3Disabled(DomainError):
    kind = Kind.INVALID
    code = "web3-provider-disabled"
    sentence = "Web3 provider is disabled"


class UnsupportedGrantType(DomainError):
    kind = Kind.MALFORMED
    code = "invalid-credentials"
    sentence = "unsupported_grant_type"


# ---- refusals: accounts and passwords ----


class UserAlreadyExists(DomainError):
    kind = Kind.INVALID
    code = "user-already-exists"
    sentence = "User already registered"
    keeps_transaction = True  # the repeated sign-up is on record


class EmailExists(DomainError):
    kind = Kind.INVALID
    code = "email-exists"
    sentence = "A user with this email address has already been registered"


class SamePassword(DomainError):
    kind = Kind.INVALID
    code = "same-password"
    sentence = "New password should be different from the old password."


class WeakPassword(DomainError):
    """:param reasons: of `length`, `characters`, `pwned`."""

    kind = Kind.INVALID
    code = "weak-password"

    def __init__(self, detail: str, *, reasons: Sequence[str]) -> None:
        super().__init__(detail)
        self.reasons = tuple(reasons)


class SignInRefused(DomainError):
    """A sign-in that failed; the attempt is on record."""

    kind = Kind.MALFORMED
    keeps_transaction = True


class InvalidCredentials(SignInRefused):
    code = "invalid-credentials"
    sentence = "Invalid login credentials"


class EmailNotConfirmed(SignInRefused):
    code = "email-not-confirmed"
    sentence = "Email not confirmed"


class BannedFromSigningIn(SignInRefused):
    code = "user-banned"
    sentence = "User is banned"


# ---- refusals: refresh tokens ----


class RefreshTokenNotFound(DomainError):
    kind = Kind.MALFORMED
    code = "refresh-token-not-found"
    sentence = "Invalid Refresh Token: Refresh Token Not Found"


class RefreshTokenAlreadyUsed(DomainError):
    kind = Kind.MALFORMED
    code = "refresh-token-already-used"
    sentence = "Invalid Refresh Token: Already Used"
    keeps_transaction = True  # the session has been ended
