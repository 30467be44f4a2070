"""Everything kept about a user, for that user (docs/spec/domain.md 8.2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from cas_auth.models import AuditEntry, Factor, Identity, KnownNetwork, Mail, UserSession
from cas_auth.repository.export import find_user_columns, list_activity, list_columns

_LISTS = {
    "identities": Identity,
    "sessions": UserSession,
    "factors": Factor,
    "known_networks": KnownNetwork,
    "mails": Mail,
}
_encoder = msgspec.json.Encoder(enc_hook=str)  # addresses of networks


@dataclass(frozen=True, slots=True)
class ExportItem:
    """One JSON object of a section of the export."""

    section: str
    document: bytes


def export_user(session: Session, *, user_id: UUID) -> Iterator[ExportItem]:
    """The user, then what happened; nothing when there is no such user. Credentials are never read."""
    user = find_user_columns(session, user_id=user_id)
    if user is None:
        return
    lists = {name: list_columns(session, table, user_id=user_id) for name, table in _LISTS.items()}
    yield _item("auth", user | lists)
    for entry in list_activity(session, user_id=user_id):
        yield _item("activity", _activity(entry, user_id=user_id))


def _activity(entry: AuditEntry, *, user_id: UUID) -> dict[str, Any]:
    """An entry of the log; of what somebody else did, not who and from where."""
    happened = {"at": entry.created_at, "service": "auth", "action": entry.action}
    if entry.actor_id != user_id:
        return happened
    origin = {"ip": entry.ip, "user_agent": entry.user_agent}
    return happened | origin | {"session_id": entry.session_id, "request_id": entry.request_id}


def _item(section: str, content: Mapping[str, Any]) -> ExportItem:
    return ExportItem(section, _encoder.encode(content))
