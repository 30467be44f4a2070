"""Everything that is kept about the caller, as a file (docs/spec/domain.md 8.2)."""

from datetime import UTC, datetime

from fastapi import Response
from fastapi.responses import StreamingResponse

from cas_account.operations.export import collect_export, record_export
from cas_account.rest import documents
from cas_account.rest.caller import AccountDep, OwnersReadDep
from cas_kit.rest import router

PATH = "/api/account/export"
LIMIT = "5/day"
COUNTED_AS = "export"

routes = router(tags=["account"])


@routes.get(
    PATH,
    summary="Everything that is kept about you",
    description="One JSON document, complete or not at all. At most five a day.",
    responses={
        200: documents.answer("The document, as an attachment.", documents.EXPORT),
        429: {
            "description": "There were five in the last day; `Retry-After` says when the next one is allowed."
        },
        503: {"description": "A service did not answer; nothing was counted."},
        **documents.NO_TOKEN,
    },
)
def export_account(read: OwnersReadDep, account: AccountDep) -> Response:
    """Collect, then count, then begin to answer: a failure uses up nothing, and a file is never cut short."""
    now, owner = datetime.now(UTC), str(read.owner)
    account.limiter.check(LIMIT, COUNTED_AS, owner)
    export = collect_export(read.database, account.parts, user_id=read.owner, now=now)
    account.limiter.hit(LIMIT, COUNTED_AS, owner)
    with read.database.transaction() as session:
        record_export(session, user_id=read.owner, now=now)
    disposition = f'attachment; filename="{export.file_name}"'
    return StreamingResponse(
        export.pieces(), media_type="application/json", headers={"Content-Disposition": disposition}
    )
