"""Builds the auth service from its settings, and is its command line."""

import sys
from datetime import UTC, datetime
from importlib.metadata import version

from cas_auth.commands import COMMANDS
from cas_auth.credentials.encryption import WrongEncryptionKey
from cas_auth.credentials.keys import KeyRing
from cas_auth.operations.signing_keys import load_signing_keys
from cas_auth.operations.tools import Tools
from cas_auth.rest import BODY_LIMIT, about, by_mail, sessions, users, verification
from cas_auth.rest.errors import render_error
from cas_auth.rest.requests import AuthDependencies, Turns
from cas_auth.rpc import register
from cas_auth.settings import Settings
from cas_kit.db import Database
from cas_kit.ratelimit import RateLimiter
from cas_kit.rest import Readiness, create_app
from cas_kit.rpc import RpcServer
from cas_kit.service import Service, run_command
from cas_kit.tokens import TokenVerifier

PACKAGE = "cas_auth"


def main() -> None:
    """Run the command line."""
    run_command(name="auth", package=PACKAGE, settings=Settings, build=build, commands=COMMANDS)


def build(settings: Settings) -> Service:
    """The service, not started; it has no keys before `prepare`."""
    database = Database(settings, application_name="cas-auth")
    keys = KeyRing()
    tools = Tools.of(settings, keys)
    dependencies = AuthDependencies(
        database=database,
        verifier=TokenVerifier(issuer=settings.issuer, audience=settings.audience, keys=keys),
        tools=tools,
        keys=keys,
        limiter=RateLimiter(str(settings.redis_url), prefix="cas-auth"),
        refresh_turns=Turns(),
    )
    readiness = Readiness()

    def prepare() -> None:
        try:
            load_signing_keys(database, keys=keys, encryption_key=tools.encryption_key, now=datetime.now(UTC))
        except WrongEncryptionKey:
            sys.exit(
                "cas-auth cannot start: CAS_AUTH_ENCRYPTION_KEY is not the key under which the signing keys in the "
                "database are encrypted. Set the one that was used before."
            )

    return Service(
        app=create_app(
            title="Auth",
            version=version("cas-auth"),
            routers=[about.routes, sessions.routes, users.routes, by_mail.routes, verification.routes],
            dependencies=dependencies,
            readiness=readiness,
            render_error=render_error,
            body_limit=BODY_LIMIT,
            polled=[about.JWKS],
        ),
        rpc=RpcServer(lambda server: register(server, database=database)),
        readiness=readiness,
        prepare=prepare,
        close=[database.dispose],
    )
