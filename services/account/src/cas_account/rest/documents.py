"""What the endpoints take and give, in JSON Schema: for OpenAPI only, nothing here runs per request.

Bodies are read by the domain's own readers, so their schemas come from there.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Body

from cas_account.domain.professional_info_fields import FIELDS
from cas_account.domain.profile import readers
from cas_account.domain.roles import ROLE_NAMES
from cas_fields.reading import Schema

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
PROFILE_CHANGES = objects({**_OWN_FIELDS, "full_name": _TEXT, "active_role": _ROLE})
PROFILE = objects(
    {
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
)
SAVED_PROFILE = objects({"success": _FLAG, "user": PROFILE}, required=["success", "user"])


# ---- professional info ----

_TEMPLATE_FIELDS: dict[str, Schema] = {name: each.read.schema for name, each in FIELDS.items()}
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
