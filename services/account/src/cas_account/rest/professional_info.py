"""The caller's reusable templates, one per role (docs/spec/domain.md 4.2)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Response
from sqlalchemy.orm import Session

from cas_account.domain.professional_info import answered, completeness, read_changes, unresolved
from cas_account.domain.roles import AskedRole
from cas_account.models import RoleDetails
from cas_account.operations.professional_info import (
    get_own_professional_info,
    remove_professional_info,
    save_professional_info,
)
from cas_account.rest import documents
from cas_account.rest.caller import OwnersReadDep, OwnersWrite, OwnersWriteDep
from cas_account.rest.documents import JsonBody
from cas_fields.reading import Json
from cas_kit.rest import IfNoneMatch, etag, json_response, not_modified, router

PATH = "/api/account/professional-info"
# The existing web client looks for both sentences.
SAVED = "Template saved. Changes won't affect your existing listings."
REMOVED = "Template removed. Your existing listings stay as they are."

routes = router(tags=["professional info"])


RoleQuery = Annotated[
    str | None, Query(description="`tutor` (or `provider`), `client` (or `seeker`) or `agent`.")
]

_WRITES: documents.Answers = {
    200: documents.answer("The template as it is now.", documents.SAVED_TEMPLATE),
    400: {"description": "The body is no JSON."},
    422: {
        "description": "The role or a field cannot be accepted; `errors` names every one. Nothing is saved."
    },
    **documents.WRITES,
}


@routes.get(
    PATH,
    summary="Your professional info in one role",
    responses={
        200: documents.answer("What is saved.", documents.TEMPLATE),
        404: {"description": "Nothing is saved yet."},
        422: {"description": "`role_type` is missing or unknown."},
        **documents.UNCHANGED,
        **documents.NO_TOKEN,
    },
)
def get_professional_info(
    read: OwnersReadDep, role_type: RoleQuery = None, if_none_match: IfNoneMatch = ""
) -> Response:
    """One statement, outside any transaction."""
    role = AskedRole.read(role_type)
    with read.database.autocommit() as connection:
        details = get_own_professional_info(connection, user_id=read.owner, role=role)
    headers = _headers(details)
    if not_modified(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return json_response(_document(details, role), headers=headers)


@routes.patch(
    PATH,
    summary="Save part of your professional info",
    description=(
        'Absent fields stay, `null` and `""` clear, `[]` and `{}` empty. Required fields may be missing: see '
        "`completeness`. Honours `If-Match` and `Idempotency-Key`."
    ),
    openapi_extra=documents.body(documents.TEMPLATE_CHANGES),
    responses=_WRITES,
)
def patch_professional_info(write: OwnersWriteDep, body: JsonBody = None) -> Response:
    """Merge."""
    return _save(write, body, replace=False)


@routes.post(
    PATH,
    summary="Replace your professional info",
    description="Fields that are not sent are reset. Honours `If-Match` and `Idempotency-Key`.",
    openapi_extra=documents.body(documents.TEMPLATE_CHANGES),
    responses={
        **_WRITES,
        201: documents.answer("The first template of this role.", documents.SAVED_TEMPLATE),
    },
)
def post_professional_info(write: OwnersWriteDep, body: JsonBody = None) -> Response:
    """Create or replace."""
    return _save(write, body, replace=True)


@routes.delete(
    PATH,
    summary="Remove your professional info in one role",
    description="Listings made from it stay. Honours `If-Match` and `Idempotency-Key`.",
    responses={
        200: documents.answer("It is gone, or was not there.", documents.DONE),
        422: {"description": "`role_type` is missing or unknown."},
        **documents.WRITES,
    },
)
def delete_professional_info(write: OwnersWriteDep, role_type: RoleQuery = None) -> Response:
    """Also fine when there is nothing to remove."""
    role = AskedRole.read(role_type)

    def remove(session: Session) -> Response:
        remove_professional_info(
            session, user_id=write.owner, role=role.role, check_version=write.if_match.check
        )
        return json_response({"success": True, "message": REMOVED})

    return write.once(remove)


def _save(write: OwnersWrite, body: Json, *, replace: bool) -> Response:
    def save(session: Session) -> Response:
        changes = read_changes(body)
        saved = save_professional_info(
            session,
            user_id=write.owner,
            role=changes.role.role,
            values=changes.values,
            check_version=write.if_match.check,
            now=datetime.now(UTC),
            replace=replace,
        )
        envelope = {
            "success": True,
            "message": SAVED,
            "data": _document(saved.details, changes.role),
            "ignored_fields": changes.ignored,
            "unresolved": unresolved(changes.values),
        }
        status = 201 if saved.created and replace else 200
        return json_response(envelope, status=status, headers=_headers(saved.details))

    return write.once(save)


def _headers(details: RoleDetails) -> dict[str, str]:
    return {"ETag": etag(details.version), "Cache-Control": "private, no-cache"}


def _document(details: RoleDetails, role: AskedRole) -> Mapping[str, object]:
    return {
        "id": details.id,
        "profile_id": details.profile_id,
        "role_type": role.as_asked,
        **answered(details.role_type, details.fields),
        "completeness": completeness(details.role_type, details.fields),
        "version": details.version,
        "created_at": details.created_at,
        "updated_at": details.updated_at,
    }
