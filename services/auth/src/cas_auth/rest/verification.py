"""Prove an address: by a code that was typed, or by a link that was opened."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Response

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.audit import Origin
from cas_auth.domain.one_time_tokens import VerifyType
from cas_auth.domain.refusals import InvalidRequest, PhoneLoginsDisabled
from cas_auth.operations.verification import CodeIssued, HalfChanged, Verified, verify_code, verify_link
from cas_auth.rest import PREFIX
from cas_auth.rest.errors import documented
from cas_auth.rest.pages import button_page
from cas_auth.rest.redirects import error_redirect, redirect, session_redirect, target_of
from cas_auth.rest.requests import AuthDep, AuthDependencies, OriginDep, limit_verification
from cas_auth.rest.schemas import HalfChangedOut, LinkIn, SessionOut, VerifyIn
from cas_auth.rest.sessions import session_response
from cas_kit.errors import DomainError
from cas_kit.rest import json_response, router

routes = router(tags=["verification"])
_PAGE_ANSWER: dict[str, Any] = {
    "content": {"text/html": {}},
    "description": "A page with a button that posts to the same address",
}
_REDIRECT_ANSWER: dict[str, Any] = {"description": "To the site, with a session, a code or an error"}
_BY_PHONE = frozenset({"sms", "phone_change"})
LinkDep = Annotated[LinkIn, Query()]

_PAGES: Mapping[str, tuple[str, str, str]] = {
    VerifyType.SIGNUP: ("Confirm your e-mail address", "Press the button to finish signing up.", "Confirm"),
    VerifyType.INVITE: ("You have been invited", "Press the button to accept and sign in.", "Accept"),
    VerifyType.RECOVERY: ("Reset your password", "Press the button to go on to a new password.", "Go on"),
    VerifyType.EMAIL_CHANGE: ("Change of e-mail address", "Press the button to agree to it.", "Agree"),
}
_SIGN_IN_PAGE = ("Sign in", "Press the button to sign in.", "Sign in")


@routes.get(
    f"{PREFIX}/verify", responses={200: _PAGE_ANSWER, 303: _REDIRECT_ANSWER, **documented(400, 429, 503)}
)
def open_link(
    dependencies: AuthDep,
    origin: OriginDep,
    link: LinkDep,
) -> Response:
    """Open a mailed link: a page that asks to go on, because programs that scan mail open links too."""
    if not dependencies.settings.link_confirmation_page:
        return _follow(dependencies, origin, link)
    title, text, button = _PAGES.get(link.type, _SIGN_IN_PAGE)
    query = urlencode({"token": link.token, "type": link.type, "redirect_to": link.redirect_to or ""})
    return button_page(
        title=title,
        text=text,
        button=button,
        action=f"?{query}",
        leads_to=target_of(dependencies, link.redirect_to),
    )


@routes.post(
    f"{PREFIX}/verify",
    responses={
        200: {"model": SessionOut | HalfChangedOut},
        303: _REDIRECT_ANSWER,
        **documented(400, 403, 413, 422, 429, 503),
    },
)
def verify(
    dependencies: AuthDep,
    origin: OriginDep,
    link: LinkDep,
    body: VerifyIn | None = None,
) -> Response:
    """Get a session for a mailed code or token; with `token` in the query, what the page of a mailed link does."""
    if link.token:
        return _follow(dependencies, origin, link)
    limit_verification(dependencies, origin=origin)
    outcome = _verified(dependencies, body or VerifyIn(), origin)
    match outcome:
        case Grant():
            return session_response(dependencies, outcome)
        case HalfChanged():
            return json_response({"msg": outcome.sentence, "code": "200"})
        case CodeIssued():
            return json_response({"auth_code": outcome.code})


def _verified(dependencies: AuthDependencies, body: VerifyIn, origin: Origin) -> Verified:
    if body.phone or body.type in _BY_PHONE:
        raise PhoneLoginsDisabled
    verify_type, now = _verify_type(body.type or ""), datetime.now(UTC)
    if body.token_hash and (body.email or body.token):
        raise InvalidRequest("Only the token_hash and type should be provided")
    with dependencies.database.transaction() as session:
        if body.token_hash:
            return verify_link(
                session,
                dependencies.tools,
                link=body.token_hash,
                verify_type=verify_type,
                to_flow=False,
                origin=origin,
                now=now,
            )
        if not body.email or not body.token:
            raise InvalidRequest("Verify requires a token and an email, or a token_hash")
        return verify_code(
            session,
            dependencies.tools,
            email=body.email,
            code=body.token,
            verify_type=verify_type,
            origin=origin,
            now=now,
        )


def _follow(dependencies: AuthDependencies, origin: Origin, link: LinkIn) -> Response:
    """Use a mailed link up; every answer is a redirect."""
    target = target_of(dependencies, link.redirect_to)
    try:
        limit_verification(dependencies, origin=origin)
        verify_type = _verify_type(link.type)
        with dependencies.database.transaction() as session:
            outcome = verify_link(
                session,
                dependencies.tools,
                link=link.token,
                verify_type=verify_type,
                to_flow=True,
                origin=origin,
                now=datetime.now(UTC),
            )
    except DomainError as error:
        return error_redirect(target, error)
    match outcome:
        case Grant():
            return session_redirect(dependencies, target, outcome, type=verify_type)
        case HalfChanged():
            return redirect(target, fragment={"message": outcome.sentence})
        case CodeIssued():
            return redirect(target, query={"code": outcome.code})


def _verify_type(text: str) -> VerifyType:
    try:
        return VerifyType(text)
    except ValueError as error:
        raise InvalidRequest("Invalid email verification type") from error
