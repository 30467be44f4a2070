"""Forget what nobody will come back for."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cas_auth.domain.factors import CHALLENGE_LIFETIME
from cas_auth.domain.networks import KNOWN_FOR
from cas_auth.domain.pkce import FLOW_LIFETIME
from cas_auth.operations.tools import Tools
from cas_auth.repository.factors import delete_stale_factors
from cas_auth.repository.networks import delete_networks
from cas_auth.repository.one_time_tokens import (
    delete_flows,
    delete_old_tokens,
    forget_provider_tokens,
)
from cas_auth.repository.sessions import end_stale_sessions

# Longer than any link that continues a flow works.
FLOWS_KEPT_FOR = timedelta(days=1, minutes=10)


# So long is whoever comes back told why.
EXPIRED_KEPT_FOR = timedelta(days=7)
SESSIONS_AT_ONCE = 1_000
ENROLMENTS_KEPT_FOR = timedelta(days=1)


def forget_stale(session: Session, tools: Tools, *, now: datetime) -> None:
    """Remove what is too old to be used. Safe to run in several replicas at once."""
    delete_old_tokens(session, created_before=now - tools.settings.otp_lifetime)
    delete_networks(session, last_used_before=now - KNOWN_FOR)
    forget_provider_tokens(session, issued_before=now - FLOW_LIFETIME)
    delete_flows(session, created_before=now - FLOWS_KEPT_FOR)
    delete_stale_factors(
        session,
        unverified_before=now - ENROLMENTS_KEPT_FOR,
        challenged_before=now - CHALLENGE_LIFETIME,
    )
    _end_stale_sessions(session, tools, now=now)


def _end_stale_sessions(session: Session, tools: Tools, *, now: datetime) -> None:
    def long_past(limit: timedelta | None) -> datetime | None:
        return None if limit is None else now - limit - EXPIRED_KEPT_FOR

    end_stale_sessions(
        session,
        began_before=long_past(tools.session_limits.timebox),
        renewed_before=long_past(tools.session_limits.inactivity),
        limit=SESSIONS_AT_ONCE,
    )
