"""Forget what nobody will come back for."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cas_auth.domain.networks import KNOWN_FOR
from cas_auth.domain.pkce import FLOW_LIFETIME
from cas_auth.operations.tools import Tools
from cas_auth.repository.networks import delete_networks
from cas_auth.repository.one_time_tokens import (
    delete_flows,
    delete_old_tokens,
    forget_provider_tokens,
)

# Longer than any link that continues a flow works.
FLOWS_KEPT_FOR = timedelta(days=1, minutes=10)


def forget_stale(session: Session, tools: Tools, *, now: datetime) -> None:
    """Remove mailed tokens, flows and networks that are too old to be used. Safe to run in several replicas at once."""
    delete_old_tokens(session, created_before=now - tools.settings.otp_lifetime)
    delete_networks(session, last_used_before=now - KNOWN_FOR)
    forget_provider_tokens(session, issued_before=now - FLOW_LIFETIME)
    delete_flows(session, created_before=now - FLOWS_KEPT_FOR)
