"""The option lists, rendered once and cached everywhere (docs/spec/domain.md 2.1)."""

import gzip
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Annotated

import msgspec
from fastapi import Depends, Query, Request, Response

import cas_taxonomy
from cas_account.rest import documents
from cas_account.rest.caller import nobody_in_disguise
from cas_kit.errors import FieldProblem, ValidationFailed
from cas_kit.rest import IfNoneMatch, not_modified, router

CACHED_SELECTIONS = 64
_CACHE_CONTROL = "public, max-age=3600, stale-while-revalidate=86400"

routes = router(tags=["taxonomy"])


@dataclass(frozen=True, slots=True)
class _Rendered:
    """One selection, plain and compressed, each with an entity tag of its own."""

    plain: bytes
    compressed: bytes
    tag: str
    compressed_tag: str


@routes.get(
    "/api/taxonomy",
    summary="The option lists",
    dependencies=[Depends(nobody_in_disguise)],
    responses={
        200: documents.answer("Every entry in display order.", documents.TAXONOMY),
        422: {"description": "Unknown kind."},
        **documents.UNCHANGED,
        **documents.NO_TOKEN,
    },
)
def get_taxonomy(
    request: Request,
    kind: Annotated[
        list[str] | None, Query(description="Kinds to answer, separated by commas; all without.")
    ] = None,
    if_none_match: IfNoneMatch = "",
) -> Response:
    """No I/O."""
    rendered = _rendered(_selected(kind))
    compressed = _accepts_gzip(request)
    headers = {
        "ETag": rendered.compressed_tag if compressed else rendered.tag,
        "Cache-Control": _CACHE_CONTROL,
        "Vary": "Accept-Encoding",
    }
    if not_modified(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if compressed:
        headers["Content-Encoding"] = "gzip"
    content = rendered.compressed if compressed else rendered.plain
    return Response(content, headers=headers, media_type="application/json")


def _selected(kind: list[str] | None) -> tuple[str, ...]:
    """The kinds asked for, in the order of the lists, so that few selections have to be kept."""
    asked = {name.strip() for names in kind or () for name in names.split(",")} - {""}
    if not asked:
        return cas_taxonomy.KINDS
    if not asked <= set(cas_taxonomy.KINDS):
        message = f"must name some of {', '.join(cas_taxonomy.KINDS)}"
        raise ValidationFailed.of([FieldProblem("kind", message, "unknown-kind")])
    return tuple(name for name in cas_taxonomy.KINDS if name in asked)


@lru_cache(maxsize=CACHED_SELECTIONS)
def _rendered(kinds: tuple[str, ...]) -> _Rendered:
    plain = msgspec.json.encode(cas_taxonomy.as_document(kinds))
    digest = sha256(plain).hexdigest()[:16]
    return _Rendered(plain, gzip.compress(plain, mtime=0), f'"{digest}"', f'"{digest}-gzip"')


def _accepts_gzip(request: Request) -> bool:
    for coding in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = coding.replace(" ", "").partition(";")
        if name == "gzip":
            return weight not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
