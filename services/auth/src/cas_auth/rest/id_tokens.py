"""The grant of an app that got a provider's ID token by itself (docs/spec/auth-protocol.md 1.2)."""

from collections.abc import Callable
from datetime import UTC, datetime

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.audit import Origin
from cas_auth.operations.id_tokens import ShownIdToken, sign_in_with_id_token
from cas_auth.operations.identities import Linking
from cas_auth.rest.requests import AuthDependencies, Caller, limit_provider
from cas_auth.rest.schemas import TokenIn


def id_token_grant(
    body: TokenIn, dependencies: AuthDependencies, origin: Origin, *, caller: Callable[[], Caller]
) -> Grant:
    """Sign in whose ID token it is, or link their account to the caller.

    :param caller: tells who calls; asked only where an account is linked.
    """
    limit_provider(dependencies, origin=origin)
    return sign_in_with_id_token(
        dependencies.database,
        dependencies.tools,
        shown=ShownIdToken(
            id_token=body.id_token or "",
            provider=body.provider or "",
            issuer=body.issuer or "",
            client_id=body.client_id or "",
            nonce=body.nonce or "",
            access_token=body.access_token or "",
        ),
        linking=_linking(caller()) if body.link_identity else None,
        origin=origin,
        now=datetime.now(UTC),
    )


def _linking(caller: Caller) -> Linking:
    return Linking(user_id=caller.user_id, session_id=caller.session_id)
