"""A listing as it is answered, and what the endpoints take and give, in JSON Schema for OpenAPI.

Bodies are read by the domain's own readers, so their schemas come from there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Body

from cas_fields.reading import Schema, clearable
from cas_listings.domain.fields import FIELDS
from cas_listings.domain.listing import EXPERIENCE_ALIAS, answered, publish_problems
from cas_listings.domain.postcode import postcode_area
from cas_listings.domain.roles import ROLE_NAMES
from cas_listings.domain.states import Action, Status
from cas_listings.models import ServiceListing
from cas_listings.rest.image_documents import IMAGE, pictures

JsonBody = Annotated[Any, Body()]
"""A body whose shape the domain judges, with its own words instead of the framework's."""

Answers = dict[int | str, dict[str, Any]]
Document = dict[str, Any]

_PRIVATE = frozenset(name for name, field in FIELDS.items() if field.private)
_COUNTS = ("view_count", "inquiry_count", "booking_count")
_INSTANTS = ("created_at", "updated_at", "published_at", "last_published_at")
_OWNERS_INSTANTS = ("archived_at", "deletable_at")


# ---- a listing ----


def public_document(listing: ServiceListing) -> Document:
    """A listing as everybody may see it."""
    return {
        "id": listing.id,
        "profile_id": listing.profile_id,
        "created_as_role": listing.created_as_role,
        "status": listing.status,
        **{name: value for name, value in answered(listing.fields).items() if name not in _PRIVATE},
        EXPERIENCE_ALIAS: listing.teaching_experience,
        "availability_windows": listing.availability_windows,
        "availability_slots": listing.availability_slots,
        "location_postcode_area": postcode_area(listing.location_postcode),
        **pictures(listing, is_owner=False),
        "slug": listing.slug,
        **{name: getattr(listing, name) for name in _COUNTS},
        "owner": {
            "id": listing.profile_id,
            "display_name": listing.owner_display_name,
            "avatar_url": listing.owner_avatar_url,
            "role": listing.created_as_role,
        },
        "version": listing.version,
        **{name: getattr(listing, name) for name in _INSTANTS},
    }


def owners_document(listing: ServiceListing, *, now: datetime) -> Document:
    """A listing as its owner sees it."""
    return {
        **public_document(listing),
        **pictures(listing, is_owner=True),
        **{name: getattr(listing, name) for name in (*_PRIVATE, *_OWNERS_INSTANTS)},
        "created_from_template": listing.created_from_template,
        "allowed_actions": listing.allowed_actions(now=now),
        "publish_problems": publish_problems(listing.fields),
    }


# ---- OpenAPI ----

_TEXT: Schema = {"type": "string"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_UUID: Schema = {"type": "string", "format": "uuid"}
_INSTANT: Schema = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_STATUS: Schema = {"type": "string", "enum": [*Status]}
_ROLE: Schema = {"type": "string", "enum": [*ROLE_NAMES]}


def objects(properties: Mapping[str, Schema], *, required: Sequence[str] = ()) -> Schema:
    """The schema of an object."""
    return {"type": "object", "properties": {**properties}, "required": [*required]}


def body(schema: Schema, *, required: bool = True) -> dict[str, Any]:
    """`openapi_extra` of an operation with a `JsonBody`."""
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def answer(description: str, schema: Schema) -> dict[str, Any]:
    """One entry of `responses`."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


CHANGES = objects(
    {
        **{name: clearable(field.read.schema) for name, field in FIELDS.items()},
        EXPERIENCE_ALIAS: clearable(_TEXT),
        "images": {**_TEXTS, "description": "Addresses of its own pictures, which get this order."},
        "status": clearable({"type": "string", "enum": [*Status, "paused"]}),
    }
)
NEW = objects({**CHANGES["properties"], "created_as_role": clearable(_ROLE)})  # type: ignore[dict-item]
_OWNER = objects({"id": _UUID, "display_name": _TEXT, "avatar_url": _MAYBE_TEXT, "role": _ROLE})
_PROBLEM = objects({"field": _TEXT, "message": _TEXT, "code": _TEXT})
_PUBLIC: dict[str, Schema] = {
    "id": _UUID,
    "profile_id": _UUID,
    "created_as_role": _ROLE,
    "status": _STATUS,
    **{name: {"description": "As saved, else its default."} for name in FIELDS if name not in _PRIVATE},
    EXPERIENCE_ALIAS: _MAYBE_TEXT,
    "availability_windows": {"type": ["object", "null"]},
    "availability_slots": _TEXTS,
    "location_postcode_area": _MAYBE_TEXT,
    "images": _TEXTS,
    "image_details": {"type": "array", "items": IMAGE},
    "slug": _TEXT,
    **dict.fromkeys(_COUNTS, _COUNT),
    "owner": _OWNER,
    "version": {"type": "integer", "minimum": 1},
    **dict.fromkeys(_INSTANTS, _INSTANT),
}
LISTING = objects(
    {
        **_PUBLIC,
        **{name: {"type": ["string", "null"], "description": "Owner only."} for name in sorted(_PRIVATE)},
        **dict.fromkeys(_OWNERS_INSTANTS, _INSTANT),
        "created_from_template": {"type": "boolean"},
        "allowed_actions": {"type": "array", "items": {"type": "string", "enum": [*Action]}},
        "publish_problems": {"type": "array", "items": _PROBLEM},
        "ignored_fields": _TEXTS,
    },
    required=[*_PUBLIC],
)

FROM_TEMPLATE = objects({"role_type": _ROLE, "overrides": NEW}, required=["role_type"])
PREFILLED = objects(
    {**LISTING["properties"], "prefilled_fields": _TEXTS, "unresolved": _TEXTS},  # type: ignore[dict-item]
    required=[*_PUBLIC, "prefilled_fields", "unresolved"],
)
MINE = objects(
    {
        "listings": {"type": "array", "items": LISTING},
        "total": _COUNT,
        "limit": _COUNT,
        "offset": _COUNT,
        "counts": objects(dict.fromkeys(Status, _COUNT), required=[*Status]),
    },
    required=["listings", "total", "limit", "offset", "counts"],
)
VIEWS = objects({"counted": {"type": "boolean"}, "view_count": _COUNT}, required=["counted", "view_count"])
INQUIRIES = objects(
    {"counted": {"type": "boolean"}, "inquiry_count": _COUNT}, required=["counted", "inquiry_count"]
)

UNCHANGED: Answers = {304: {"description": "Unchanged since the `ETag` in `If-None-Match`."}}
NO_TOKEN: Answers = {401: {"description": "No valid token."}}
NOT_FOUND: Answers = {404: {"description": "There is no such listing, or it is not yours and not published."}}
CONFLICT: Answers = {
    409: {
        "description": (
            "The present state does not allow it (`current_status`, `allowed_actions`), or a request with this "
            "`Idempotency-Key` is still running."
        )
    }
}
TOO_MANY: Answers = {429: {"description": "Too many requests; `Retry-After` says when to try again."}}
WRITES: Answers = {
    **NO_TOKEN,
    **CONFLICT,
    412: {"description": "Another version is stored than `If-Match` names."},
    413: {"description": "The body is larger than 256 KiB."},
    415: {"description": "The body is not `application/json`."},
    422: {"description": "A field cannot be accepted; `errors` names every one. Nothing is saved."},
}
