"""What the caller has made so far (docs/spec/domain.md 6.7)."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query, Response

from cas_kit.errors import FieldProblem, ValidationFailed
from cas_kit.rest import DatabaseDep, PrincipalDep, json_response, router
from cas_listings.domain.own_listings import Selection, Sort
from cas_listings.domain.roles import role_named
from cas_listings.domain.states import status_named
from cas_listings.operations.own_listings import list_own
from cas_listings.rest import documents

PATH = "/api/listings/mine"
DEFAULT_LIMIT, MOST = 20, 100
FARTHEST = 10_000

routes = router(tags=["listings"])


async def _selection(
    *,
    status: Annotated[str | None, Query(description="A state; `paused` is unpublished.")] = None,
    role: Annotated[str | None, Query(description="`tutor`, `client` or `agent`, or an alias.")] = None,
    sort: Annotated[str | None, Query(description="`recent`, `performance` or `status`.")] = None,
    limit: Annotated[int, Query(ge=1, description="More than 100 is served as 100.")] = DEFAULT_LIMIT,
    offset: Annotated[int, Query(ge=0, le=FARTHEST)] = 0,
) -> Selection:
    return Selection(
        status=status_named(status) if status else None,
        role=role_named(role, field="role") if role else None,
        sort=_sort(sort),
        limit=min(limit, MOST),
        offset=offset,
    )


SelectionDep = Annotated[Selection, Depends(_selection)]


@routes.get(
    PATH,
    summary="Your listings",
    description="`counts` disregards `status`. The newest come first, unless `sort` says otherwise.",
    responses={
        200: documents.answer("One page.", documents.MINE),
        422: {"description": "A filter, the order or the page is malformed."},
        **documents.NO_TOKEN,
    },
)
def list_my_listings(principal: PrincipalDep, database: DatabaseDep, selection: SelectionDep) -> Response:
    """Two statements, outside any transaction."""
    with database.autocommit() as connection:
        found = list_own(connection, owner=principal.user_id, selection=selection)
    now = datetime.now(UTC)
    document = {
        "listings": [documents.owners_document(listing, now=now) for listing in found.listings],
        "total": found.total,
        "limit": selection.limit,
        "offset": selection.offset,
        "counts": found.counts,
    }
    return json_response(document, headers=_paging(selection, total=found.total))


def _sort(name: str | None) -> Sort:
    try:
        return Sort(name.strip().lower()) if name else Sort.RECENT
    except ValueError:
        message = f"must be one of {', '.join(Sort)}"
        raise ValidationFailed.of([FieldProblem("sort", message, "unknown-option")]) from None


def _paging(selection: Selection, *, total: int) -> dict[str, str]:
    """How many there are, and the pages around this one."""
    after, before = selection.offset + selection.limit, max(0, selection.offset - selection.limit)
    pages = {"next": after} if after < total else {}
    pages |= {"prev": before} if selection.offset else {}
    links = [f'<{PATH}?{_query(selection, offset)}>; rel="{name}"' for name, offset in pages.items()]
    return {"X-Total-Count": str(total)} | ({"Link": ", ".join(links)} if links else {})


def _query(selection: Selection, offset: int) -> str:
    asked = {"status": selection.status, "role": selection.role, "sort": selection.sort}
    shown = {name: value.value for name, value in asked.items() if value is not None}
    return urlencode({**shown, "limit": selection.limit, "offset": offset})
