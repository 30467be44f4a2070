"""What everybody may know of a person (docs/spec/domain.md 3.3)."""

from hashlib import sha256
from typing import Any
from uuid import UUID

from fastapi import Depends, Response

from cas_account.domain.profile import completeness
from cas_account.models import Profile
from cas_account.operations.profiles import get_public_profile
from cas_account.rest import documents
from cas_account.rest.caller import nobody_in_disguise
from cas_kit.rest import DatabaseDep, IfNoneMatch, json_response, not_modified, router

CACHED = "public, max-age=60"
_SHOWN = (
    "id",
    "display_name",
    "avatar_url",
    "custom_picture_url",
    "cover_photo_url",
    "bio",
    "achievements",
    "categories",
    "roles",
)

routes = router(tags=["profile"])


@routes.get(
    "/api/profiles/{profile_id}",
    summary="Somebody's public profile",
    dependencies=[Depends(nobody_in_disguise)],
    responses={
        200: documents.answer("What everybody may know.", documents.PUBLIC_PROFILE),
        404: {"description": "There is no such profile."},
        **documents.UNCHANGED,
        **documents.NO_TOKEN,
    },
)
def get_profile_of(profile_id: UUID, database: DatabaseDep, if_none_match: IfNoneMatch = "") -> Response:
    """One statement, outside any transaction."""
    with database.autocommit() as connection:
        profile = get_public_profile(connection, user_id=profile_id)
    answer = json_response(_document(profile), headers={"Cache-Control": CACHED})
    # Of what is shown: a change of anything else is nobody's business.
    answer.headers["ETag"] = tag = f'"{sha256(answer.body).hexdigest()[:16]}"'
    if not_modified(if_none_match, tag):
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": CACHED})
    return answer


def _document(profile: Profile) -> dict[str, Any]:
    shown = {name: getattr(profile, name) for name in _SHOWN}
    return shown | {
        "role": profile.active_role,
        "created_at": profile.created_at,
        "completeness": completeness(shown),
    }
