"""The tables of the auth service, and the state changes of their rows."""

from cas_auth.models.audit import AuditEntry, AuditSeal
from cas_auth.models.factors import Factor, FactorChallenge
from cas_auth.models.identities import Identity
from cas_auth.models.keys import StoredSigningKey
from cas_auth.models.mails import Mail
from cas_auth.models.networks import KnownNetwork
from cas_auth.models.one_time_tokens import FlowState, OneTimeToken
from cas_auth.models.schema import Base, outbox_messages
from cas_auth.models.sessions import RevokedSession, UserSession
from cas_auth.models.users import User

__all__ = [
    "AuditEntry",
    "AuditSeal",
    "Base",
    "Factor",
    "FactorChallenge",
    "FlowState",
    "Identity",
    "KnownNetwork",
    "Mail",
    "OneTimeToken",
    "RevokedSession",
    "StoredSigningKey",
    "User",
    "UserSession",
    "outbox_messages",
]
