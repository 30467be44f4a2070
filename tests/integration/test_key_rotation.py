"""Keys are rotated while people work, and nobody notices."""

import re
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from operator import ge
from pathlib import Path

import httpx
import jwt
import pytest
from tests.integration.person import PASSWORD

from cas_kit.testing import until

RUNBOOK = Path(__file__).parents[2] / "docs/runbooks/rotate-signing-keys.md"
ROTATIONS = 3
# A forced rotation waits up to 15 s for the standby key to be known.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def cas_auth(stack):
    """Run a command of the auth service as its administrator would; what it prints."""

    def run(*words):
        command = [*stack.services["auth"].command(), *words]
        done = subprocess.run(
            command, env=stack.environments["auth"], capture_output=True, text=True, check=True
        )
        return done.stdout

    return run


@pytest.fixture
def calm(stack, new_person):
    """Leave only when the gateway knows the newest keys, so that the next test can begin."""
    yield
    person = new_person("Grace Hopper")
    until(lambda: person.get("/api/profile").status_code == 200, within=30)


class Load:
    """Somebody who does the same thing again and again; keeps every answer that was not a success."""

    def __init__(self, do: Callable[[], httpx.Response]) -> None:
        self.answers = 0
        self.failures: list[str] = []
        self._do = do
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self):
        while not self._stop.is_set():
            try:
                answer = self._do()
                if answer.status_code != 200:
                    self.failures.append(f"{answer.request.url}: {answer.status_code} {answer.text}")
            except httpx.HTTPError as error:
                self.failures.append(repr(error))
            self.answers += 1
            self._stop.wait(0.02)  # all together would keep both cores busy with themselves

    @contextmanager
    def running(self):
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()


def key_of(person):
    return jwt.get_unverified_header(person.session["access_token"])["kid"]


def sign_in(person):
    answer = person.http.post(
        "/auth/v1/token",
        params={"grant_type": "password"},
        json={"email": person.email, "password": PASSWORD},
    )
    if answer.status_code == 200:
        person._keep(answer.json())
    return answer


def refresh_and_call(person):
    """Renew the tokens, and use the new one for the first time at another service."""
    answer = person.http.post(
        "/auth/v1/token",
        params={"grant_type": "refresh_token"},
        json={"refresh_token": person.session["refresh_token"]},
    )
    if answer.status_code != 200:
        return answer
    person._keep(answer.json())
    return person.get("/api/profile")


def test_not_one_request_fails(stack, new_person, cas_auth, calm):
    people = [new_person(f"Person {number}") for number in range(5)]
    loads = [
        Load(lambda: sign_in(people[0])),
        Load(lambda: refresh_and_call(people[1])),
        Load(lambda: people[2].get("/auth/v1/user")),
        Load(lambda: people[3].get("/api/profile")),
        Load(lambda: people[4].get("/auth/v1/.well-known/jwks.json")),
    ]
    with ExitStack() as working:
        for load in loads:
            working.enter_context(load.running())
        rotations = [cas_auth("keys", "rotate", "--force") for _ in range(ROTATIONS)]
        current = re.search(r"^current +(\S+)", rotations[-1], re.MULTILINE)[1]
        until(lambda: key_of(people[0]) == key_of(people[1]) == current, within=30)
        wanted = [load.answers + 10 for load in loads]
        until(lambda: all(map(ge, (load.answers for load in loads), wanted)), within=30)
    assert [load.failures for load in loads] == [[]] * len(loads)
    # Tokens from before the first rotation are as good as ever.
    assert {person.get("/auth/v1/user").status_code for person in people} == {200}
    assert {person.get("/api/profile").status_code for person in people} == {200}


def test_the_runbook_does_what_it_says(stack, cas_auth, new_person, calm, tmp_path):
    with stack.postgres.connect("cas") as connection:
        connection.execute("UPDATE auth.signing_keys SET state_since = state_since - interval '21 minutes'")
    blocks = re.findall(r"^```sh\n(.*?)^```$", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 9
    shim = tmp_path / "cas-auth"
    shim.write_text(f'#!/bin/sh\nexec {" ".join(stack.services["auth"].command())} "$@"\n')
    shim.chmod(0o755)
    before = states(cas_auth)
    environment = stack.environments["auth"]
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        env={
            **environment,
            "PATH": f"{tmp_path}:{environment['PATH']}",
            "API": stack.url,
            "SHARED_SECRET": "a secret that this installation shared with its services",
        },
        cwd=tmp_path,
        check=True,
    )
    after = states(cas_auth)
    assert [algorithm for state, algorithm in after.values() if state == "standby"] == ["RS256"]
    assert after["elsewhere-2024"] == ("previous", "ES256")
    assert "HS256" in {algorithm for _, algorithm in after.values()}
    [revoked] = {kid for kid, (state, _) in before.items() if state == "standby"}
    assert revoked not in after


def states(cas_auth):
    """State and algorithm of every key, by id."""
    lines = [line.split() for line in cas_auth("keys", "list").splitlines()]
    return {kid: (state, algorithm) for kid, state, algorithm, *_ in lines}
