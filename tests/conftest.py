"""One whole system for everything that is tested through the gateway, and people who use it."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest
from tests.integration.person import Person

from cas_kit.testing import Issuer, JwksServer, until
from cas_kit.testing.certificates import Authority
from cas_local.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider
from cas_local.services import SERVICES
from cas_local.stack import Stack

HERE = Path(__file__).parent
THROUGH_THE_GATEWAY = (HERE / "integration", HERE / "clients", HERE / "authorisation")
# Everybody here comes from one address, and some of them type very fast.
GENEROUS = "1000000/minute"
SETTINGS = {
    "CAS_AUTH_SIGNUP_LIMIT_PER_IP": GENEROUS,
    "CAS_AUTH_SIGN_IN_LIMIT_PER_IP": GENEROUS,
    "CAS_AUTH_ANONYMOUS_LIMIT_PER_IP": GENEROUS,
    "CAS_AUTH_MAIL_LIMIT_PER_IP": GENEROUS,
    "CAS_AUTH_VERIFY_LIMIT_PER_IP": GENEROUS,
    "CAS_AUTH_FACTOR_LIMIT_PER_USER": GENEROUS,
    "CAS_AUTH_UPDATE_LIMIT_PER_USER": GENEROUS,
    "CAS_AUTH_MAIL_INTERVAL": "PT0S",
    "CAS_AUTH_ANONYMOUS_ENABLED": "true",
    "CAS_AUTH_SIGN_IN_LIMIT_PER_ACCOUNT": GENEROUS,
    "CAS_GATEWAY_IP_LIMIT": "1000000",
    "CAS_GATEWAY_USER_LIMIT": "1000000",
}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what uses the system in one worker: a second system would only make both slow."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in THROUGH_THE_GATEWAY):
            item.add_marker(pytest.mark.xdist_group("stack"))


@pytest.fixture(scope="session")
def provider() -> Iterator[OidcProvider]:
    """Where the system sends people who sign in with Google."""
    with OidcProvider(redirect_uris=[]) as running:
        yield running


@contextmanager
def running_stack(data: Path, provider: OidcProvider, **settings: str) -> Iterator[Stack]:
    """Every service, the stores and the gateway, on free ports."""
    google = {
        "CAS_AUTH_GOOGLE_ISSUER": provider.issuer,
        "CAS_AUTH_GOOGLE_CLIENT_ID": CLIENT_ID,
        "CAS_AUTH_GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
    }
    with ExitStack() as cleanup:
        running = Stack(data, durable=False)
        cleanup.callback(running.stop)
        # Only while it starts: other tests of this process have settings of their own.
        with pytest.MonkeyPatch.context() as environment:
            for name, value in {**SETTINGS, **google, **settings}.items():
                environment.setenv(name, value)
            running.start()
        provider.client.redirect_uris.add(f"{running.url}/auth/v1/callback")
        yield running


@pytest.fixture(scope="session")
def project() -> Iterator[Issuer]:
    """Another issuer, whose users the system knows: somebody's own project."""
    with JwksServer() as server:
        issuer = Issuer("project", url=f"{server.url}/auth/v1")
        server.publish(issuer.jwk)
        yield issuer


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory, provider: OidcProvider, project: Issuer
) -> Iterator[Stack]:
    """A system that trusts addresses, as in development."""
    trusted = json.dumps([{"issuer": project.url, "algorithm": project.algorithm}])
    everybody = ("ACCOUNT", "ONBOARDING", "LISTINGS", "GATEWAY")
    settings = {f"CAS_{name}_TRUSTED_ISSUERS": trusted for name in everybody}
    with running_stack(tmp_path_factory.mktemp("stack"), provider, **settings) as running:
        yield running


@pytest.fixture(scope="session")
def seen_together() -> dict[str, int]:
    """The processes of `stack` that were last seen to reach one another."""
    return {}


@pytest.fixture(autouse=True)
def together_again(request: pytest.FixtureRequest) -> None:
    """After a test that killed a part of `stack`: services need up to two seconds to find a neighbour's new process."""
    if "stack" not in request.fixturenames:
        return
    stack, seen = request.getfixturevalue("stack"), request.getfixturevalue("seen_together")
    if seen != stack.pids:
        until(lambda: reach_one_another(stack), within=60)
        seen.clear()
        seen.update(stack.pids)


def reach_one_another(stack: Stack) -> bool:
    """Whether what needs several services succeeds: completing, drafting from the template, exporting."""
    try:
        with closing(Person.sign_up(stack.url, name="Grace Hopper")) as somebody:
            done = somebody.save(5, "tutor", {"subjects": ["mathematics"]}, is_complete=True)
            return (
                done["effects"] == "applied"
                and somebody.http.post("/api/listings/from-template", json={"role_type": "tutor"}).is_success
                and somebody.get("/api/account/export").is_success
            )
    except (AssertionError, httpx.HTTPError):  # a service is not there at all yet
        return False


@pytest.fixture(scope="session")
def strict_stack(tmp_path_factory: pytest.TempPathFactory, provider: OidcProvider) -> Iterator[Stack]:
    """A system that has addresses confirmed by mail, as in production."""
    data = tmp_path_factory.mktemp("strict-stack")
    with running_stack(data, provider, CAS_AUTH_EMAIL_AUTO_CONFIRM="false") as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whose certificates the services of `encrypted_stack` trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def encrypted_stack(
    tmp_path_factory: pytest.TempPathFactory, provider: OidcProvider, authority: Authority
) -> Iterator[Stack]:
    """A system whose services have certificates."""
    certificates = {
        f"CAS_{service.name.upper()}_{name.upper()}": str(file)
        for service in SERVICES
        for name, file in asdict(authority.issue(service.name)).items()
    }
    with running_stack(tmp_path_factory.mktemp("encrypted-stack"), provider, **certificates) as running:
        yield running


@pytest.fixture(scope="session")
def service_token(stack: Stack) -> str:
    """What administers users."""
    command = stack.services["auth"].command("service-token")
    made = subprocess.run(command, env=stack.environments["auth"], capture_output=True, text=True, check=True)
    return made.stdout.strip()


@pytest.fixture
def new_person(stack: Stack) -> Iterator[Callable[..., Person]]:
    """Sign somebody up: `new_person("Ada Lovelace")`."""
    people: list[Person] = []

    def sign_up(name: str = "Ada Lovelace") -> Person:
        people.append(Person.sign_up(stack.url, name=name))
        return people[-1]

    yield sign_up
    for person in people:
        person.close()


@pytest.fixture
def ada(new_person: Callable[..., Person]) -> Person:
    """A person who has just signed up."""
    return new_person()
