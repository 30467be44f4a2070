"""The onboarding service as a process: `cas-onboarding serve | migrate | openapi | retry-parked`."""

from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version

import cas_onboarding
from cas_kit.db import Database
from cas_kit.idempotency import forget_old_keys
from cas_kit.jwks import JwksCache
from cas_kit.outbox import Relay
from cas_kit.rest import Readiness, create_app
from cas_kit.revocations import RevokedSessions
from cas_kit.rpc import RpcServer, RpcTls
from cas_kit.service import Background, Periodic, Service, run_command
from cas_kit.tokens import TokenVerifier
from cas_onboarding import operations, rest, rpc
from cas_onboarding.clients import AccountClient
from cas_onboarding.models import idempotency_keys, outbox
from cas_onboarding.settings import Settings


def main() -> None:
    """Do what the command line asks."""
    run_command(name="onboarding", package=cas_onboarding.__name__, settings=Settings, build=build)


def build(settings: Settings) -> Service:
    """The parts of the service, connected to nothing yet."""
    revoked = RevokedSessions(settings.revocations)
    tls = RpcTls.of(settings)
    database = Database(settings, application_name="cas-onboarding")
    account = AccountClient(settings.account_grpc, tls=tls)
    deliver = partial(operations.deliver_completion, database, account)
    relay = Relay(database, outbox.table, {operations.APPLY_ONBOARDING: deliver})
    verifier = TokenVerifier(
        issuer=settings.issuer,
        audience=settings.audience,
        keys=JwksCache(settings.jwks_url),
        trusted=settings.trusted_issuers,
        revoked=revoked,
    )
    readiness = Readiness()
    return Service(
        app=create_app(
            title="Onboarding",
            version=version("cas-onboarding"),
            routers=[rest.routes],
            dependencies=rest.OnboardingDependencies(database=database, verifier=verifier, relay=relay),
            readiness=readiness,
        ),
        rpc=RpcServer(partial(rpc.register, database=database), tls=tls),
        readiness=readiness,
        relay=relay,
        background=[Background("revocations", revoked.run)],
        periodic=[
            Periodic("purge-abandoned", settings.housekeeping_every, partial(purge, database, settings)),
            Periodic(
                "forget-old-keys",
                settings.housekeeping_every,
                partial(forget_old_keys, database, idempotency_keys),
            ),
        ],
        prepare=revoked.catch_up,
        close=[account.close, revoked.close, database.dispose],
    )


def purge(database: Database, settings: Settings) -> None:
    """Remove what nobody came back to, in short transactions. Safe to run in several replicas at once."""
    untouched_since = datetime.now(UTC) - settings.abandoned_after
    found = operations.PURGE_BATCH
    while found == operations.PURGE_BATCH:
        with database.transaction() as session:
            found = operations.purge_abandoned(session, untouched_since=untouched_since)
