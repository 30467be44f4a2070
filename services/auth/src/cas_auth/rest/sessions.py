"""Sign up, sign in, stay signed in, sign out."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from fastapi import Request, Response

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.audit import Origin
from cas_auth.domain.refusals import (
    InvalidRequest,
    PhoneLoginsDisabled,
    PhoneSignupsDisabled,
    UnsupportedGrantType,
    Web3Disabled,
)
from cas_auth.domain.sessions import LogoutScope
from cas_auth.models import User
from cas_auth.operations import accounts, flows, sessions
from cas_auth.operations.mails import MailedLink
from cas_auth.rest import PREFIX
from cas_auth.rest.errors import documented
from cas_auth.rest.id_tokens import id_token_grant
from cas_auth.rest.requests import (
    AuthDep,
    AuthDependencies,
    CallerDep,
    OriginDep,
    limit_anonymous,
    limit_sign_up,
    optional_caller,
)
from cas_auth.rest.schemas import SessionOut, SignUpIn, TokenIn, UserOut
from cas_auth.rest.sign_in_limits import forgive_sign_ins, limit_sign_in
from cas_kit.rest import router

ID_TOKEN = "id_token"  # noqa: S105  a grant type
REFRESH_TOKEN = "refresh_token"  # noqa: S105  a grant type
REFRESH_PREFIX_CHARACTERS = 5  # tells tokens apart in a proxy's log and gives nothing away

routes = router(tags=["sessions"])


@routes.post(
    f"{PREFIX}/signup",
    responses={200: {"model": SessionOut | UserOut}, **documented(400, 413, 422, 429, 503)},
)
def sign_up(
    body: SignUpIn, dependencies: AuthDep, origin: OriginDep, redirect_to: str | None = None
) -> Response:
    """Register: a session, or the user where the address awaits confirmation. Without an address, anonymously."""
    if not body.email and not body.phone:
        return _sign_up_anonymously(body, dependencies, origin)
    email = _sign_up_email(body)
    if not body.password:
        raise InvalidRequest("Signup requires a valid password")
    limit_sign_up(dependencies, origin=origin, email=email)
    outcome = accounts.sign_up(
        dependencies.database,
        dependencies.tools,
        email=email,
        password=body.password,
        data=body.data,
        link=MailedLink(redirect_to, body.challenge),
        origin=origin,
        now=datetime.now(UTC),
    )
    if isinstance(outcome, Grant):
        return session_response(dependencies, outcome)
    return user_response(outcome, audience=dependencies.settings.audience)


@routes.post(
    f"{PREFIX}/token", responses={200: {"model": SessionOut}, **documented(400, 404, 413, 422, 429, 503)}
)
def token(
    request: Request,
    dependencies: AuthDep,
    origin: OriginDep,
    grant_type: str = "",
    body: TokenIn | None = None,
) -> Response:
    """Get a session: for a `password`, a `refresh_token`, the code of a `pkce` flow, or a provider's `id_token`."""
    fields = body or TokenIn()
    if grant_type == ID_TOKEN:
        caller = partial(optional_caller, request, dependencies)
        return session_response(dependencies, id_token_grant(fields, dependencies, origin, caller=caller))
    if grant_type not in _GRANTS:
        raise UnsupportedGrantType

    def answer() -> Response:
        return session_response(dependencies, _GRANTS[grant_type](fields, dependencies, origin))

    if grant_type == REFRESH_TOKEN:
        return dependencies.refreshes.of(fields.refresh_token or "", answer)
    return answer()


@routes.post(f"{PREFIX}/logout", status_code=204, responses=documented(400, 401, 403))
def sign_out(
    caller: CallerDep, dependencies: AuthDep, origin: OriginDep, scope: LogoutScope = LogoutScope.GLOBAL
) -> Response:
    """End this session (`local`), the user's other sessions (`others`), or all of them (`global`)."""
    with dependencies.turns.take(caller.user_id), dependencies.database.transaction() as session:
        sessions.sign_out(
            session,
            user_id=caller.user_id,
            session_id=caller.session_id,
            scope=scope,
            origin=origin,
            now=datetime.now(UTC),
        )
    return Response(status_code=204)


def session_response(dependencies: AuthDependencies, grant: Grant) -> Response:
    """A durable session as JSON, with headers that tell a proxy which one it is."""
    headers = {
        "Sb-Auth-User-Id": str(grant.user.id),
        "Sb-Auth-Session-Id": str(grant.session.id),
        "Sb-Auth-Refresh-Token-Prefix": grant.refresh_token[:REFRESH_PREFIX_CHARACTERS],
        "Sb-Auth-Refresh-Token-Reuse": str(not grant.rotated).lower(),
        "Sb-Auth-Refresh-Token-Counter": str(grant.session.refresh_counter),
        "Sb-Auth-Refresh-Token-Rotated": str(grant.rotated).lower(),
    }
    if grant.reuse_causes:
        headers["Sb-Auth-Refresh-Token-Reuse-Cause"] = ",".join(grant.reuse_causes)
    body = SessionOut.of(
        grant, access_token=dependencies.tools.access_token(grant), audience=dependencies.settings.audience
    ).model_dump_json(exclude_none=True)
    return Response(body, headers=headers, media_type="application/json")


def user_response(user: User, *, audience: str) -> Response:
    """A user as JSON."""
    body = UserOut.of(user, audience=audience).model_dump_json(exclude_none=True)
    return Response(body, media_type="application/json")


def _sign_up_email(body: SignUpIn) -> str:
    if body.email and body.phone:
        raise InvalidRequest("Only an email address or phone number should be provided on signup.")
    if not body.email:
        raise PhoneSignupsDisabled
    return body.email


def _sign_up_anonymously(body: SignUpIn, dependencies: AuthDependencies, origin: Origin) -> Response:
    if dependencies.settings.anonymous_enabled:
        limit_anonymous(dependencies, origin=origin)
    grant = accounts.sign_up_anonymously(
        dependencies.database, dependencies.tools, data=body.data, origin=origin, now=datetime.now(UTC)
    )
    return session_response(dependencies, grant)


def _password_grant(body: TokenIn, dependencies: AuthDependencies, origin: Origin) -> Grant:
    if body.email and body.phone:
        raise InvalidRequest("Only an email address or phone number should be provided on login.")
    if body.phone:
        raise PhoneLoginsDisabled
    if not body.email:
        raise InvalidRequest("missing email or phone")
    limit_sign_in(dependencies, origin=origin, email=body.email)
    grant = sessions.sign_in_with_password(
        dependencies.database,
        dependencies.tools,
        email=body.email,
        password=body.password or "",
        origin=origin,
        now=datetime.now(UTC),
    )
    forgive_sign_ins(dependencies, origin=origin, email=body.email)
    return grant


def _refresh_grant(body: TokenIn, dependencies: AuthDependencies, origin: Origin) -> Grant:
    with dependencies.database.transaction() as session:
        return sessions.refresh(
            session,
            dependencies.tools,
            refresh_token=body.refresh_token or "",
            origin=origin,
            now=datetime.now(UTC),
        )


def _pkce_grant(body: TokenIn, dependencies: AuthDependencies, origin: Origin) -> Grant:
    with dependencies.database.transaction() as session:
        return flows.exchange_code(
            session,
            dependencies.tools,
            code=body.auth_code or "",
            verifier=body.code_verifier or "",
            origin=origin,
            now=datetime.now(UTC),
        )


def _web3_grant(body: TokenIn, dependencies: AuthDependencies, origin: Origin) -> Grant:
    del body, dependencies, origin
    raise Web3Disabled


_GRANTS: dict[str, Callable[[TokenIn, AuthDependencies, Origin], Grant]] = {
    "password": _password_grant,
    REFRESH_TOKEN: _refresh_grant,
    "pkce": _pkce_grant,
    "web3": _web3_grant,
}
