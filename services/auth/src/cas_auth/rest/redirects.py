"""Answers that send the browser on: with a session, a code or an error."""

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit, urlunsplit

from fastapi import Response

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.identity_refusals import OAuthRefusal
from cas_auth.domain.redirects import allowed_redirect
from cas_auth.rest.errors import protocol_code
from cas_auth.rest.requests import AuthDependencies
from cas_auth.rest.schemas import SessionOut
from cas_kit.errors import DomainError, Kind

_OURS = frozenset({Kind.INTERNAL, Kind.UNAVAILABLE})


def target_of(dependencies: AuthDependencies, redirect_to: str | None) -> str:
    """Where to send the browser: to where it wishes, if that is allowed, else to the site."""
    settings = dependencies.settings
    return allowed_redirect(redirect_to, site_url=settings.site_url, patterns=settings.redirect_urls)


def session_redirect(dependencies: AuthDependencies, target: str, grant: Grant, **more: str) -> Response:
    """Hand a durable session to whoever waits at `target`, in the part of the address that no server sees."""
    try:
        access_token = dependencies.tools.access_token(grant)
    except DomainError as error:
        return error_redirect(target, error)
    session = SessionOut.of(grant, access_token=access_token, audience=dependencies.settings.audience)
    fields = session.model_dump(mode="json", exclude={"user", "weak_password"}, exclude_none=True)
    return redirect(target, fragment={**fields, **more})


def error_redirect(target: str, error: DomainError) -> Response:
    """Tell whoever waits at `target` what went wrong, in both places where clients look."""
    fields = {
        "error": _oauth_error(error),
        "error_code": protocol_code(error),
        "error_description": error.detail,
    }
    return redirect(target, query=fields, fragment=fields)


def redirect(
    target: str, *, query: Mapping[str, object] | None = None, fragment: Mapping[str, object] | None = None
) -> Response:
    """Send the browser to `target` with these fields added; those of the fragment take the place of its own."""
    parts = urlsplit(target)
    joined = "&".join(filter(None, [parts.query, urlencode(query or {})]))
    address = urlunsplit(
        parts._replace(query=joined, fragment=urlencode(fragment) if fragment else parts.fragment)
    )
    return Response(status_code=303, headers={"Location": address, "Referrer-Policy": "no-referrer"})


def _oauth_error(error: DomainError) -> str:
    if isinstance(error, OAuthRefusal):
        return error.error
    return "server_error" if error.kind in _OURS else "access_denied"
