"""Tokens of other issuers and of other algorithms: who gets through, as whom, and how often."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest

from cas_gateway.settings import Settings
from cas_kit.issuers import TrustedIssuer
from cas_kit.testing import Issuer, JwksServer
from cas_kit.testing.certificates import Authority
from cas_local.ports import free_port

from .client import Client
from .envoys import running_envoy, settings_for, wait_until
from .test_authentication import fetch_keys_every_second
from .test_programs import PATH as ADMIN_PATH
from .test_programs import with_an_administrators_route
from .tokens import AUDIENCE, ISSUER, SigningKey
from .upstream import Upstream, running_upstream

SECRET = "a secret of at least thirty-two bytes"
OLD_SECRET = "the secret we signed with long ago!!"
LIMIT = 10


class World:
    """Our issuer with keys of two algorithms and an old secret, and three other issuers."""

    def __init__(self, project: Issuer, ours: Issuer, imported: Issuer) -> None:
        self.project = project
        self.ours = ours
        self.imported = imported

    @property
    def trusted(self) -> tuple[TrustedIssuer, ...]:
        entries: list[dict[str, Any]] = [
            {"issuer": self.project.url, "algorithm": "ES256", "audience": "web"},
            {"issuer": "https://old.example", "algorithm": "HS256", "secret": SECRET},
            {"issuer": self.imported.url, "algorithm": "RS256", "subjects": "same"},
            {"issuer": ISSUER, "algorithm": "HS256", "secret": OLD_SECRET, "subjects": "same"},
        ]
        return tuple(TrustedIssuer.model_validate(entry) for entry in entries)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with JwksServer() as project_keys, JwksServer() as imported_keys:
        project = Issuer("theirs", url=f"{project_keys.url}/auth/v1")
        imported = Issuer("imported", algorithm="RS256", url=imported_keys.url)
        project_keys.publish(project.jwk)
        imported_keys.publish(imported.jwk)
        yield World(project, Issuer("ours-rsa", algorithm="RS256"), imported)


@pytest.fixture(scope="module")
def door(
    world: World, key: SigningKey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, Upstream]]:
    with running_upstream() as services:
        services.keys.extend([key.public_jwk, world.ours.jwk])
        settings = settings_for(services, trusted_issuers=world.trusted, user_limit=LIMIT)
        directory = tmp_path_factory.mktemp("issuers")
        with running_envoy(directory, settings, change=with_an_administrators_route) as client:
            for token in (key.token, world.ours.token, world.imported.token):
                wait_until(lambda token=token: passes(client, token()))  # type: ignore[misc]
            wait_until(lambda: passes(client, world.project.token(aud="web")))
            yield client, services


@pytest.fixture
def gateway(door: tuple[Client, Upstream]) -> Client:
    return door[0]


@pytest.fixture
def upstream(door: tuple[Client, Upstream]) -> Upstream:
    door[1].received.clear()
    return door[1]


def passes(client: Client, token: str, path: str = "/api/profile") -> bool:
    return client.call("GET", path, token=token).status == 200


def hs256(secret: str, *, kid: str | None = None, **claims: Any) -> str:
    headers = {"kid": kid} if kid else None
    return jwt.encode(Issuer().claims(**claims), secret, "HS256", headers=headers)


class TestOurOwnIssuer:
    def test_may_sign_with_rsa(self, gateway: Client, upstream: Upstream, world: World) -> None:
        user = str(uuid4())
        assert passes(gateway, world.ours.token(user))
        assert upstream.only().values("X-User-Id") == [user]

    @pytest.mark.parametrize("kid", [None, "whatever"])
    def test_may_have_signed_with_a_secret(
        self, gateway: Client, upstream: Upstream, kid: str | None
    ) -> None:
        user = str(uuid4())
        assert passes(gateway, hs256(OLD_SECRET, kid=kid, sub=user))
        assert upstream.only().values("X-User-Id") == [user]

    def test_has_programs_that_are_known_by_the_secret(self, gateway: Client, upstream: Upstream) -> None:
        assert passes(gateway, hs256(OLD_SECRET, sub=None, role="service_role"), ADMIN_PATH)
        assert upstream.only().values("X-User-Id") == []


class TestAnotherIssuer:
    def test_speaks_for_users_of_its_own(self, gateway: Client, upstream: Upstream, world: World) -> None:
        token = world.project.token("auth0|ada", aud="web")
        assert passes(gateway, token)
        request = upstream.only()
        assert request.values("X-User-Id") == []
        assert request.values("X-User-Issuer") == [world.project.url]
        assert request.values("X-User-Subject") == ["auth0|ada"]
        assert request.values("X-User-Role") == ["authenticated"]
        assert request.values("Authorization") == [f"Bearer {token}"]

    def test_speaks_for_local_users_where_it_may(
        self, gateway: Client, upstream: Upstream, world: World
    ) -> None:
        user = str(uuid4())
        assert passes(gateway, world.imported.token(user))
        assert upstream.only().values("X-User-Id") == [user]
        assert not passes(gateway, world.imported.token("ada"))

    @pytest.mark.parametrize("kid", [None, "whatever"])
    def test_may_sign_with_a_secret(self, gateway: Client, kid: str | None) -> None:
        assert passes(gateway, hs256(SECRET, kid=kid, iss="https://old.example"))
        assert not passes(gateway, hs256(OLD_SECRET, kid=kid, iss="https://old.example"))

    def test_has_no_administrators_here(self, gateway: Client, upstream: Upstream, world: World) -> None:
        for token in (
            world.project.token(sub=None, role="service_role", aud="web"),
            world.project.token(aud="web"),
            world.imported.token(role="service_role"),
            hs256(SECRET, iss="https://old.example", sub=None, role="service_role"),
        ):
            assert not passes(gateway, token, ADMIN_PATH)
        assert upstream.received == []

    @pytest.mark.parametrize(
        "claims",
        [{"aud": AUDIENCE}, {"exp": 1}, {"exp": None}, {"sub": ""}, {"sub": None}, {"sub": "a\r\nb"}],
    )
    def test_has_to_keep_its_word(self, gateway: Client, world: World, claims: dict[str, Any]) -> None:
        assert not passes(gateway, world.project.token(**{"aud": "web", **claims}))


class TestKeysOfOneIssuer:
    """...open nothing under the name of another."""

    def test_are_for_their_own_name(
        self, gateway: Client, upstream: Upstream, world: World, key: SigningKey
    ) -> None:
        for token in (
            world.project.token(iss=ISSUER),
            world.project.token(iss=world.imported.url),
            world.imported.token(iss=ISSUER),
            world.imported.token(iss=world.project.url, aud="web"),
            world.ours.token(iss=world.imported.url),
            key.token(iss=world.project.url, aud="web"),
            hs256(SECRET, iss=ISSUER),
            hs256(OLD_SECRET, iss="https://old.example"),
            hs256(SECRET, iss=world.imported.url),
            hs256(key.public_pem.decode().replace("-----", ""), kid=key.kid),
            Issuer(world.project.kid, url=world.project.url).token(aud="web"),
        ):
            assert not passes(gateway, token)
        assert upstream.received == []


class TestAUserOfAnotherIssuer:
    def test_is_counted_by_issuer_and_subject(self, gateway: Client, world: World) -> None:
        user = str(uuid4())
        calls = [
            passes(gateway, world.project.token(user, aud="web", session_id=str(uuid4())))
            for _ in range(LIMIT + 1)
        ]
        assert calls == [True] * LIMIT + [False]
        assert passes(gateway, world.project.token(aud="web"))

    def test_uses_up_nothing_of_a_local_one(self, gateway: Client, world: World, key: SigningKey) -> None:
        user = str(uuid4())
        for _ in range(LIMIT + 1):
            passes(gateway, world.project.token(user, aud="web"))
        assert passes(gateway, key.token(user=user))

    def test_cannot_become_another_by_saying_so(self, gateway: Client, world: World) -> None:
        user = str(uuid4())
        lies = [("X-User-Issuer", "x"), ("X-User-Subject", str(uuid4())), ("X-User-Id", str(uuid4()))]
        token = world.project.token(user, aud="web")
        statuses = [
            gateway.call("GET", "/api/profile", token=token, headers=lies).status for _ in range(LIMIT + 1)
        ]
        assert statuses == [200] * LIMIT + [429]


def test_an_issuer_that_is_away_delays_its_own_users_only(
    directory: Path, services: Upstream, key: SigningKey
) -> None:
    gone = Issuer("gone", url=f"http://127.0.0.1:{free_port()}")
    entry = TrustedIssuer(issuer=gone.url, algorithm="ES256")
    with running_envoy(directory, settings_for(services, trusted_issuers=(entry,))) as gateway:
        wait_until(lambda: passes(gateway, key.token()))
        assert gateway.call("GET", "/api/profile", token=gone.token()).status == 503
        assert gateway.call("GET", "/api/profile", token=SigningKey("forged").token()).status == 401


class TestKeysOverHttps:
    """...as those of a hosted project are."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path / "authority")

    @pytest.fixture
    def project(self, authority: Authority) -> Iterator[Issuer]:
        with JwksServer(certificate=authority.issue("project")) as server:
            issuer = Issuer("theirs", url=server.url)
            server.publish(issuer.jwk)
            yield issuer

    def settings(self, services: Upstream, project: Issuer, authority: Authority) -> Settings:
        entry = TrustedIssuer.model_validate({"issuer": project.url, "algorithm": "ES256"})
        return settings_for(services, trusted_issuers=(entry,), jwks_ca_file=authority.file)

    def test_are_fetched(
        self, directory: Path, services: Upstream, project: Issuer, authority: Authority
    ) -> None:
        with running_envoy(directory, self.settings(services, project, authority)) as gateway:
            wait_until(lambda: passes(gateway, project.token()))

    def test_are_believed_of_nobody_without_the_right_certificate(
        self, directory: Path, services: Upstream, key: SigningKey, project: Issuer, tmp_path: Path
    ) -> None:
        stranger = Authority(tmp_path / "stranger")
        with running_envoy(directory, self.settings(services, project, stranger)) as gateway:
            wait_until(lambda: passes(gateway, key.token()))
            assert gateway.call("GET", "/api/profile", token=project.token()).status == 503


def test_a_rotation_of_keys_fails_no_request(directory: Path) -> None:
    """As `cas-auth keys rotate` does it: the next key is published before it signs, the last one for a while after."""
    old, new = SigningKey("old"), SigningKey("new")
    signing, stop, statuses = [old], threading.Event(), list[int]()

    def keep_calling(gateway: Client) -> None:
        while not stop.is_set():
            statuses.append(gateway.call("GET", "/api/profile", token=signing[0].token()).status)

    with running_upstream() as services:
        services.keys[:] = [old.public_jwk]
        with running_envoy(directory, settings_for(services), tune=fetch_keys_every_second) as gateway:
            wait_until(lambda: passes(gateway, old.token()))
            with ThreadPoolExecutor(2) as pool:
                callers = [pool.submit(keep_calling, gateway) for _ in range(2)]
                services.keys[:] = [old.public_jwk, new.public_jwk]
                wait_until_fetched_twice(services)
                signing[0] = new
                wait_until_fetched_twice(services)
                services.keys[:] = [new.public_jwk]
                wait_until_fetched_twice(services)
                stop.set()
                for caller in callers:
                    caller.result()
            assert not passes(gateway, old.token())
    assert len(statuses) > 100
    assert set(statuses) == {200}


def wait_until_fetched_twice(services: Upstream) -> None:
    """Whatever was published is known to every worker of the gateway."""
    fetched = services.key_fetches
    wait_until(lambda: services.key_fetches >= fetched + 2)


class TestSettings:
    def test_are_what_services_read(self) -> None:
        written = '[{"issuer": "https://project.example", "algorithm": "ES256"}]'
        settings = Settings.model_validate({"trusted_issuers": written})
        assert settings.trusted_issuers == (
            TrustedIssuer(issuer="https://project.example", algorithm="ES256"),
        )
