"""Every way that signing in with a provider or changing identities can be refused (docs/spec/auth-protocol.md 1.4)."""

from cas_auth.domain.refusals import InvalidRequest
from cas_kit.errors import DomainError, Kind, Unavailable


class UnsupportedProvider(InvalidRequest):
    sentence = "Unsupported provider: provider is not enabled"


class ProviderDisabled(DomainError):
    kind = Kind.MALFORMED
    code = "provider-disabled"
    sentence = "Provider is not enabled"


class BadOAuthState(DomainError):
    """Nobody of ours was sent to a provider with this state, or it was another browser."""

    kind = Kind.MALFORMED
    code = "bad-oauth-state"
    sentence = "OAuth callback with invalid state"


class BadOAuthCallback(DomainError):
    """What the provider says makes no sense, or does not prove anything."""

    kind = Kind.MALFORMED
    code = "bad-oauth-callback"
    sentence = "OAuth callback with missing authorization code"


class FlowStateAlreadyUsed(DomainError):
    kind = Kind.INVALID
    code = "flow-state-already-used"
    sentence = "OAuth state has already been used"


class ProviderUnreachable(Unavailable):
    sentence = "The provider cannot be reached. Try again in a moment."


class OAuthRefusal(DomainError):
    """A refusal in the words of OAuth.

    :param error: the error code in those words.
    """

    kind = Kind.MALFORMED
    code = "bad-oauth-callback"

    def __init__(self, error: str, detail: str) -> None:
        super().__init__(detail)
        self.error = error


class ProviderRefused(OAuthRefusal):
    """The provider said no, or the person said no to the provider."""

    kind = Kind.FORBIDDEN


class BadIdToken(OAuthRefusal):
    """An ID token that does not prove anything here."""

    code = "invalid-request"

    def __init__(self, detail: str, *, error: str = "invalid request") -> None:
        super().__init__(error, detail)


class ProviderEmailNeedsVerification(DomainError):
    """The provider does not vouch for the address; a mail that asks for it may be on its way."""

    kind = Kind.FORBIDDEN
    code = "provider-email-needs-verification"
    keeps_transaction = True


class EmailAddressNotProvided(DomainError):
    kind = Kind.INVALID
    code = "email-address-not-provided"
    sentence = "The provider tells no email address"


class ManualLinkingDisabled(DomainError):
    kind = Kind.NOT_FOUND
    code = "manual-linking-disabled"
    sentence = "Manual linking is disabled"


class IdentityAlreadyExists(DomainError):
    kind = Kind.INVALID
    code = "identity-already-exists"
    sentence = "Identity is already linked to another user"


class IdentityNotFound(DomainError):
    kind = Kind.INVALID
    code = "identity-not-found"
    sentence = "Identity doesn't exist"


class SingleIdentityNotDeletable(DomainError):
    kind = Kind.INVALID
    code = "single-identity-not-deletable"
    sentence = "User must have at least 1 identity after unlinking"


class EmailConflictIdentityNotDeletable(DomainError):
    kind = Kind.INVALID
    code = "email-conflict-identity-not-deletable"
    sentence = "Unable to unlink identity due to email conflict"
