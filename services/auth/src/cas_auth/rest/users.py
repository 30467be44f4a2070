"""One's own account."""

from datetime import UTC, datetime

from fastapi import Response

from cas_auth.domain.accounts import lookup_email
from cas_auth.domain.mails import MailKind
from cas_auth.domain.refusals import PhoneChangesDisabled
from cas_auth.operations import accounts, sessions
from cas_auth.operations.accounts import AccountChange
from cas_auth.operations.by_mail import request_reauthentication
from cas_auth.operations.mails import MailedLink
from cas_auth.rest import PREFIX
from cas_auth.rest.errors import documented
from cas_auth.rest.requests import AuthDep, CallerDep, OriginDep, limit_mail, limit_user_update, live_session
from cas_auth.rest.schemas import NothingOut, UserOut, UserUpdateIn
from cas_auth.rest.sessions import user_response
from cas_kit.rest import json_response, router

routes = router(tags=["user"])


@routes.get(f"{PREFIX}/user", responses={200: {"model": UserOut}, **documented(400, 401, 403)})
def get_user(caller: CallerDep, dependencies: AuthDep) -> Response:
    """Get the caller, as long as their session lasts."""
    return user_response(live_session(dependencies, caller).user, audience=dependencies.settings.audience)


@routes.put(
    f"{PREFIX}/user", responses={200: {"model": UserOut}, **documented(400, 401, 403, 413, 422, 429, 503)}
)
def update_user(
    body: UserUpdateIn,
    caller: CallerDep,
    dependencies: AuthDep,
    origin: OriginDep,
    redirect_to: str | None = None,
) -> Response:
    """Change the caller's address, password or metadata; a null removes its key. `app_metadata`: administrators."""
    if body.phone:
        raise PhoneChangesDisabled
    present = live_session(dependencies, caller).user.email
    limit_user_update(dependencies, caller=caller, new_password=bool(body.password))
    wanted = body.email or present
    if wanted and lookup_email(wanted) != present and not dependencies.settings.email_auto_confirm:
        limit_mail(dependencies, origin=origin, email=wanted, kind=MailKind.EMAIL_CHANGE)
    user = accounts.update_user(
        dependencies.database,
        dependencies.tools,
        user_id=caller.user_id,
        session_id=caller.session_id,
        change=AccountChange(
            email=body.email or None,
            password=body.password or None,
            current_password=body.current_password,
            nonce=body.nonce or None,
            data=body.data,
            app_metadata=body.app_metadata,
        ),
        link=MailedLink(redirect_to, body.challenge),
        origin=origin,
        now=datetime.now(UTC),
    )
    return user_response(user, audience=dependencies.settings.audience)


@routes.get(
    f"{PREFIX}/reauthenticate",
    responses={200: {"model": NothingOut}, **documented(400, 401, 403, 422, 429, 503)},
)
def reauthenticate(caller: CallerDep, dependencies: AuthDep, origin: OriginDep) -> Response:
    """Mail the caller a code that lets them change their password."""
    now = datetime.now(UTC)
    with dependencies.database.transaction() as session:
        found = sessions.authenticate(session, user_id=caller.user_id, session_id=caller.session_id, now=now)
        if found.user.email:
            limit_mail(dependencies, origin=origin, email=found.user.email, kind=MailKind.REAUTHENTICATION)
        request_reauthentication(session, dependencies.tools, found.user, origin=origin, now=now)
    return json_response({})
