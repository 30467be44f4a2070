"""The auth service on real servers: its database, its tools, and whole services with settings of their own."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from redis import Redis
from sqlalchemy import delete, select, update

from cas_auth.credentials.keys import KeyRing
from cas_auth.credentials.passwords import PasswordHasher
from cas_auth.domain.audit import Origin
from cas_auth.domain.one_time_tokens import VerifyType
from cas_auth.main import build
from cas_auth.models import AuditEntry, Mail, User, outbox_messages
from cas_auth.operations import accounts, sessions
from cas_auth.operations.accounts import AccountChange
from cas_auth.operations.letters import Letter, compose
from cas_auth.operations.mails import PLAIN_LINK
from cas_auth.operations.signing_keys import load_signing_keys
from cas_auth.operations.tools import Tools
from cas_auth.operations.verification import verify_code, verify_link
from cas_auth.settings import Settings
from cas_kit.db import Database
from cas_kit.service import Service
from cas_kit.testing.plugin import empty_tables
from cas_local.oidc_provider import ADA, OidcProvider

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ORIGIN = Origin(request_id="request-1", ip="203.0.113.9", user_agent="pytest")
PASSWORD = "correct horse battery"
UNLIMITED = "1000000/second"


@pytest.fixture(scope="session")
def auth_settings(make_settings) -> Callable[..., Settings]:
    """Settings of the service: `auth_settings(email_auto_confirm=False)`."""

    def make(**values) -> Settings:
        defaults = {
            "encryption_key": base64.b64encode(b"k" * 32).decode(),
            "email_auto_confirm": True,
            "hash_waiting": 32,
            "mail_interval": timedelta(0),
            "signup_limit_per_ip": UNLIMITED,
            "signup_limit_per_account": UNLIMITED,
            "sign_in_limit_per_ip": UNLIMITED,
            "sign_in_limit_per_account_and_network": UNLIMITED,
            "sign_in_limit_per_account_for_strangers": UNLIMITED,
            "update_limit_per_user": UNLIMITED,
            "password_change_limit_per_user": UNLIMITED,
            "mail_limit_per_ip": UNLIMITED,
            "verify_limit_per_ip": UNLIMITED,
            "anonymous_limit_per_ip": UNLIMITED,
            "factor_limit_per_user": UNLIMITED,
            "factor_verify_limit_per_user": UNLIMITED,
        }
        return make_settings(Settings, service="auth", **{**defaults, **values})

    return make


@pytest.fixture(scope="session")
def running_provider() -> Iterator[OidcProvider]:
    with OidcProvider() as running:
        yield running


@pytest.fixture
def provider(running_provider) -> Iterator[OidcProvider]:
    """An OpenID Connect provider that tells the truth again after each test, and knows nobody but Ada."""
    yield running_provider
    running_provider.overrides = {}
    running_provider.claims_in_id_token = True
    running_provider.asked.clear()
    people = running_provider.store.people
    for sub in [*people]:
        del people[sub]
    running_provider.add_person("ada", **ADA)


@pytest.fixture(scope="session")
def settings(auth_settings) -> Settings:
    return auth_settings()


@pytest.fixture(scope="session")
def auth_database(settings, migrated_database) -> Database:
    return migrated_database(settings, package="cas_auth")


@pytest.fixture
def database(auth_database) -> Iterator[Database]:
    yield auth_database
    empty_tables(auth_database)


@pytest.fixture
def tools(settings, database) -> Tools:
    keys = KeyRing()
    made = Tools.of(settings, keys)
    load_signing_keys(database, keys=keys, encryption_key=made.encryption_key, now=NOW)
    return replace(made, hasher=PasswordHasher(concurrency=2, waiting=100))


def take_letters(database: Database, tools: Tools, *, now: datetime = NOW) -> list[Letter]:
    """Do what the worker does with the mails that wait, but for sending them."""
    with database.transaction() as session:
        mails = session.scalars(select(Mail).order_by(Mail.created_at, Mail.kind)).all()
        letters = [compose(session, tools, mail, now=now) for mail in mails]
        session.execute(delete(Mail))
        session.execute(delete(outbox_messages))
    return [letter for letter in letters if letter is not None]


@dataclass(frozen=True)
class Desk:
    """The operations with the arguments that do not matter filled in."""

    database: Database
    tools: Tools
    now: datetime = NOW
    origin: Origin = ORIGIN
    password: str = PASSWORD

    def at(self, now: datetime) -> "Desk":
        return replace(self, now=now)

    def with_settings(self, settings: Settings) -> "Desk":
        return replace(self, tools=replace(self.tools, settings=settings))

    def sign_up(self, email="ada@example.com", password=PASSWORD, data=None, link=PLAIN_LINK):
        return accounts.sign_up(
            self.database,
            self.tools,
            email=email,
            password=password,
            data=data,
            link=link,
            origin=self.origin,
            now=self.now,
        )

    def sign_in(self, email="ada@example.com", password=PASSWORD):
        return sessions.sign_in_with_password(
            self.database, self.tools, email=email, password=password, origin=self.origin, now=self.now
        )

    def refresh(self, refresh_token):
        with self.database.transaction() as session:
            return sessions.refresh(
                session, self.tools, refresh_token=refresh_token, origin=self.origin, now=self.now
            )

    def authenticate(self, grant):
        with self.database.transaction() as session:
            return sessions.authenticate(
                session, user_id=grant.user.id, session_id=grant.session.id, now=self.now
            )

    def update(self, grant, *, link=PLAIN_LINK, **change):
        return accounts.update_user(
            self.database,
            self.tools,
            user_id=grant.user.id,
            session_id=grant.session.id,
            change=AccountChange(**change),
            link=link,
            origin=self.origin,
            now=self.now,
        )

    def sign_out(self, grant, scope):
        with self.database.transaction() as session:
            sessions.sign_out(
                session,
                user_id=grant.user.id,
                session_id=grant.session.id,
                scope=scope,
                origin=self.origin,
                now=self.now,
            )

    def letters(self):
        """What the worker would send by now: composed and taken off the list, oldest first."""
        return take_letters(self.database, self.tools, now=self.now)

    def letter(self):
        """The one letter there is."""
        (letter,) = self.letters()
        return letter

    def verify(self, **what):
        """Use a code or a link: `verify(code=..., email=..., type="signup")`, `verify(link=..., type=...)`."""
        arguments = {"verify_type": VerifyType(what.pop("type")), "origin": self.origin, "now": self.now}
        with self.database.transaction() as session:
            if "link" in what:
                return verify_link(session, self.tools, **{"to_flow": True, **what}, **arguments)
            return verify_code(session, self.tools, **what, **arguments)

    def run(self, operation, **arguments):
        """Call an operation in a transaction of its own."""
        with self.database.transaction() as session:
            return operation(session, self.tools, origin=self.origin, now=self.now, **arguments)

    def change(self, grant, **columns):
        """Set columns of the user behind everybody's back."""
        with self.database.transaction() as session:
            session.execute(update(User).where(User.id == grant.user.id).values(**columns))

    def stored(self, grant) -> User:
        """The user as the database has them."""
        with self.database.transaction() as session:
            return session.get(User, grant.user.id)


@pytest.fixture
def desk(database, tools) -> Desk:
    return Desk(database, tools)


@pytest.fixture
def confirming(desk, auth_settings) -> Desk:
    """Where addresses await confirmation."""
    return desk.with_settings(auth_settings(email_auto_confirm=False))


@pytest.fixture
def patient(desk, auth_settings) -> Iterator[Desk]:
    """A desk whose callers queue for connections as long as it takes, so that the rules decide and not the pool."""
    settings = auth_settings(database_pool_timeout=timedelta(seconds=60))
    database = Database(settings, application_name="cas-auth-tests")
    yield replace(desk, database=database)
    database.dispose()


@pytest.fixture
def ada(desk):
    """Somebody who just signed up: their grant."""
    return desk.sign_up()


@pytest.fixture
def audit(database):
    """What the audit log says, oldest first."""

    def read() -> list[AuditEntry]:
        with database.transaction() as session:
            return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))

    return read


@dataclass
class Running:
    """A whole service in this process, and a client of its REST edge."""

    service: Service
    client: TestClient

    def sign_up(self, email="ada@example.com", password=PASSWORD, **fields):
        return self.client.post("/auth/v1/signup", json={"email": email, "password": password, **fields})

    def sign_in(self, email="ada@example.com", password=PASSWORD):
        body = {"email": email, "password": password}
        return self.client.post("/auth/v1/token", params={"grant_type": "password"}, json=body)

    def refresh(self, refresh_token):
        body = {"refresh_token": refresh_token}
        return self.client.post("/auth/v1/token", params={"grant_type": "refresh_token"}, json=body)

    def user(self, access_token):
        return self.client.get("/auth/v1/user", headers=bearer(access_token))

    def update(self, access_token, **changes):
        return self.client.put("/auth/v1/user", headers=bearer(access_token), json=changes)

    def post(self, path, body=None, **query):
        return self.client.post(f"/auth/v1/{path}", json=body or {}, params=query)

    def letters(self):
        """What was mailed since the last look, oldest first."""
        dependencies = self.service.app.state.dependencies
        return take_letters(dependencies.database, dependencies.tools, now=datetime.now(UTC))

    def letter(self):
        """The one letter there is."""
        (letter,) = self.letters()
        return letter

    def sign_out(self, access_token, scope="global"):
        return self.client.post("/auth/v1/logout", params={"scope": scope}, headers=bearer(access_token))


def bearer(access_token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}"}


@pytest.fixture
def empty_redis(redis_server) -> None:
    """What other tests counted does not count here."""
    with Redis.from_url(redis_server.url()) as redis:
        redis.flushdb()


@pytest.fixture
def start(database, auth_settings, empty_redis) -> Iterator[Callable[..., Running]]:
    """Start a service with settings of its own: `start(email_auto_confirm=False)`."""
    services: list[Service] = []

    def begin(**values) -> Running:
        service = build(auth_settings(**values))
        services.append(service)
        service.prepare()
        client = TestClient(service.app, client=("203.0.113.9", 50_000), raise_server_exceptions=False)
        return Running(service, client)

    yield begin
    for service in services:
        for close in service.close:
            close()


@pytest.fixture
def auth(start) -> Running:
    return start()


@pytest.fixture
def program(auth) -> dict[str, str]:
    """The headers of a program that administers users."""
    tools = auth.service.app.state.dependencies.tools
    return bearer(
        tools.issuer.service_token("service_role", now=datetime.now(UTC), lifetime=timedelta(hours=1))
    )


@pytest.fixture
def call(auth, program):
    """Call as an administrator: `call("PUT", path, json={...})`."""

    def request(method, path, **options):
        return auth.client.request(method, path, headers=program, **options)

    return request
