"""How what administrators do, or what they try, can be refused (docs/spec/auth-protocol.md 1.5)."""

from cas_kit.errors import DomainError, Kind


class AdminRefused(DomainError):
    """Somebody whose token does not administer users; the attempt is on record."""

    kind = Kind.FORBIDDEN
    code = "not-admin"
    sentence = "User not allowed"
    keeps_transaction = True


class PhoneExists(DomainError):
    kind = Kind.INVALID
    code = "phone-exists"
    sentence = "Phone number already registered by another user"


class UserIdExists(DomainError):
    kind = Kind.INVALID
    code = "user-already-exists"
    sentence = "A user with this id already exists"
