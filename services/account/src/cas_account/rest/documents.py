"""What the endpoints take and give, in JSON Schema: for OpenAPI only, nothing here runs per request.

Bodies are read by the domain's own readers, so their schemas come from there.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Body

from cas_account.domain.pictures import PicturePlace
from cas_account.domain.professional_info_fields import FIELDS
from cas_account.domain.profile import readers
from cas_account.domain.roles import ROLE_NAMES
from cas_fields.reading import Schema, clearable

JsonBody = Annotated[Any, Body()]
"""A body whose shape the domain judges, with its own words instead of the framework's."""

Answers = dict[int | str, dict[str, Any]]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_UUID: Schema = {"type": "string", "format": "uuid"}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_VERSION: Schema = {"type": "integer", "minimum": 1}
_ROLE: Schema = {"type": "string", "enum": [*ROLE_NAMES]}
_SCORE: Schema = {"type": "integer", "minimum": 0, "maximum": 100}


def objects(properties: Mapping[str, Schema], *, required: Sequence[str] = ()) -> Schema:
    """The schema of an object."""
    return {"type": "object", "properties": {**properties}, "required": [*required]}


def body(schema: Schema) -> dict[str, Any]:
    """`openapi_extra` of an operation with a `JsonBody`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def answer(description: str, schema: Schema) -> dict[str, Any]:
    """One entry of `responses`."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


UNCHANGED: Answers = {304: {"description": "Unchanged since the `ETag` in `If-None-Match`."}}
NO_TOKEN: Answers = {401: {"description": "No valid token."}}
WRITES: Answers = {
    **NO_TOKEN,
    409: {"description": "A request with this `Idempotency-Key` is still running."},
    412: {"description": "Another version is stored than `If-Match` names."},
    413: {"description": "The body is larger than 256 KiB."},
    415: {"description": "The body is not `application/json`."},
}


# ---- profile ----

_OWN_FIELDS: dict[str, Schema] = {name: read.schema for name, read in readers(media_url="").items()}
_CHANGES = {**_OWN_FIELDS, "full_name": _TEXT, "active_role": _ROLE}
PROFILE_CHANGES = objects({name: clearable(schema) for name, schema in _CHANGES.items()})
_PROFILE: dict[str, Schema] = {
    "id": _UUID,
    "email": _TEXT,
    "email_verified": _FLAG,
    "phone_verified": _FLAG,
    **dict.fromkeys(_OWN_FIELDS, _TEXT),
    "preferences": {"type": "object"},
    "roles": _TEXTS,
    "active_role": {"type": ["string", "null"]},
    "onboarding_completed": {"type": "object", "additionalProperties": _INSTANT},
    "agent_id": _TEXT,
    "version": _VERSION,
    "created_at": _INSTANT,
    "updated_at": _INSTANT,
    "last_seen_at": _INSTANT,
    "full_name": _TEXT,
    "role": {"type": ["string", "null"]},
    "profile_completed": _FLAG,
    "completeness": objects({"score": _SCORE, "missing": _TEXTS}),
}
PROFILE = objects(_PROFILE)
SAVED_PROFILE = objects({"success": _FLAG, "user": PROFILE}, required=["success", "user"])


_PUBLIC = (
    "id display_name avatar_url custom_picture_url cover_photo_url bio achievements categories roles role "
    "created_at completeness"
)
PUBLIC_PROFILE = objects({name: _PROFILE[name] for name in _PUBLIC.split()}, required=_PUBLIC.split())


# ---- pictures ----

_FILE: Schema = {"type": "string", "format": "binary"}
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": objects({"file": _FILE}, required=["file"])},
            **{kind: {"schema": _FILE} for kind in _IMAGE_TYPES},
        },
    }
}
PICTURE_REMOVED: Answers = {
    200: answer("There is none now.", objects({"success": _FLAG}, required=["success"])),
    **WRITES,
    422: {"description": "The `Idempotency-Key` cannot be accepted."},
}


def pictures(place: PicturePlace) -> Answers:
    """`responses` of an upload to this place."""
    urls = (*place.url_columns, "url")
    widths = objects({str(width): _TEXT for width in place.recipe.widths})
    saved = {"success": _FLAG, "message": _TEXT, **dict.fromkeys(urls, _TEXT), "variants": widths}
    return {
        200: answer("The addresses of the picture.", objects(saved, required=[*saved])),
        **WRITES,
        400: {"description": "The form is incomplete or malformed."},
        413: {"description": "The file is larger than 5 MB."},
        415: {"description": "The file is no JPEG, PNG or WebP picture, or the body no file."},
        422: {"description": "There is no file, or it cannot be opened, or has too many pixels."},
        503: {"description": "Too many pictures are being processed, or they cannot be stored now."},
    }


# ---- professional info ----

_TEMPLATE_FIELDS: dict[str, Schema] = {name: clearable(each.read.schema) for name, each in FIELDS.items()}
TEMPLATE_CHANGES = objects({"role_type": _ROLE, **_TEMPLATE_FIELDS}, required=["role_type"])
TEMPLATE = objects(
    {
        "id": _UUID,
        "profile_id": _UUID,
        "role_type": _ROLE,
        **{name: {"description": "As saved, else null or []."} for name in FIELDS},
        "availability_windows": {"type": ["object", "null"]},
        "availability_slots": _TEXTS,
        "completeness": objects(
            {"complete": _FLAG, "score": _SCORE, "missing": _TEXTS, "recommended": _TEXTS}
        ),
        "version": _VERSION,
        "created_at": _INSTANT,
        "updated_at": _INSTANT,
    },
    required=["id", "profile_id", "role_type", "completeness", "version", "created_at", "updated_at"],
)
SAVED_TEMPLATE = objects(
    {
        "success": _FLAG,
        "message": _TEXT,
        "data": TEMPLATE,
        "ignored_fields": _TEXTS,
        "unresolved": _TEXTS,
    },
    required=["success", "message", "data", "ignored_fields", "unresolved"],
)
DONE = objects({"success": _FLAG, "message": _TEXT}, required=["success", "message"])


# ---- erasure and export ----

CONFIRMATION = objects({"confirm": {"type": "string", "enum": ["DELETE"]}}, required=["confirm"])
ERASURE = objects(
    {
        "success": _FLAG,
        "message": _TEXT,
        "deletion_id": _UUID,
        "status": {"type": "string", "enum": ["pending"]},
    },
    required=["success", "message", "deletion_id", "status"],
)

_THINGS: Schema = {"type": "array", "items": {"type": "object"}}
EXPORT = objects(
    {
        "format": {"type": "string", "enum": ["cas-export"]},
        "format_version": _VERSION,
        "generated_at": _INSTANT,
        "user_id": _UUID,
        "auth": {"type": "object"},
        "profile": {"type": "object"},
        "templates": _THINGS,
        "onboarding": _THINGS,
        "listings": _THINGS,
        "images": _THINGS,
        "activity": _THINGS,
    },
    required=["format", "format_version", "generated_at", "user_id"],
)


# ---- taxonomy and health ----

TAXONOMY = objects(
    {
        "version": _TEXT,
        "kinds": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "object"}}},
    },
    required=["version", "kinds"],
)
_COUNT: Schema = {"type": "integer", "minimum": 0}
HEALTH = objects(
    {
        "status": {"type": "string", "enum": ["ok", "degraded", "error"]},
        "timestamp": _COUNT,
        "responseTime": {"type": "number"},
        "services": {"type": "object", "additionalProperties": {"type": "object"}},
        "summary": objects({"total": _COUNT, "healthy": _COUNT, "degraded": _COUNT, "failed": _COUNT}),
    },
    required=["status", "timestamp", "responseTime", "services", "summary"],
)
