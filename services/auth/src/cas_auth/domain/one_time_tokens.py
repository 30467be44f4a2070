"""Tokens that are mailed and work once (docs/spec/auth-protocol.md 1.2, 4)."""

from collections.abc import Mapping
from enum import StrEnum

from cas_auth.domain.sessions import AuthMethod

# Guesses at one mailed code; the link in the same mail keeps working.
MAX_CODE_ATTEMPTS = 5
# The prefix of a link's token that belongs to a PKCE flow.
PKCE_PREFIX = "pkce_"


class TokenKind(StrEnum):
    """What a one-time token proves; a user has at most one of each kind, the newest."""

    CONFIRMATION = "confirmation"
    INVITE = "invite"
    RECOVERY = "recovery"
    MAGIC_LINK = "magic_link"
    EMAIL_CHANGE_CURRENT = "email_change_current"
    EMAIL_CHANGE_NEW = "email_change_new"
    REAUTHENTICATION = "reauthentication"


class VerifyType(StrEnum):
    """The `type` of a verification in the protocol."""

    SIGNUP = "signup"
    INVITE = "invite"
    RECOVERY = "recovery"
    MAGICLINK = "magiclink"
    EMAIL = "email"
    EMAIL_CHANGE = "email_change"


# Signing in by mail confirms an address just as well as the mail after a sign-up, and clients name both either way.
_BY_MAIL = frozenset({TokenKind.CONFIRMATION, TokenKind.MAGIC_LINK})
KINDS_OF: Mapping[VerifyType, frozenset[TokenKind]] = {
    VerifyType.SIGNUP: _BY_MAIL,
    VerifyType.MAGICLINK: _BY_MAIL,
    VerifyType.EMAIL: _BY_MAIL,
    VerifyType.INVITE: frozenset({TokenKind.INVITE}),
    VerifyType.RECOVERY: frozenset({TokenKind.RECOVERY}),
    VerifyType.EMAIL_CHANGE: frozenset({TokenKind.EMAIL_CHANGE_CURRENT, TokenKind.EMAIL_CHANGE_NEW}),
}

# How a link of this kind names itself, and what its use proves.
TYPE_OF: Mapping[TokenKind, VerifyType] = {
    TokenKind.CONFIRMATION: VerifyType.SIGNUP,
    TokenKind.INVITE: VerifyType.INVITE,
    TokenKind.RECOVERY: VerifyType.RECOVERY,
    TokenKind.MAGIC_LINK: VerifyType.MAGICLINK,
    TokenKind.EMAIL_CHANGE_CURRENT: VerifyType.EMAIL_CHANGE,
    TokenKind.EMAIL_CHANGE_NEW: VerifyType.EMAIL_CHANGE,
}
METHOD_OF: Mapping[TokenKind, AuthMethod] = {
    TokenKind.CONFIRMATION: AuthMethod.EMAIL_SIGNUP,
    TokenKind.INVITE: AuthMethod.INVITE,
    TokenKind.RECOVERY: AuthMethod.RECOVERY,
    TokenKind.MAGIC_LINK: AuthMethod.MAGIC_LINK,
    TokenKind.EMAIL_CHANGE_CURRENT: AuthMethod.EMAIL_CHANGE,
    TokenKind.EMAIL_CHANGE_NEW: AuthMethod.EMAIL_CHANGE,
}
