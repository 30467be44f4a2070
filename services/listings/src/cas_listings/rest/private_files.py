"""Uploaded files, for whoever has a link to one: their owner's export has (docs/spec/domain.md 6.6, 8.2)."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Response
from fastapi.responses import StreamingResponse

from cas_kit.rest import router
from cas_listings.rest.caller import ListingsDep

HEADERS = {
    # A browser saves it and never shows it: it is as it was received.
    "Content-Disposition": 'attachment; filename="picture"',
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
}

routes = router(tags=["media"])


@routes.get(
    "/media/uploads/{link}",
    summary="An uploaded file, by a link of an export",
    description="As it was received. Links end after an hour.",
    response_class=Response,
    responses={
        200: {"description": "The file.", "content": {"application/octet-stream": {}}},
        404: {"description": "Nobody made this link, or its time is over, or the file is gone."},
    },
)
def get_uploaded_file(
    link: Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,1000}$")], listings: ListingsDep
) -> Response:
    """Only where files are in a folder: an S3 answers links of its own."""
    found = listings.storage.open(listings.storage.linked_key(link, now=datetime.now(UTC)))
    return StreamingResponse(
        found.chunks,
        headers={**HEADERS, "Content-Length": str(found.size)},
        media_type="application/octet-stream",
    )
