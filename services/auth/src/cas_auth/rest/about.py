"""What anybody may know about this installation: health, settings, public keys."""

from importlib.metadata import version

from fastapi import Response

from cas_auth.rest import PREFIX
from cas_auth.rest.requests import AuthDep
from cas_auth.rest.schemas import HealthOut, JwksOut, SettingsOut
from cas_kit.rest import json_response, router

# Verifiers may keep the keys this long; a new key is published twice as long before it signs.
JWKS_CACHE_CONTROL = "public, max-age=600"

JWKS = f"{PREFIX}/.well-known/jwks.json"

routes = router(tags=["about"])
_HEALTH = {"version": version("cas-auth"), "name": "cas-auth", "description": "Users, sessions and tokens"}


@routes.get(f"{PREFIX}/health", responses={200: {"model": HealthOut}})
async def health() -> Response:
    """Say that the service is up."""
    return json_response(_HEALTH)


@routes.get(f"{PREFIX}/settings", responses={200: {"model": SettingsOut}})
async def settings(dependencies: AuthDep) -> Response:
    """Say which ways to sign in there are."""
    configured = dependencies.settings
    return json_response(
        {
            "external": {"email": True, "phone": False, "anonymous_users": configured.anonymous_enabled},
            "disable_signup": not configured.signup_enabled,
            "mailer_autoconfirm": configured.email_auto_confirm,
            "phone_autoconfirm": False,
            "sms_provider": "",
            "saml_enabled": False,
            "saml_private_key_next_configured": False,
            "passkeys_enabled": False,
        }
    )


@routes.get(JWKS, responses={200: {"model": JwksOut}})
async def jwks(dependencies: AuthDep) -> Response:
    """Publish the keys that verify our access tokens."""
    keys = dependencies.keys.published()
    return json_response({"keys": keys}, headers={"Cache-Control": JWKS_CACHE_CONTROL})
