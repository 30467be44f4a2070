"""Builds the auth service from its settings, and is its command line."""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version

from cas_auth.clients.account import AccountClient
from cas_auth.commands import COMMANDS
from cas_auth.commands.opened import WRONG_ENCRYPTION_KEY
from cas_auth.credentials.audit_seals import AuditSeals
from cas_auth.credentials.encryption import WrongEncryptionKey
from cas_auth.credentials.keys import KeyRing
from cas_auth.models import outbox_messages
from cas_auth.operations.audit_seals import AuditSealer
from cas_auth.operations.housekeeping import forget_stale
from cas_auth.operations.revocations import complete_feed, forget_ended_sessions, publish_ended_sessions
from cas_auth.operations.signing_keys import load_signing_keys, reload_signing_keys
from cas_auth.operations.tools import Tools
from cas_auth.repository.erasure import USER_DELETED
from cas_auth.repository.mails import MAIL_REQUESTED
from cas_auth.repository.revocations import SESSIONS_ENDED
from cas_auth.rest import (
    BODY_LIMIT,
    about,
    absent,
    by_mail,
    devices,
    factors,
    identities,
    providers,
    sessions,
    users,
    verification,
)
from cas_auth.rest.admin import audit as admin_audit
from cas_auth.rest.admin import factors as admin_factors
from cas_auth.rest.admin import links as admin_links
from cas_auth.rest.admin import users as admin_users
from cas_auth.rest.errors import render_error
from cas_auth.rest.requests import AuthDependencies
from cas_auth.rest.turns import SharedAnswers, Turns
from cas_auth.rpc import register
from cas_auth.settings import Settings
from cas_auth.tasks import WOKEN, forget_elsewhere, sweep_mails, wake_for_mail
from cas_auth.worker import WORKER
from cas_kit.db import Database
from cas_kit.errors import Unavailable
from cas_kit.outbox import Relay
from cas_kit.ratelimit import RateLimiter
from cas_kit.rest import Readiness, create_app
from cas_kit.revocations import RevocationFeed
from cas_kit.rpc import RpcServer, RpcTls
from cas_kit.service import Periodic, Service, run_command
from cas_kit.tokens import TokenVerifier
from cas_kit.worker import create_celery

PACKAGE = "cas_auth"
# How long a service that was started after Redis lost everything may not know which sessions have ended.
COMPLETE_FEED_EVERY = timedelta(seconds=1)
FORGET_EVERY = timedelta(minutes=10)
SEAL_EVERY = timedelta(seconds=1)
SWEEP_EVERY = timedelta(seconds=5)
# How long a rotation, or the withdrawal of a key, takes to reach every replica.
RELOAD_KEYS_EVERY = timedelta(seconds=2)


def main() -> None:
    """Run the command line."""
    run_command(name="auth", package=PACKAGE, settings=Settings, build=build, commands=[*COMMANDS, WORKER])


def build(settings: Settings) -> Service:
    """The service, not started; it has no keys before `prepare`."""
    database = Database(settings, application_name="cas-auth")
    keys = KeyRing()
    tools = Tools.of(settings, keys)
    feed = RevocationFeed(settings.revocations)
    celery = create_celery(service="auth", redis_url=str(settings.redis_url), tasks=WOKEN)
    tls = RpcTls.of(settings)
    account = AccountClient(settings.account_grpc, tls=tls) if settings.account_grpc else None
    relay = Relay(
        database,
        outbox_messages,
        {
            SESSIONS_ENDED: partial(publish_ended_sessions, database, feed),
            MAIL_REQUESTED: partial(wake_for_mail, celery),
            USER_DELETED: partial(forget_elsewhere, account),
        },
        patient=[USER_DELETED],
    )
    dependencies = AuthDependencies(
        database=database,
        verifier=_verifier(settings, keys),
        tools=tools,
        keys=keys,
        limiter=RateLimiter(str(settings.redis_url), prefix="cas-auth"),
        turns=Turns(),
        refreshes=SharedAnswers(),
    )
    readiness = Readiness()

    def prepare() -> None:
        try:
            load_signing_keys(database, keys=keys, encryption_key=tools.encryption_key, now=datetime.now(UTC))
        except WrongEncryptionKey:
            sys.exit(f"cas-auth cannot start: {WRONG_ENCRYPTION_KEY}")

    def forget() -> None:
        with database.transaction() as session:
            forget_stale(session, tools, now=datetime.now(UTC))

    return Service(
        app=create_app(
            title="Auth",
            version=version("cas-auth"),
            routers=[
                about.routes,
                sessions.routes,
                users.routes,
                by_mail.routes,
                verification.routes,
                factors.routes,
                devices.routes,
                absent.routes,
                admin_users.routes,
                admin_links.routes,
                admin_factors.routes,
                admin_audit.routes,
                providers.routes,
                identities.routes,
            ],
            dependencies=dependencies,
            readiness=readiness,
            render_error=render_error,
            body_limit=BODY_LIMIT,
            polled=[about.JWKS],
        ),
        rpc=RpcServer(
            partial(register, database=database, tools=tools, limiter=dependencies.limiter),
            tls=tls,
        ),
        readiness=readiness,
        relay=relay,
        periodic=[
            *_periodic(database, feed, AuditSealer(database, AuditSeals(tools.encryption_key))),
            Periodic("forget-stale", FORGET_EVERY, forget),
            Periodic(
                "sweep-mails", SWEEP_EVERY, lambda: sweep_mails(database, celery, now=datetime.now(UTC))
            ),
            Periodic("signing-keys", RELOAD_KEYS_EVERY, partial(_reload_keys, dependencies)),
        ],
        prepare=prepare,
        close=[
            *([account.close] if account else []),
            tools.close,
            feed.close,
            celery.close,
            database.dispose,
        ],
    )


def _verifier(settings: Settings, keys: KeyRing) -> TokenVerifier:
    """Of our own tokens alone, those signed with an old secret included: this service has no sessions of others.

    Nor does it need to be told which sessions have ended: it looks.
    """
    own = [entry for entry in settings.trusted_issuers if entry.issuer == settings.issuer]
    return TokenVerifier(
        issuer=settings.issuer, audience=settings.audience, keys=keys, secret=keys.secret, trusted=own
    )


def _reload_keys(dependencies: AuthDependencies) -> None:
    tools = dependencies.tools
    try:
        withdrawn = reload_signing_keys(
            dependencies.database, keys=dependencies.keys, encryption_key=tools.encryption_key
        )
    except Unavailable:
        return  # the database is away; the known keys stay good meanwhile
    if withdrawn:
        dependencies.verifier.forget()


def _periodic(database: Database, feed: RevocationFeed, sealer: AuditSealer) -> Sequence[Periodic]:
    def at_present(job: Callable[..., object]) -> Callable[[], object]:
        return lambda: job(database, feed, now=datetime.now(UTC))

    return [
        Periodic("complete-revocations", COMPLETE_FEED_EVERY, at_present(complete_feed)),
        Periodic("forget-revocations", FORGET_EVERY, at_present(forget_ended_sessions)),
        Periodic("audit-sealer", SEAL_EVERY, sealer.run),
    ]
