"""Searching listings, for everybody (docs/spec/domain.md 7.1-7.4)."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

import msgspec
from fastapi import Request, Response

from cas_fields.reading import Json
from cas_kit.rest import IfNoneMatch, not_modified, router
from cas_listings import metrics
from cas_listings.domain.search.reading import parameters_of_body, parameters_of_query, read_search
from cas_listings.domain.search.request import Search
from cas_listings.domain.search.suggestions import Suggestion, read_suggest_request
from cas_listings.operations.search import Found, SearchLimits, find_listings
from cas_listings.operations.suggestions import suggest
from cas_listings.rest import documents, search_documents
from cas_listings.rest.caller import ListingsDep, VisitorDep
from cas_listings.rest.documents import JsonBody

SEARCH = "/api/listings/search"
SUGGEST = "/api/listings/suggest"
MARKETPLACE = "/api/marketplace/search"
# A gateway refuses answers with very long headers; the body says everything that the links say.
LONGEST_LINKS = 2000

routes = router(tags=["search"])

_ANSWERS: documents.Answers = {
    200: documents.answer("What was found.", search_documents.FOUND),
    **documents.NO_TOKEN,
    422: {"description": "A parameter makes no sense; `detail` says which."},
    503: {"description": "It took too long; see `Retry-After`."},
}


def search_listings(
    request: Request, visitor: VisitorDep, listings: ListingsDep, if_none_match: IfNoneMatch = ""
) -> Response:
    """The same for everybody, signed in or not."""
    del visitor
    parameters = parameters_of_query(request.query_params.multi_items())
    return _answer(listings, parameters, known=if_none_match, asked=request)


for _path, _spelling in (
    (SEARCH, search_documents.PARAMETERS),
    (MARKETPLACE, search_documents.WEB_PARAMETERS),
):
    routes.add_api_route(
        _path,
        search_listings,
        methods=["GET"],
        summary="Find published listings",
        operation_id=f"search_{_path.split('/')[2]}",
        openapi_extra={"parameters": _spelling},
        responses={**_ANSWERS, **documents.UNCHANGED},
    )


@routes.post(
    MARKETPLACE,
    summary="Find published listings by a body",
    openapi_extra=documents.body(search_documents.BODY, required=False),
    responses={
        **_ANSWERS,
        400: {"description": "The body is not JSON."},
        413: {"description": "The body is larger than 256 KiB."},
        415: {"description": "The body is not `application/json`."},
    },
)
def post_search(visitor: VisitorDep, listings: ListingsDep, body: JsonBody = None) -> Response:
    """As by address; changes nothing. No link can repeat a body, so there is none."""
    del visitor
    return _answer(listings, parameters_of_body({} if body is None else body))


@routes.get(
    SUGGEST,
    summary="What somebody may be about to type",
    openapi_extra={"parameters": search_documents.SUGGEST_PARAMETERS},
    responses={
        200: documents.answer("At most ten, the nearest first.", search_documents.SUGGESTIONS),
        **documents.UNCHANGED,
        **documents.NO_TOKEN,
        422: {"description": "`q` is missing or too long, or `limit` is no number above 0."},
        503: {"description": "It took too long; see `Retry-After`."},
    },
)
def suggest_searches(
    request: Request, visitor: VisitorDep, listings: ListingsDep, if_none_match: IfNoneMatch = ""
) -> Response:
    """Titles and cities of published listings only."""
    del visitor
    asked = read_suggest_request(parameters_of_query(request.query_params.multi_items()))
    with metrics.timed("suggest"), listings.searches.transaction() as session:
        found = suggest(session, request=asked, timeout=listings.settings.search_timeout)
    return _revalidated({"suggestions": [_suggestion(each) for each in found]}, known=if_none_match)


def _answer(
    listings: ListingsDep,
    parameters: Mapping[str, Json],
    *,
    known: str = "",
    asked: Request | None = None,
) -> Response:
    """:param asked: what its address asks for, where that is the whole of it."""
    search = read_search(parameters)
    with metrics.timed("search"), listings.searches.transaction() as session:
        found = find_listings(session, search=search, limits=SearchLimits.of(listings.settings))
    document = {
        "listings": [search_documents.card(listing) for listing in found.listings],
        "total": found.total,
        "total_is_exact": found.total_is_exact,
        "limit": search.limit,
        "offset": 0 if search.cursor else search.offset,
        "next_cursor": found.next_cursor,
        "facets": found.facets or {},
        "estimated_facets": list(found.estimated_facets),
        "suggestions": _advice(found),
        "applied": search.applied,
    }
    metrics.SEARCHES.labels("found" if found.total else "nothing").inc()
    links = {} if asked is None else _links(asked, search, found)
    return _revalidated(document, known=known, headers={"X-Total-Count": str(found.total), **links})


def _links(asked: Request, search: Search, found: Found) -> dict[str, str]:
    """The addresses of the pages around this one: onwards by cursor, back by offset."""
    kept = [pair for pair in asked.query_params.multi_items() if pair[0] not in {"cursor", "offset"}]
    pages = {"next": ("cursor", found.next_cursor)} if found.next_cursor else {}
    if search.offset and not search.cursor:
        pages["prev"] = ("offset", str(max(0, search.offset - search.limit)))
    links = ", ".join(
        f'<{asked.url.path}?{urlencode([*kept, page])}>; rel="{name}"' for name, page in pages.items()
    )
    return {"Link": links} if 0 < len(links) <= LONGEST_LINKS else {}


def _advice(found: Found) -> Any:
    return found.advice and msgspec.to_builtins(found.advice)


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    shown = {
        "type": suggestion.type,
        "id": suggestion.id,
        "label": suggestion.label,
        "count": suggestion.count,
    }
    return shown | ({} if suggestion.slug is None else {"slug": suggestion.slug})


def _revalidated(document: Any, *, known: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that may be kept, and is asked for again each time.

    :param known: the entity tags that the client has.
    """
    content = msgspec.json.encode(document)
    tag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
    every = {**(headers or {}), "ETag": tag, "Cache-Control": "no-cache"}
    if not_modified(known, tag):
        return Response(status_code=304, headers=every)
    return Response(content, headers=every, media_type="application/json")
