"""The account service as a process: `cas-account serve | migrate | openapi | retry-parked`."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from importlib.metadata import version

import cas_account
from cas_account import rest, rpc, tasks
from cas_account.clients import (
    AuthClient,
    ListingsClient,
    OnboardingClient,
    ReadinessProbe,
    RedisProbe,
    WorkersProbe,
)
from cas_account.models import idempotency_keys, outbox_messages
from cas_account.operations import erasure
from cas_account.operations.cards import CARD_CHANGED
from cas_account.operations.health import HealthMonitor, prove_profiles
from cas_account.operations.own_part import AccountPart
from cas_account.operations.parts import Part
from cas_account.rest.caller import AccountDependencies
from cas_account.settings import Settings
from cas_kit.db import Database
from cas_kit.idempotency import forget_old_keys
from cas_kit.images import ImageProcessor
from cas_kit.jwks import JwksCache
from cas_kit.outbox import Relay
from cas_kit.ratelimit import RateLimiter
from cas_kit.rest import Readiness, create_app
from cas_kit.revocations import RevokedSessions
from cas_kit.rpc import RpcServer, RpcTls
from cas_kit.service import Background, Periodic, Service, run_command
from cas_kit.storage import Storage
from cas_kit.tokens import TokenVerifier

WATCH_EVERY = timedelta(seconds=5)


def main() -> None:
    """Do what the command line asks."""
    run_command(name="account", package=cas_account.__name__, settings=Settings, build=build)


def build(settings: Settings) -> Service:
    """The parts of the service, connected to nothing yet."""
    revoked = RevokedSessions(settings.revocations)
    tls = RpcTls.of(settings)
    database = Database(settings, application_name="cas-account")
    auth = AuthClient(settings.auth_grpc, tls=tls)
    onboarding = OnboardingClient(settings.onboarding_grpc, tls=tls)
    listings = ListingsClient(settings.listings_grpc, tls=tls)
    limiter = RateLimiter(str(settings.redis_url), prefix="cas-account")
    storage = Storage.of(settings)
    images = ImageProcessor(at_once=settings.pictures_at_once)
    # Whoever keeps anything about users is one of these.
    parts: Sequence[Part] = (AccountPart(database, limiter, storage), onboarding, listings, auth)
    auth_probe = ReadinessProbe(settings.health_auth_url)
    onboarding_probe = ReadinessProbe(settings.health_onboarding_url)
    listings_probe = ReadinessProbe(settings.health_listings_url)
    redis_probe = RedisProbe(str(settings.redis_url))
    workers_probe = WorkersProbe(settings.revocations, workers=settings.workers)
    health = HealthMonitor(
        {
            "auth": auth_probe.check,
            "account": partial(prove_profiles, database),
            "onboarding": onboarding_probe.check,
            "listings": listings_probe.check,
            "database": database.ping,
            "redis": redis_probe.check,
            "storage": storage.check,
            **({"worker": workers_probe.check} if settings.workers else {}),
        }
    )
    relay = Relay(
        database,
        outbox_messages,
        tasks.handlers(database, auth, listings, storage, parts),
        patient=erasure.ERASURE_TOPICS | {CARD_CHANGED},
    )
    readiness = Readiness()
    return Service(
        app=create_app(
            title="Account",
            version=version("cas-account"),
            routers=rest.ROUTERS,
            dependencies=AccountDependencies(
                database=database,
                verifier=TokenVerifier(
                    issuer=settings.issuer,
                    audience=settings.audience,
                    keys=JwksCache(settings.jwks_url),
                    trusted=settings.trusted_issuers,
                    revoked=revoked,
                ),
                issuer=settings.issuer,
                media_url=settings.media_url,
                health=health,
                limiter=limiter,
                parts=parts,
                sessions=auth,
                storage=storage,
                images=images,
            ),
            readiness=readiness,
            render_error=rest.render_error,
        ),
        rpc=RpcServer(
            partial(rpc.register, database=database, relay=relay, parts=[part.name for part in parts]),
            tls=tls,
        ),
        readiness=readiness,
        relay=relay,
        background=[Background("revocations", revoked.run)],
        periodic=[
            Periodic("watch-erasures", WATCH_EVERY, partial(tasks.watch_erasures, database)),
            Periodic(
                "forget-old-keys",
                settings.housekeeping_every,
                partial(forget_old_keys, database, idempotency_keys),
            ),
        ],
        prepare=revoked.catch_up,
        close=[
            health.close,
            images.close,
            auth_probe.close,
            onboarding_probe.close,
            listings_probe.close,
            redis_probe.close,
            workers_probe.close,
            auth.close,
            onboarding.close,
            listings.close,
            database.dispose,
            revoked.close,
        ],
    )
