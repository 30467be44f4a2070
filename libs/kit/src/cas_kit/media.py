"""Pictures for everybody: files with public keys, streamed from where they are kept (docs/adr/0022)."""

import re
from collections.abc import Iterator
from typing import Annotated, Protocol

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse

from cas_kit.rest import IfNoneMatch, not_modified
from cas_kit.storage import Storage, StoredObject

KINDS = {"webp": "image/webp", "avif": "image/avif"}
HEADERS = {
    # An address never changes its content.
    "Cache-Control": "public, max-age=31536000, immutable",
    # Whatever a browser takes it for, it can do nothing; pages of other origins may show it.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
    "Accept-Ranges": "bytes",
}
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


class HasStorage(Protocol):
    """The dependencies of a service that serves files."""

    @property
    def storage(self) -> Storage: ...


def media_router(area: str) -> APIRouter:
    """Serves `/media/<area>/<owner>/<digest>/<width>.<ending>`, and no key of another form.

    The application's dependencies have a `storage`.
    """
    routes = APIRouter(tags=["media"])

    @routes.get(
        f"/media/{area}/{{owner}}/{{digest}}/{{name}}",
        operation_id=f"get_{area}_picture",
        summary="A picture",
        description="Immutable, so that it can be kept for ever. Takes `Range` and `If-None-Match`.",
        response_class=Response,
        responses={
            200: {"description": "The picture.", "content": {kind: {} for kind in KINDS.values()}},
            206: {"description": "The part that `Range` asked for."},
            304: {"description": "The same as the `ETag` in `If-None-Match`."},
            404: {"description": "There is no such picture."},
            416: {"description": "The picture has no such part.", "content": {}},
        },
    )
    def show_picture(
        request: Request,
        owner: Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")],
        digest: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")],
        name: Annotated[str, Path(pattern=r"^[1-9][0-9]{0,4}\.(webp|avif)$")],
        if_none_match: IfNoneMatch = "",
    ) -> Response:
        dependencies: HasStorage = request.app.state.dependencies
        key = f"{area}/{owner}/{digest}/{name}"
        return _answer(request, dependencies.storage, key, known=if_none_match)

    return routes


def _answer(request: Request, storage: Storage, key: str, *, known: str) -> Response:
    """What HTTP asks for: everything, a part, or nothing new.

    :param known: the entity tags that the client has.
    """
    tag = f'"{"-".join(key.split("/")[-2:])}"'
    headers = {**HEADERS, "ETag": tag}
    if not_modified(known, tag) and storage.exists(key):
        return Response(status_code=304, headers=headers)
    if (asked := _asked_part(request, tag)) is not None:
        return _part(storage, key, asked, headers)
    found = storage.open(key)
    return _stream(found, key, headers=headers, status=200)


def _asked_part(request: Request, tag: str) -> re.Match[str] | None:
    """The one range that is asked for; several, or of another version, count as none (RFC 9110, 13.1.5 and 14.2)."""
    if request.headers.get("if-range", tag) != tag:
        return None
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    return asked if asked is not None and any(asked.groups()) else None


def _part(storage: Storage, key: str, asked: re.Match[str], headers: dict[str, str]) -> Response:
    size = storage.size(key)
    first, last = asked.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    headers |= {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return _stream(storage.open_part(key, start=start, end=end), key, headers=headers, status=206)


def _stream(found: StoredObject, key: str, *, headers: dict[str, str], status: int) -> Response:
    chunks: Iterator[bytes] = found.chunks
    return StreamingResponse(
        chunks,
        status,
        headers={**headers, "Content-Length": str(found.size)},
        media_type=KINDS[key.rpartition(".")[2]],
    )
