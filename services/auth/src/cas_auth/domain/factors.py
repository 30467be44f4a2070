"""Second factors (docs/spec/auth-protocol.md 1.3)."""

from datetime import timedelta
from enum import StrEnum

from cas_auth.domain.refusals import InvalidRequest
from cas_kit.errors import DomainError, Kind

# Of one user, whether verified or not.
MAX_FACTORS = 10
NAME_CHARACTERS = 100
# With the longest address behind it, the text still fits into a QR code.
ISSUER_CHARACTERS = 64

# An enrolment this old was given up, and makes room for the next.
ENROLMENT_LIFETIME = timedelta(minutes=5)
CHALLENGE_LIFETIME = timedelta(minutes=5)
# Guesses at the code of one challenge, and challenges of one factor at a time: what bounds guessing while no counter is
# shared between replicas.
MAX_CODE_ATTEMPTS = 5
MAX_OPEN_CHALLENGES = 15


class FactorType(StrEnum):
    TOTP = "totp"
    PHONE = "phone"
    WEBAUTHN = "webauthn"


class FactorStatus(StrEnum):
    UNVERIFIED = "unverified"
    VERIFIED = "verified"


def factor_name(text: str | None) -> str | None:
    """The name somebody gives a factor of theirs; None when they give none.

    :raises InvalidRequest: it is too long.
    """
    name = (text or "").strip()
    if len(name) > NAME_CHARACTERS:
        raise InvalidRequest(f"friendly_name cannot be longer than {NAME_CHARACTERS} characters")
    return name or None


def issuer_name(text: str | None) -> str | None:
    """What an app shall call this installation; None when the client leaves that to us.

    :raises InvalidRequest: it is too long.
    """
    name = (text or "").strip()
    if len(name) > ISSUER_CHARACTERS:
        raise InvalidRequest(f"issuer cannot be longer than {ISSUER_CHARACTERS} characters")
    return name or None


class AnonymousNotAllowed(DomainError):
    kind = Kind.FORBIDDEN
    code = "no-authorization"
    sentence = "Anonymous user not allowed to perform these actions"


class UnknownFactorType(InvalidRequest):
    sentence = "factor_type needs to be totp, phone, or webauthn"


class TotpEnrolmentDisabled(DomainError):
    kind = Kind.INVALID
    code = "mfa-totp-enroll-not-enabled"
    sentence = "MFA enroll is disabled for TOTP"


class PhoneEnrolmentDisabled(DomainError):
    kind = Kind.INVALID
    code = "mfa-phone-enroll-not-enabled"
    sentence = "MFA enroll is disabled for Phone"


class WebAuthnEnrolmentDisabled(DomainError):
    kind = Kind.INVALID
    code = "mfa-webauthn-enroll-not-enabled"
    sentence = "MFA enroll is disabled for WebAuthn"


class TotpVerificationDisabled(DomainError):
    kind = Kind.INVALID
    code = "mfa-totp-verify-not-enabled"
    sentence = "MFA verification is disabled for TOTP"


class RecoveryCodesDisabled(DomainError):
    kind = Kind.INVALID
    code = "mfa-recovery-codes-enroll-not-enabled"
    sentence = "Recovery codes are not offered by this instance"


class RecoveryCodeVerificationDisabled(DomainError):
    kind = Kind.INVALID
    code = "mfa-recovery-codes-verify-not-enabled"
    sentence = "Recovery codes are not offered by this instance"


class FactorNameConflict(DomainError):
    kind = Kind.INVALID
    code = "mfa-factor-name-conflict"
    sentence = "A factor with this friendly name exists already"


class TooManyFactors(DomainError):
    kind = Kind.INVALID
    code = "too-many-enrolled-mfa-factors"
    sentence = "Maximum number of verified factors reached, unenroll to continue"


class SecondFactorRequiredToEnroll(DomainError):
    kind = Kind.FORBIDDEN
    code = "insufficient-aal"
    sentence = "AAL2 required to enroll a new factor"


class SecondFactorRequiredToUnenroll(DomainError):
    kind = Kind.INVALID
    code = "insufficient-aal"
    sentence = "AAL2 required to unenroll verified factor"


class FactorNotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "mfa-factor-not-found"
    sentence = "Factor not found"


class ChallengeExpired(DomainError):
    kind = Kind.INVALID
    code = "mfa-challenge-expired"
    sentence = "MFA challenge has expired, verify against another challenge or create a new challenge."


class ChallengedElsewhere(DomainError):
    kind = Kind.INVALID
    code = "mfa-ip-address-mismatch"
    sentence = "Challenge and verify IP addresses mismatch."


class FactorUnreadable(DomainError):
    kind = Kind.FORBIDDEN
    code = "mfa-verification-rejected"
    sentence = (
        "This authenticator app is not known here any more: ask support to remove it, then add it again."
    )


class FactorVerificationFailed(DomainError):
    kind = Kind.INVALID
    code = "mfa-verification-failed"
    sentence = "Invalid TOTP code entered"
    keeps_transaction = True  # the guess was counted
