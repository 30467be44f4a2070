"""Read the audit log."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, TypeAdapter

from cas_auth.domain.audit import AuditAction, LogType, log_type
from cas_auth.domain.audit_search import AuditSearch
from cas_auth.models import AuditEntry
from cas_auth.operations.audit_reading import list_audit_page
from cas_auth.rest.admin import ADMIN_PREFIX
from cas_auth.rest.admin.paging import Page
from cas_auth.rest.admin.schemas import Searchable
from cas_auth.rest.errors import documented
from cas_auth.rest.requests import AdminDep, AuthDep
from cas_kit.rest import router

AUDIT = f"{ADMIN_PREFIX}/audit"

routes = router(tags=["admin"])


class AuditIn(BaseModel):
    """The query of the log: `author:`, `action:` or `type:` and a text; clients send numbers empty."""

    query: Searchable = ""
    page: str = ""
    per_page: str = ""


class AuditPayloadOut(BaseModel):
    actor_id: UUID | None = None
    actor_username: str
    actor_via_sso: bool
    action: AuditAction
    log_type: LogType
    traits: dict[str, Any] | None = None


class AuditEntryOut(BaseModel):
    """An entry; what stands beside the protocol's fields tells more of the request."""

    id: str
    payload: AuditPayloadOut
    created_at: datetime
    ip_address: str
    user_agent: str | None = None
    session_id: UUID | None = None
    request_id: str

    @classmethod
    def of(cls, entry: AuditEntry, *, username: str) -> Self:
        """The protocol's view of this entry."""
        return cls(
            id=str(entry.id),
            payload=AuditPayloadOut(
                actor_id=entry.actor_id,
                actor_username=username,
                actor_via_sso=False,
                action=entry.action,
                log_type=log_type(entry.action),
                traits=entry.traits or None,
            ),
            created_at=entry.created_at,
            ip_address="" if entry.ip is None else str(entry.ip),
            user_agent=entry.user_agent,
            session_id=entry.session_id,
            request_id=entry.request_id,
        )


_entries = TypeAdapter(list[AuditEntryOut])
AuditDep = Annotated[AuditIn, Query()]


@routes.get(AUDIT, responses={200: {"model": list[AuditEntryOut]}, **documented(400, 401, 403)})
def list_audit(admin: AdminDep, dependencies: AuthDep, query: AuditDep) -> Response:
    """List what happened, newest first."""
    del admin
    search, asked = AuditSearch.read(query.query), Page.read(query.page, query.per_page)
    with dependencies.database.transaction() as session:
        found = list_audit_page(session, search, limit=asked.per_page, offset=asked.offset)
    shown = [
        AuditEntryOut.of(
            entry, username=found.addresses.get(entry.actor_id, "") if entry.actor_id is not None else ""
        )
        for entry in found.entries
    ]
    return Response(
        _entries.dump_json(shown, exclude_none=True),
        headers=asked.headers(AUDIT, total=found.total, query={"query": query.query}),
        media_type="application/json",
    )
