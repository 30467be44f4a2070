"""Every way a request can be refused (docs/spec/auth-protocol.md 3).

Codes are written as everywhere in this system, `like-this`; the REST edge spells them `like_this`.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cas_auth.domain.sessions import Expiry
from cas_kit.errors import DomainError, Kind, RateLimited


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


class BannedFromVerifying(UserBanned):
    keeps_transaction = True  # the attempt is on record


class UserNotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "user-not-found"
    sentence = "User not found"


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


class Web3Disabled(DomainError):
    kind = Kind.INVALID
    code = "web3-provider-disabled"
    sentence = "Web3 provider is disabled"


class SamlDisabled(DomainError):
    kind = Kind.NOT_FOUND
    code = "saml-provider-disabled"
    sentence = "SAML 2.0 is disabled"


class PasskeysDisabled(DomainError):
    kind = Kind.NOT_FOUND
    code = "passkey-disabled"
    sentence = "Passkeys are disabled"


class FeatureDisabled(DomainError):
    kind = Kind.NOT_FOUND
    code = "feature-disabled"
    sentence = "This instance does not offer this"


class UnsupportedGrantType(DomainError):
    kind = Kind.MALFORMED
    code = "invalid-credentials"
    sentence = "unsupported_grant_type"


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


class SecondFactorRequired(DomainError):
    kind = Kind.UNAUTHENTICATED
    code = "insufficient-aal"
    sentence = "AAL2 session is required to update email or password when MFA is enabled."


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


class RefreshTokenNotFound(DomainError):
    kind = Kind.MALFORMED
    code = "refresh-token-not-found"
    sentence = "Invalid Refresh Token: Refresh Token Not Found"


class RefreshTokenAlreadyUsed(DomainError):
    kind = Kind.MALFORMED
    code = "refresh-token-already-used"
    sentence = "Invalid Refresh Token: Already Used"
    keeps_transaction = True  # the session has been ended


# ---- refusals: mailed tokens, flows, second thoughts ----


class TokenExpired(DomainError):
    """A mailed link or code that proves nothing; the attempt is on record."""

    kind = Kind.FORBIDDEN
    code = "otp-expired"
    sentence = "Token has expired or is invalid"
    keeps_transaction = True


class FlowStateNotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "flow-state-not-found"
    sentence = "invalid flow state, no valid flow state found"


class FlowStateExpired(DomainError):
    kind = Kind.INVALID
    code = "flow-state-expired"
    sentence = "invalid flow state, flow state has expired"


class BadCodeVerifier(DomainError):
    kind = Kind.MALFORMED
    code = "bad-code-verifier"
    sentence = "code challenge does not match previously saved code verifier"
    keeps_transaction = True  # the attempt is on record


class ReauthenticationNeeded(DomainError):
    kind = Kind.MALFORMED
    code = "reauthentication-needed"
    sentence = "Password update requires reauthentication"


class ReauthenticationNotValid(DomainError):
    """A wrong nonce; the attempt is counted."""

    kind = Kind.INVALID
    code = "reauthentication-not-valid"
    sentence = "Nonce has expired or is invalid"
    keeps_transaction = True


class NothingToReauthenticate(DomainError):
    kind = Kind.MALFORMED
    code = "validation-failed"
    sentence = "Reauthentication requires the user to have an email or a phone number"


class EmailAwaitsConfirmation(DomainError):
    kind = Kind.INVALID
    code = "email-not-confirmed"
    sentence = "Please verify your email first."


class CurrentPasswordRequired(DomainError):
    kind = Kind.MALFORMED
    code = "current-password-required"
    sentence = "Current password required when setting new password."


class CurrentPasswordInvalid(DomainError):
    kind = Kind.MALFORMED
    code = "current-password-invalid"
    sentence = "Current password is not correct."


class MailedTooRecently(RateLimited):
    """One address asks for mails too fast; says when the next one may be asked for."""

    code = "over-email-send-rate-limit"

    def __init__(self, *, retry_after: timedelta) -> None:
        seconds = math.ceil(retry_after.total_seconds())
        super().__init__(
            f"For security purposes, you can only request this after {seconds} seconds.",
            retry_after=retry_after,
        )


# ---- refusals: hooks ----


class HookRefused(DomainError):
    """A hook said no.

    :param status: the HTTP status it wants to see, of the 400s.
    """

    kind = Kind.MALFORMED
    code = "unknown"

    def __init__(self, detail: str, *, status: int) -> None:
        super().__init__(detail)
        self.status = status


class HookFailed(DomainError):
    kind = Kind.INTERNAL
    code = "unexpected-failure"
    sentence = "Service currently unavailable due to hook"


class HookTimedOut(DomainError):
    kind = Kind.INVALID
    code = "hook-timeout"
    sentence = "Failed to reach hook within maximum time of 5 seconds"


class HookUnreachable(DomainError):
    kind = Kind.INVALID
    code = "hook-timeout-after-retry"
    sentence = "Failed to reach hook after maximum retries"


class HookAnswerTooLarge(DomainError):
    kind = Kind.INVALID
    code = "hook-payload-over-size-limit"


class HookAnswerNotJson(DomainError):
    kind = Kind.MALFORMED
    code = "hook-payload-invalid-content-type"
    sentence = "Invalid JSON response from hook: its Content-Type is not application/json"


class SessionExpired(DomainError):
    """:param why: the limit the session has passed."""

    kind = Kind.MALFORMED
    code = "session-expired"
    keeps_transaction = True  # the session has been ended

    def __init__(self, why: Expiry) -> None:
        super().__init__(f"Invalid Refresh Token: Session Expired ({why})")


class AdminSessionExpired(DomainError):
    kind = Kind.FORBIDDEN
    code = "session-expired"
    sentence = "The session has expired. Sign in again."


class DeviceNotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "session-not-found"
    sentence = "You are not signed in on such a device"


# ---- signing keys; told to whoever administers this installation ----


class SigningKeyNotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "signing-key-not-found"
    sentence = "There is no signing key of this id."


class StandbyKeyTooYoung(DomainError):
    """:param ripe_at: when it may sign."""

    kind = Kind.CONFLICT
    code = "standby-key-too-young"

    def __init__(self, ripe_at: datetime) -> None:
        self.ripe_at = ripe_at
        super().__init__(
            "The standby key was published a short while ago; whoever keeps the published keys may not know it yet. "
            f"It may sign from {ripe_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, or almost at once with --force."
        )


class CurrentKeyInUse(DomainError):
    kind = Kind.CONFLICT
    code = "current-key-in-use"
    sentence = "This key signs at the moment. Rotate first."


class KeyAlreadyKnown(DomainError):
    """:param kid: the id that is taken."""

    kind = Kind.CONFLICT
    code = "key-already-known"

    def __init__(self, kid: str) -> None:
        super().__init__(f"There is a signing key of the id {kid} already.")


class SecretAlreadyKnown(DomainError):
    kind = Kind.CONFLICT
    code = "secret-already-known"
    sentence = "There is an HS256 secret already, and there can be only one. Revoke it first."
