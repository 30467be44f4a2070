"""What anybody may know about this installation: health, settings, public keys."""

from importlib.metadata import version

from fastapi import Response

from cas_auth.rest import PREFIX
from cas_auth.rest.requests import AuthDep
from cas_auth.rest.schemas import DiscoveryOut, HealthOut, JwksOut, SettingsOut
from cas_auth.settings import GOOGLE
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
            "external": {
                "email": True,
                "phone": False,
                "anonymous_users": configured.anonymous_enabled,
                GOOGLE: False,
                **dict.fromkeys(configured.providers, True),
            },
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


@routes.get(f"{PREFIX}/.well-known/openid-configuration", responses={200: {"model": DiscoveryOut}})
async def discovery(dependencies: AuthDep) -> Response:
    """Say where what is that verifies our access tokens."""
    issuer, keys = dependencies.settings.issuer, dependencies.keys.published()
    document = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "response_types_supported": ["code", "token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": sorted({key["alg"] for key in keys}),
        "claims_supported": [
            "sub",
            "aud",
            "iss",
            "exp",
            "iat",
            "email",
            "email_verified",
            "role",
            "session_id",
        ],
        "code_challenge_methods_supported": ["S256", "plain"],
    }
    return json_response(document, headers={"Cache-Control": JWKS_CACHE_CONTROL})
