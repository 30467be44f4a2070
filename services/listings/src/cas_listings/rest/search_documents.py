"""What searches take and give: cards, and JSON Schema for OpenAPI."""

from typing import Any

from cas_fields.reading import Schema
from cas_listings.domain.search.facets import FACETS
from cas_listings.domain.search.request import LARGEST_LIMIT, LARGEST_OFFSET, NAMED_SORTS, SortField
from cas_listings.domain.search.suggestions import MOST, SuggestionType
from cas_listings.domain.search.text import LONGEST
from cas_listings.models import ServiceListing
from cas_listings.rest.documents import Document, objects, public_document
from cas_taxonomy import ROLE_NAMES

CARD_DESCRIPTION = 300  # characters


def card(listing: ServiceListing) -> Document:
    """A listing among others: as everybody sees it, its description cut."""
    return public_document(listing) | {"description": listing.description[:CARD_DESCRIPTION]}


# ---- OpenAPI ----

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number", "minimum": 0}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_FLAG: Schema = {"type": "boolean"}
_SORTED_FIELDS = [field.value for field in SortField if field is not SortField.RELEVANCE]
_ROLE: Schema = {"type": "string", "enum": [*ROLE_NAMES]}
_SORT: Schema = {"type": "string", "enum": [*NAMED_SORTS, *_SORTED_FIELDS]}
_ORDER: Schema = {"type": "string", "enum": ["asc", "desc"]}
_LOCATION_TYPES: Schema = {
    "type": "string",
    "description": "online, in_person, hybrid; commas between several.",
}
_LIST = "Ids, labels or aliases, commas between them; any of them."
_QUERY: Schema = {"type": "string", "maxLength": LONGEST}

_LISTS: dict[str, Schema] = {
    name: {"type": "string", "description": _LIST}
    for name in ("subjects", "levels", "languages", "tags", "specializations", "teaching_methods")
}
_OPTIONS: Schema = {"type": "array", "items": _TEXT, "description": "Ids, labels or aliases; any of them."}
_SHARED: dict[str, Schema] = {
    **_LISTS,
    "location_type": _LOCATION_TYPES,
    "min_price": _NUMBER,
    "max_price": _NUMBER,
    "role": _ROLE,
    "limit": {"type": "integer", "minimum": 1, "description": f"Above {LARGEST_LIMIT} is {LARGEST_LIMIT}."},
    "offset": {"type": "integer", "minimum": 0, "maximum": LARGEST_OFFSET},
    "cursor": _TEXT,
    "facets": _FLAG,
}


def _in_query(properties: dict[str, Schema]) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]


PARAMETERS = _in_query({"q": _QUERY, **_SHARED, "city": _TEXT, "free_trial": _FLAG, "sort": _SORT})
WEB_PARAMETERS = _in_query(
    {
        "search": _QUERY,
        **_SHARED,
        "location_city": _TEXT,
        "free_trial_only": _FLAG,
        "sort_field": _SORT,
        "sort_order": _ORDER,
    }
)
SUGGEST_PARAMETERS = [
    {
        "name": "q",
        "in": "query",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 100},
    },
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MOST}},
]
BODY = objects(
    {
        "filters": objects(
            {
                "search": _QUERY,
                **dict.fromkeys(_LISTS, _OPTIONS),
                "location_type": {"type": ["string", "array"]},
                "location_city": _TEXT,
                "min_price": {"type": ["number", "null"]},
                "max_price": {"type": ["number", "null"]},
                "free_trial_only": _FLAG,
                "role": _ROLE,
            }
        ),
        "sort": objects({"field": _SORT, "order": _ORDER}),
        **{name: _SHARED[name] for name in ("limit", "offset", "cursor", "facets")},
    }
)
_FACET: Schema = {"type": "array", "items": objects({"id": _TEXT, "label": _TEXT, "count": _COUNT})}
_BANDS: Schema = {
    "type": "array",
    "items": objects({"from": _NUMBER, "to": {"type": ["number", "null"]}, "count": _COUNT}),
}
_ADVICE: Schema = {
    **objects(
        {
            "did_you_mean": {"type": ["string", "null"]},
            "relax": {"type": "array", "items": objects({"drop": _TEXT, "total": _COUNT})},
            "nearby": {
                "type": "array",
                "items": objects({"kind": _TEXT, "id": _TEXT, "label": _TEXT, "count": _COUNT}),
            },
        }
    ),
    "type": ["object", "null"],
}
_FOUND: dict[str, Schema] = {
    "listings": {"type": "array", "items": {"type": "object", "description": "A public listing."}},
    "total": _COUNT,
    "total_is_exact": _FLAG,
    "limit": _COUNT,
    "offset": _COUNT,
    "next_cursor": {"type": ["string", "null"]},
    "facets": {
        **objects({**dict.fromkeys(FACETS, _FACET), "price": _BANDS}),
        "description": "Each is counted with all filters except its own. A searched city counts every city that "
        "contains it. `free_trial` counts those with and those without one; as a filter, false keeps both. A band "
        "of `price` ends below its `to`; `max_price` includes it.",
    },
    "estimated_facets": {
        "type": "array",
        "items": {"type": "string", "enum": [*FACETS]},
        "description": "The facets whose counts are estimates, because there are very many results.",
    },
    "suggestions": _ADVICE,
    "applied": {
        "type": "object",
        "description": "The filters as parameters that lead to the same search again.",
    },
}
FOUND = objects(_FOUND, required=[*_FOUND])
_SUGGESTION = objects(
    {
        "type": {"type": "string", "enum": [*SuggestionType]},
        "id": _TEXT,
        "label": _TEXT,
        "count": _COUNT,
        "slug": _TEXT,
    },
    required=["type", "id", "label", "count"],
)
SUGGESTIONS = objects({"suggestions": {"type": "array", "items": _SUGGESTION}}, required=["suggestions"])
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_MAYBE_NUMBER: Schema = {"type": ["number", "null"]}
_PARSED: dict[str, Schema] = {
    "subjects": _TEXTS,
    "levels": _TEXTS,
    "location": _MAYBE_TEXT,
    "locationType": {"type": ["string", "null"], "enum": ["online", "in_person", "hybrid", None]},
    "minPrice": _MAYBE_NUMBER,
    "maxPrice": _MAYBE_NUMBER,
    "freeTrialOnly": {"type": ["boolean", "null"]},
    "intent": {"type": "string", "enum": ["search", "browse", "specific_request"]},
    "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    "interpretedQuery": _TEXT,
    "subjectIds": _TEXTS,
    "levelIds": _TEXTS,
    "terms": _TEXTS,
}
PARSED = objects(_PARSED, required=[*_PARSED])
SENTENCE = objects({"query": {"type": "string", "minLength": 1, "maxLength": 500}}, required=["query"])
