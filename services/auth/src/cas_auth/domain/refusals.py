"""Every way a request can be refused (docs/spec/auth-protocol.md 3).

Codes are written as everywhere in this system, `like-this`; the REST edge spells them `like_this`.
"""

from collections.abc import Sequence

from cas_kit.errors import DomainError, Kind


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
