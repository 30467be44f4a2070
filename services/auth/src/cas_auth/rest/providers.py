"""Through the browser to a provider, and back."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Cookie, Depends, Request, Response

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.identity_refusals import ProviderUnreachable
from cas_auth.domain.pkce import Challenge
from cas_auth.operations.provider_sign_in import (
    Answer,
    Wish,
    find_journey,
    send_to_provider,
    welcome_back,
)
from cas_auth.operations.verification import CodeIssued
from cas_auth.rest import PREFIX
from cas_auth.rest.errors import documented
from cas_auth.rest.redirects import error_redirect, redirect, session_redirect, target_of
from cas_auth.rest.requests import AuthDep, AuthDependencies, OriginDep, limit_provider
from cas_kit.errors import DomainError
from cas_kit.rest import router

CALLBACK = f"{PREFIX}/callback"
# Tells the browser that left from others that might come back in its place.
BROWSER_COOKIE = "cas-auth-browser"
BROWSER_SECRET_BYTES = 32
BROWSER_COOKIE_SECONDS = 600  # longer than a flow lives
MAX_PARAMETERS = 20
MAX_PARAMETER_CHARACTERS = 512
# What is for us, and what would change how the provider answers; everything else is passed on.
_KEPT_BACK = frozenset({
    "apikey", "code_challenge", "code_challenge_method", "invite_token", "provider", "redirect_to", "request",
    "request_uri", "response_mode", "scopes", "skip_http_redirect",
})  # fmt: skip
_FIELDS = ("code", "error", "error_description", "iss", "state")
_ERROR = re.compile(r"[a-z_]{1,64}")
_AWAY: dict[str, Any] = {"description": "To the provider"}
_ON: dict[str, Any] = {"description": "To the site, with a session, a code or an error"}
_FORM: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in _FIELDS},
                }
            }
        }
    }
}

routes = router(tags=["providers"])
BrowserSecret = Annotated[str | None, Cookie(alias=BROWSER_COOKIE, include_in_schema=False)]


def wish_of(
    *,
    request: Request,
    dependencies: AuthDep,
    provider: str = "",
    redirect_to: str | None = None,
    scopes: str = "",
    code_challenge: str | None = None,
    code_challenge_method: str | None = None,
) -> Wish:
    """How the address that was asked for wants somebody to go to a provider.

    :raises InvalidRequest: half of a challenge, or a malformed one.
    """
    return Wish(
        provider=provider.lower(),
        redirect_to=target_of(dependencies, redirect_to),
        challenge=Challenge.read(code_challenge, code_challenge_method),
        scopes=re.split(r"[\s,]+", scopes.strip()) if scopes.strip() else (),
        query=_passed_on(request),
    )


WishDep = Annotated[Wish, Depends(wish_of)]


@routes.get(f"{PREFIX}/authorize", status_code=302, responses={302: _AWAY, **documented(400, 429, 503)})
def authorize(
    wish: WishDep, dependencies: AuthDep, origin: OriginDep, browser_secret: BrowserSecret = None
) -> Response:
    """Send the browser to a provider. Parameters that are none of ours, such as `prompt`, are passed on."""
    limit_provider(dependencies, origin=origin)
    secret = None if wish.challenge else _known_or_new(browser_secret)
    try:
        url = send_to_provider(
            dependencies.database,
            dependencies.tools,
            wish=replace(wish, browser_secret=secret),
            now=datetime.now(UTC),
        )
    except ProviderUnreachable as error:
        return error_redirect(wish.redirect_to, error)
    answer = Response(status_code=302, headers={"Location": url, "Referrer-Policy": "no-referrer"})
    if secret is not None:
        _remember(dependencies, answer, secret)
    return answer


@routes.get(CALLBACK, status_code=303, response_class=Response, responses={303: _ON, **documented(503)})
def callback(
    *,
    dependencies: AuthDep,
    origin: OriginDep,
    state: str = "",
    code: str = "",
    error: str = "",
    error_description: str = "",
    iss: str = "",
    browser_secret: BrowserSecret = None,
) -> Response:
    """Take in somebody whom a provider sends back; every answer is a redirect."""
    target = target_of(dependencies, None)
    answer = Answer(
        code=code, error=_known_error(error), error_description=_sayable(error_description), issuer=iss
    )
    try:
        with dependencies.database.transaction() as session:
            journey = find_journey(session, dependencies.tools, state=state, browser_secret=browser_secret)
        target = journey.redirect_to
        welcome = welcome_back(
            dependencies.database,
            dependencies.tools,
            journey=journey,
            answer=answer,
            origin=origin,
            now=datetime.now(UTC),
        )
    except DomainError as refusal:
        return error_redirect(target, refusal)
    match welcome:
        case Grant():
            return session_redirect(dependencies, target, welcome)
        case CodeIssued():
            return redirect(target, query={"code": welcome.code})


@routes.post(
    CALLBACK,
    status_code=303,
    response_class=Response,
    responses={303: _ON, **documented(413)},
    openapi_extra=_FORM,
)
async def callback_by_form(request: Request, dependencies: AuthDep) -> Response:
    """Let a browser that a provider has posting here come again by itself: only then it shows its cookie."""
    fields = dict(parse_qsl((await request.body()).decode(errors="replace")))
    query = urlencode([(name, fields[name]) for name in _FIELDS if name in fields])
    address = f"{dependencies.settings.issuer}/callback?{query}"
    return Response(status_code=303, headers={"Location": address, "Referrer-Policy": "no-referrer"})


def _passed_on(request: Request) -> Mapping[str, str]:
    passed = {
        name: said
        for name, said in request.query_params.items()
        if name not in _KEPT_BACK and len(name) + len(said) <= MAX_PARAMETER_CHARACTERS
    }
    return dict(list(passed.items())[:MAX_PARAMETERS])


def _known_or_new(browser_secret: str | None) -> str:
    """The browser's secret: it may be on its way to several providers at once."""
    fresh = secrets.token_urlsafe(BROWSER_SECRET_BYTES)
    return browser_secret if browser_secret and len(browser_secret) == len(fresh) else fresh


def _remember(dependencies: AuthDependencies, answer: Response, secret: str) -> None:
    issuer = urlsplit(dependencies.settings.issuer)
    answer.set_cookie(
        BROWSER_COOKIE,
        secret,
        max_age=BROWSER_COOKIE_SECONDS,
        path=issuer.path or "/",
        secure=issuer.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def _known_error(said: str) -> str:
    return said if not said or _ERROR.fullmatch(said) else "server_error"


def _sayable(said: str) -> str:
    return said[:MAX_PARAMETER_CHARACTERS] if said.isprintable() else ""
