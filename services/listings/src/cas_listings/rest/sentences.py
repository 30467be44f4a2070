"""Sentences as filters (docs/spec/domain.md 7.5)."""

from typing import Any

from fastapi import Response

from cas_kit.errors import DomainError, Kind
from cas_kit.rest import json_response, router
from cas_listings.domain.parse_query import ParsedQuery, parse_query
from cas_listings.domain.parse_query.query import LONGEST
from cas_listings.operations.suggestions import known_cities
from cas_listings.rest import documents, search_documents
from cas_listings.rest.caller import ListingsDep, VisitorDep
from cas_listings.rest.documents import JsonBody
from cas_taxonomy import Surface, label_for

PATH = "/api/ai/parse-query"

routes = router(tags=["search"])


class QueryUnusable(DomainError):
    """The existing web client expects 400 where there is no sentence to read."""

    kind = Kind.MALFORMED
    code = "validation-failed"
    sentence = f"query: must be a text of 1 to {LONGEST} characters"


@routes.post(
    PATH,
    summary="Read what somebody asks for",
    description="Rules and word lists, no network: the same text gives the same answer.",
    openapi_extra=documents.body(search_documents.SENTENCE),
    responses={
        200: documents.answer("The filters it names; null where it names none.", search_documents.PARSED),
        400: {"description": "`query` is missing, empty or over 500 characters, or the body is not JSON."},
        **documents.NO_TOKEN,
        413: {"description": "The body is larger than 256 KiB."},
        415: {"description": "The body is not `application/json`."},
        422: {"description": "The body has text or a number that nothing can hold, or is nested too deep."},
    },
)
def read_sentence(visitor: VisitorDep, listings: ListingsDep, body: JsonBody = None) -> Response:
    """Every part is a filter that the search accepts."""
    del visitor
    query = body.get("query") if isinstance(body, dict) else None
    if not isinstance(query, str) or not query.strip() or len(query) > LONGEST:
        raise QueryUnusable
    with listings.searches.transaction() as session:
        cities = known_cities(session, timeout=listings.settings.search_timeout)
    return json_response(_document(parse_query(query, cities=cities)))


def _document(parsed: ParsedQuery) -> dict[str, Any]:
    return {
        "subjects": [label_for(entry, Surface.FILTER) for entry in parsed.subjects],
        "levels": [label_for(entry, Surface.FILTER) for entry in parsed.levels],
        "location": parsed.location,
        "locationType": parsed.location_type,
        "minPrice": parsed.prices.lowest,
        "maxPrice": parsed.prices.highest,
        "freeTrialOnly": parsed.free_trial_only or None,
        "intent": parsed.intent,
        "confidence": parsed.confidence,
        "interpretedQuery": parsed.sentence,
        "subjectIds": [entry.id for entry in parsed.subjects],
        "levelIds": [entry.id for entry in parsed.levels],
        "terms": parsed.terms,
    }
