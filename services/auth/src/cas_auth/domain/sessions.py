"""How sessions are proven, renewed and ended (docs/spec/auth-protocol.md 2)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# A session this young needs no further proof that its owner sits in front of it.
REAUTHENTICATED_FOR = timedelta(hours=24)


class AuthMethod(StrEnum):
    """How a session was proven; a value of the `amr` claim."""

    PASSWORD = "password"  # noqa: S105  a method name
    OTP = "otp"
    TOTP = "totp"
    OAUTH = "oauth"
    RECOVERY = "recovery"
    INVITE = "invite"
    MAGIC_LINK = "magiclink"
    EMAIL_SIGNUP = "email/signup"
    EMAIL_CHANGE = "email_change"
    ANONYMOUS = "anonymous"


class AssuranceLevel(StrEnum):
    AAL1 = "aal1"
    AAL2 = "aal2"


class LogoutScope(StrEnum):
    GLOBAL = "global"
    LOCAL = "local"
    OTHERS = "others"


class RefreshVerdict(StrEnum):
    """What becomes of a genuine refresh token."""

    ROTATE = "rotate"
    REPEAT = "repeat"
    SPENT = "spent"
    REUSED = "reused"
    UNKNOWN = "unknown"


class ReuseCause(StrEnum):
    """Why a refresh token that is not the newest was good, as clients and proxies are told."""

    CONCURRENT = "concurrent-refresh"
    NOT_SAVED = "fail-to-save"


class Expiry(StrEnum):
    """Why a session lasts no longer."""

    TIMEBOX = "Timebox"
    INACTIVITY = "Inactivity"
    LOW_AAL = "Low AAL: User Needs MFA Verification"
    NEWER_LOGIN = "Revoked by Newer Login"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How long sessions last; None is for ever.

    :param timebox: since they began.
    :param inactivity: since they were last renewed.
    :param low_aal: since they began, for users with a second factor who have not proven it.
    """

    timebox: timedelta | None = None
    inactivity: timedelta | None = None
    low_aal: timedelta | None = None

    def exceeded(
        self, *, began_at: datetime, renewed_at: datetime, lacks_factor: bool, now: datetime
    ) -> Expiry | None:
        """The limit that such a session has passed."""
        since = {
            Expiry.TIMEBOX: (self.timebox, began_at),
            Expiry.INACTIVITY: (self.inactivity, renewed_at),
            Expiry.LOW_AAL: (self.low_aal if lacks_factor else None, began_at),
        }
        passed = (why for why, (limit, start) in since.items() if limit is not None and now - start > limit)
        return next(passed, None)


def judge_refresh(
    presented: int,
    *,
    first: int = 0,
    current: int,
    rotated_at: datetime,
    now: datetime,
    reuse_interval: timedelta,
) -> RefreshVerdict:
    """Hold the counter of a refresh token against its session's (docs/spec/auth-protocol.md 2.3).

    One behind is forgiven at any time: the client never saved the answer. Further behind is forgiven while the last
    rotation is young. What is older was stolen, or the thief has rotated already.

    A token below `first` is from before a second factor was proven, and must not get what was proven since. While that
    is young it may come from another tab, so it is refused and no more.
    """
    is_young = now - rotated_at <= reuse_interval
    if presented > current:
        return RefreshVerdict.UNKNOWN
    if presented == current:
        return RefreshVerdict.ROTATE
    if presented < first:
        return RefreshVerdict.SPENT if is_young else RefreshVerdict.REUSED
    is_forgiven = reuse_causes(presented, current=current, is_young=is_young)
    return RefreshVerdict.REPEAT if is_forgiven else RefreshVerdict.REUSED


def reuse_causes(presented: int, *, current: int, is_young: bool) -> tuple[ReuseCause, ...]:
    """Why an older token than the current one may be used; nothing when it may not.

    :param is_young: the last rotation is.
    """
    causes = {ReuseCause.CONCURRENT: is_young, ReuseCause.NOT_SAVED: presented == current - 1}
    return tuple(cause for cause, holds in causes.items() if holds)
