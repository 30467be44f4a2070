"""The REST edge of the account service."""

from fastapi import Request, Response

from cas_account.domain.pictures import AREA
from cas_account.rest import (
    erasure,
    export,
    health,
    pictures,
    professional_info,
    profile,
    public_profile,
    taxonomy,
)
from cas_kit.errors import DomainError, Kind, ValidationFailed
from cas_kit.media import media_router
from cas_kit.problems import problem_response
from cas_kit.rest import route_template

ROUTERS = (
    profile.routes,
    public_profile.routes,
    pictures.routes,
    pictures.removals,
    media_router(AREA),
    professional_info.routes,
    export.routes,
    erasure.routes,
    taxonomy.routes,
    health.routes,
)


class ProfileRefused(ValidationFailed):
    """The profile page of the existing web client reads 400 and `message`, never 422 (docs/spec/domain.md 3.2)."""

    kind = Kind.MALFORMED


def render_error(request: Request, error: DomainError) -> Response:
    """The answer to a request that failed."""
    if isinstance(error, ValidationFailed) and route_template(request.scope) == profile.PATH:
        error = ProfileRefused(error.detail, problems=error.problems)
    return problem_response(request, error)
