"""The listings service as a process: `cas-listings serve | worker | reindex | migrate | openapi | retry-parked`."""

from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version

import cas_listings
from cas_kit.db import Database
from cas_kit.idempotency import forget_old_keys
from cas_kit.jwks import JwksCache
from cas_kit.outbox import Relay
from cas_kit.ratelimit import RateLimiter
from cas_kit.rest import Readiness, create_app
from cas_kit.revocations import RevokedSessions
from cas_kit.rpc import RpcServer, RpcTls
from cas_kit.service import Background, Periodic, Service, run_command
from cas_kit.storage import Storage
from cas_kit.tokens import TokenVerifier
from cas_kit.worker import create_celery
from cas_listings import rest, rpc, tasks
from cas_listings.clients import AccountClient
from cas_listings.commands import COMMANDS
from cas_listings.models import idempotency_keys, outbox
from cas_listings.operations.visits import VisitorKeys, forget_visits
from cas_listings.rest.caller import ListingsDependencies
from cas_listings.settings import Settings
from cas_listings.worker import WORKER

SWEEP_EVERY = timedelta(seconds=5)


def main() -> None:
    """Do what the command line asks."""
    run_command(
        name="listings",
        package=cas_listings.__name__,
        settings=Settings,
        build=build,
        commands=[*COMMANDS, WORKER],
    )


def build(settings: Settings) -> Service:
    """The parts of the service, connected to nothing yet."""
    revoked = RevokedSessions(settings.revocations)
    tls = RpcTls.of(settings)
    database = Database(settings, application_name="cas-listings")
    searches = database
    if settings.search_database_url is not None:
        searches = Database(
            settings, application_name="cas-listings-search", url=settings.search_database_url
        )
    account = AccountClient(settings.account_grpc, tls=tls)
    limiter = RateLimiter(str(settings.redis_url), prefix="cas-listings")
    storage = Storage.of(settings, links_below=f"{settings.media_url}uploads/")
    celery = create_celery(service="listings", redis_url=str(settings.redis_url), tasks=tasks.WOKEN)
    relay = Relay(
        database,
        outbox.table,
        tasks.handlers(database, account, storage, celery),
        patient=tasks.PATIENT,
    )
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
            title="Listings",
            version=version("cas-listings"),
            routers=rest.ROUTERS,
            dependencies=ListingsDependencies(
                database=database,
                searches=searches,
                verifier=verifier,
                account=account,
                settings=settings,
                limiter=limiter,
                visitor_keys=VisitorKeys(database),
                storage=storage,
            ),
            readiness=readiness,
        ),
        rpc=RpcServer(partial(rpc.register, database=database, limiter=limiter, storage=storage), tls=tls),
        readiness=readiness,
        relay=relay,
        background=[Background("revocations", revoked.run)],
        periodic=[
            Periodic("repair-search", settings.search_repair_every, partial(tasks.repair_search, database)),
            Periodic(
                "sweep-images",
                SWEEP_EVERY,
                lambda: tasks.sweep_images(database, celery, now=datetime.now(UTC)),
            ),
            Periodic("forget-visits", settings.housekeeping_every, partial(forget, database)),
            Periodic(
                "forget-old-keys",
                settings.housekeeping_every,
                partial(forget_old_keys, database, idempotency_keys),
            ),
        ],
        prepare=revoked.catch_up,
        close=[account.close, revoked.close, celery.close, searches.dispose, database.dispose],
    )


def forget(database: Database) -> None:
    """Remove what told visitors apart. Safe to run in several replicas at once."""
    forget_visits(database, now=datetime.now(UTC))
