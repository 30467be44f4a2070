"""The ways in which the caller signs in."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import Response

from cas_auth.operations.identities import Linking, unlink_identity
from cas_auth.operations.provider_sign_in import send_to_provider
from cas_auth.rest import PREFIX
from cas_auth.rest.errors import documented
from cas_auth.rest.providers import WishDep
from cas_auth.rest.requests import AuthDep, CallerDep, OriginDep, limit_provider
from cas_auth.rest.schemas import NothingOut, ProviderUrlOut
from cas_kit.rest import json_response, router

routes = router(tags=["identities"])


@routes.get(
    f"{PREFIX}/user/identities/authorize",
    responses={
        200: {"model": ProviderUrlOut},
        302: {"description": "To the provider"},
        **documented(400, 401, 403, 404, 503),
    },
)
def link(
    wish: WishDep,
    caller: CallerDep,
    dependencies: AuthDep,
    origin: OriginDep,
    skip_http_redirect: bool = False,  # noqa: FBT001, FBT002
) -> Response:
    """Get the address of a provider at which the caller shows an account to link."""
    limit_provider(dependencies, origin=origin)
    url = send_to_provider(
        dependencies.database,
        dependencies.tools,
        wish=wish,
        linking=Linking(user_id=caller.user_id, session_id=caller.session_id),
        now=datetime.now(UTC),
    )
    if skip_http_redirect:
        return json_response({"url": url})
    return Response(status_code=302, headers={"Location": url, "Referrer-Policy": "no-referrer"})


@routes.delete(
    f"{PREFIX}/user/identities/{{identity_id}}",
    responses={200: {"model": NothingOut}, **documented(401, 403, 404, 422)},
)
def unlink(identity_id: UUID, caller: CallerDep, dependencies: AuthDep, origin: OriginDep) -> Response:
    """Sign in with this identity no more."""
    with dependencies.turns.take(caller.user_id), dependencies.database.transaction() as session:
        unlink_identity(
            session,
            dependencies.tools,
            Linking(user_id=caller.user_id, session_id=caller.session_id),
            identity_id=identity_id,
            origin=origin,
            now=datetime.now(UTC),
        )
    return json_response({})
