"""The caller's own profile (docs/spec/domain.md 3.2)."""

from datetime import UTC, datetime
from typing import Any

from fastapi import Response
from sqlalchemy.orm import Session

from cas_account.domain.profile import completeness, read_changes
from cas_account.models import Profile
from cas_account.operations.profiles import change_profile, get_own_profile
from cas_account.rest import documents
from cas_account.rest.caller import AccountDep, OwnersReadDep, OwnersWriteDep
from cas_account.rest.documents import JsonBody
from cas_kit.rest import IfNoneMatch, etag, json_response, not_modified, router

PATH = "/api/profile"
_HIDDEN = {"avatar_storage_path", "cover_storage_path", "identity_as_of", "erasing_at"}
_SHOWN = tuple(column.name for column in Profile.__table__.columns if column.name not in _HIDDEN)
_COMPLETE = 100

routes = router(tags=["profile"])


@routes.get(
    PATH,
    summary="Your profile",
    responses={
        200: documents.answer("Your profile.", documents.PROFILE),
        **documents.UNCHANGED,
        **documents.NO_TOKEN,
    },
)
def get_profile(read: OwnersReadDep, if_none_match: IfNoneMatch = "") -> Response:
    """One statement, outside any transaction."""
    with read.database.autocommit() as connection:
        profile = get_own_profile(connection, user_id=read.owner)
    headers = _headers(profile)
    if not_modified(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return json_response(_document(profile), headers=headers)


def save_profile(write: OwnersWriteDep, account: AccountDep, body: JsonBody = None) -> Response:
    """Write what was sent, keep what was not."""

    def save(session: Session) -> Response:
        profile = change_profile(
            session,
            user_id=write.owner,
            changes=read_changes(body, media_url=account.media_url),
            check_version=write.if_match.check,
            now=datetime.now(UTC),
        )
        return json_response({"success": True, "user": _document(profile)}, headers=_headers(profile))

    return write.once(save)


for _method in ("PATCH", "POST"):
    routes.add_api_route(
        PATH,
        save_profile,
        methods=[_method],
        summary="Change your profile",
        operation_id=f"{_method.lower()}_profile",
        description=(
            'Absent fields stay, `null` and `""` clear. Read-only and unknown fields are ignored, so that the object '
            "which GET answered can be sent back. Honours `If-Match` and `Idempotency-Key`."
        ),
        openapi_extra=documents.body(documents.PROFILE_CHANGES),
        responses={
            200: documents.answer("The profile as it is now.", documents.SAVED_PROFILE),
            400: {"description": "The body is no JSON, or a field cannot be accepted; `message` says which."},
            **documents.WRITES,
            422: {"description": "The `Idempotency-Key` came with another request before."},
        },
    )


def _headers(profile: Profile) -> dict[str, str]:
    return {"ETag": etag(profile.version), "Cache-Control": "private, no-cache"}


def _document(profile: Profile) -> dict[str, Any]:
    shown = {name: getattr(profile, name) for name in _SHOWN}
    how_complete = completeness(shown)
    return shown | {
        "full_name": profile.display_name,
        "role": profile.active_role,
        "profile_completed": how_complete["score"] == _COMPLETE,
        "completeness": how_complete,
    }
