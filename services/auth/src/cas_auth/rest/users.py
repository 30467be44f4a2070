"""One's own account."""

from datetime import UTC, datetime

from fastapi import Response

from cas_auth.domain.refusals import NotAdmin, PhoneChangesDisabled
from cas_auth.operations import accounts, sessions
from cas_auth.rest import PREFIX
from cas_auth.rest.errors import documented
from cas_auth.rest.requests import AuthDep, CallerDep, OriginDep, limit_user_update
from cas_auth.rest.schemas import UserOut, UserUpdateIn
from cas_auth.rest.sessions import user_response
from cas_kit.rest import router

routes = router(tags=["user"])


@routes.get(f"{PREFIX}/user", responses={200: {"model": UserOut}, **documented(400, 401, 403)})
def get_user(caller: CallerDep, dependencies: AuthDep) -> Response:
    """Get the caller, as long as their session lasts."""
    with dependencies.database.transaction() as session:
        found = sessions.authenticate(
            session, user_id=caller.user_id, session_id=caller.session_id, now=datetime.now(UTC)
        )
    return user_response(found.user, audience=dependencies.settings.audience)


@routes.put(
    f"{PREFIX}/user", responses={200: {"model": UserOut}, **documented(400, 401, 403, 413, 422, 429, 503)}
)
def update_user(body: UserUpdateIn, caller: CallerDep, dependencies: AuthDep, origin: OriginDep) -> Response:
    """Change the caller's address, password or metadata; a null in `data` removes its key."""
    if body.app_metadata is not None:
        raise NotAdmin
    if body.phone:
        raise PhoneChangesDisabled
    limit_user_update(dependencies, caller=caller, new_password=bool(body.password))
    user = accounts.update_user(
        dependencies.database,
        dependencies.tools,
        user_id=caller.user_id,
        session_id=caller.session_id,
        email=body.email or None,
        password=body.password or None,
        data=body.data,
        origin=origin,
        now=datetime.now(UTC),
    )
    return user_response(user, audience=dependencies.settings.audience)
