"""Read the audit log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.domain.audit_search import AuditSearch
from cas_auth.models import AuditEntry
from cas_auth.repository import audit_list


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Some entries, newest first.

    :param total: how many match altogether; beyond 100,000 nobody counts.
    :param addresses: the present addresses of those who acted; the log itself keeps none.
    """

    entries: Sequence[AuditEntry]
    total: int
    addresses: Mapping[UUID, str]


def list_audit_page(session: Session, search: AuditSearch, *, limit: int, offset: int) -> AuditPage:
    """One page of the entries that match."""
    entries = audit_list.list_entries(session, search, limit=limit, offset=offset)
    authors = {entry.actor_id for entry in entries if entry.actor_id is not None}
    return AuditPage(
        entries=entries,
        total=audit_list.count_entries(session, search),
        addresses=audit_list.addresses_of(session, user_ids=authors),
    )
