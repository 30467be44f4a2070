"""What the protocol has and we do not: it says so, in words that clients know (docs/spec/auth-protocol.md, LATER)."""

from collections.abc import Awaitable, Callable

from fastapi import Response

from cas_auth.domain.refusals import FeatureDisabled, PasskeysDisabled, SamlDisabled
from cas_auth.rest import PREFIX
from cas_kit.errors import DomainError
from cas_kit.rest import router

routes = router(tags=["absent"])

_ABSENT: dict[type[DomainError], dict[str, tuple[str, ...]]] = {
    SamlDisabled: {
        "/sso": ("POST",),
        "/sso/saml/metadata": ("GET",),
        "/sso/saml/acs": ("POST",),
        "/admin/sso/providers": ("GET", "POST"),
        "/admin/sso/providers/{provider_id}": ("GET", "PUT", "DELETE"),
    },
    PasskeysDisabled: {
        "/passkeys": ("GET",),
        "/passkeys/{passkey_id}": ("PATCH", "DELETE"),
        "/passkeys/authentication/options": ("POST",),
        "/passkeys/authentication/verify": ("POST",),
        "/passkeys/registration/options": ("POST",),
        "/passkeys/registration/verify": ("POST",),
        "/admin/users/{user_id}/passkeys": ("GET",),
        "/admin/users/{user_id}/passkeys/{passkey_id}": ("DELETE",),
    },
    FeatureDisabled: {
        "/.well-known/oauth-authorization-server": ("GET",),
        "/oauth/clients/register": ("POST",),
        "/oauth/authorize": ("GET",),
        "/oauth/authorizations/{authorization_id}": ("GET",),
        "/oauth/authorizations/{authorization_id}/consent": ("POST",),
        "/oauth/token": ("POST",),
        "/oauth/userinfo": ("GET",),
        "/user/oauth/grants": ("GET", "DELETE"),
        "/admin/oauth/clients": ("GET", "POST"),
        "/admin/oauth/clients/{client_id}": ("GET", "PUT", "DELETE"),
        "/admin/oauth/clients/{client_id}/regenerate_secret": ("POST",),
        "/admin/custom-providers": ("GET", "POST"),
        "/admin/custom-providers/{identifier}": ("GET", "PUT", "DELETE"),
    },
}


def _refusing(refusal: type[DomainError]) -> Callable[[], Awaitable[Response]]:
    async def absent() -> Response:
        """Say that this is not offered, whoever asks."""
        raise refusal

    return absent


for _refusal, _paths in _ABSENT.items():
    for _path, _methods in _paths.items():
        routes.add_api_route(
            PREFIX + _path, _refusing(_refusal), methods=list(_methods), include_in_schema=False
        )
