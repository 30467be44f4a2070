"""Every write under /api honours an Idempotency-Key, whatever happens to its answer (docs/spec/domain.md 9.2).

The writes are found in the exported OpenAPI documents and sent as tests/authorisation/expected.py says.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from tests.authorisation.cast import THINGS, Caller, Cast
from tests.authorisation.expected import EXPECTED
from tests.integration.person import Person

from cas_kit.testing import until
from cas_local.stack import Stack

API = Path(__file__).parents[2] / "docs" / "api"
UNSAFE = {"post", "put", "patch", "delete"}
KEY, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
AT_ONCE = 4  # fewer than a service has connections: each of these requests holds one


# Nothing is kept about somebody who leaves, not even their keys: these have one effect and one answer for ever.
SAME_FOR_EVER = ("DELETE /api/account", "POST /api/user/delete")


def writes() -> dict[str, str]:
    """The service of each operation that writes for somebody signed in, by `METHOD path`."""
    return {
        f"{method.upper()} {path}": file.stem
        for file in sorted(API.glob("*.json"))
        for path, operations in json.loads(file.read_text())["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/api/") and method in UNSAFE and "security" in operation
    }


WRITES = writes()
KEYED = [operation for operation in WRITES if operation not in SAME_FOR_EVER]
SERVICES = sorted(set(WRITES.values()))
# They commit that files are coming before the files are written: whoever is killed there has had no effect yet, and the
# repetition is the first to be answered.
PREPARED = [operation for operation in KEYED if EXPECTED[WRITES[operation]][operation].file is not None]


@dataclass(frozen=True)
class Write:
    """One request, down to its bytes, so that it can be sent again."""

    base: str
    method: str
    target: str
    headers: Mapping[str, str]
    content: bytes

    def send(self, key: str = "key-1") -> httpx.Response:
        headers = {**self.headers, KEY: key}
        return httpx.request(
            self.method, self.base + self.target, headers=headers, content=self.content, timeout=15
        )

    def introduce_its_sender(self) -> None:
        """The account service makes a profile, or refreshes it, at the first request with a token."""
        httpx.get(f"{self.base}/api/profile", headers=self.headers, timeout=15)

    def by(self, person: Person) -> "Write":
        return replace(self, headers={**self.headers, **authorization(person)})

    def changed(self) -> "Write":
        """Another request of the same operation: one more field, or query parameter where there is no body."""
        if not self.content:
            return replace(self, target=f"{self.target}{'&' if '?' in self.target else '?'}other=1")
        if self.headers["content-type"] == "application/json":
            return replace(self, content=json.dumps({**json.loads(self.content), "other": 1}).encode())
        return replace(self, content=self.content + b"\r\n")


@pytest.fixture
def cast(stack: Stack, service_token: str) -> Iterator[Cast]:
    cast = Cast(stack.url, service_token)
    yield cast
    cast.dismiss()


@pytest.fixture
def ready(stack: Stack, cast: Cast) -> Callable[[str], Write]:
    """A write that somebody new is about to send."""

    def prepare(operation: str) -> Write:
        person = cast.person(Caller.NEWCOMER)
        person.get("/api/profile")  # makes the profile, so that the write is the only change
        method, path = operation.split(" ")
        service = WRITES[operation]
        row = EXPECTED[service][operation]
        things = {name: cast.thing(name, person) for name in THINGS if f"{{{name}}}" in path}
        base = stack.urls[service]
        request = httpx.Request(method, base + path.format(**row.path, **things), **row.request())
        request.headers.update(authorization(person))
        kept = {
            name: request.headers[name]
            for name in ("authorization", "content-type")
            if name in request.headers
        }
        return Write(base, method, request.url.raw_path.decode(), kept, request.read())

    return prepare


@pytest.fixture
def superuser(stack: Stack) -> Iterator[psycopg.Connection[Any]]:
    with stack.postgres.connect("cas") as connection:
        yield connection


def authorization(person: Person) -> dict[str, str]:
    return {"authorization": str(person.http.headers["Authorization"])}


def expected_status(operation: str) -> int:
    return EXPECTED[WRITES[operation]][operation].ok


def kept_answers(operation: str) -> Identifier:
    return Identifier(WRITES[operation], "idempotency_keys")


def test_there_are_writes_in_every_service_that_has_routes_under_api():
    assert {"account", "onboarding", "listings"} <= set(SERVICES)


@pytest.mark.parametrize("operation", SAME_FOR_EVER)
def test_a_farewell_is_answered_alike_with_any_key(ready, operation):
    write = ready(operation)
    first, again, other = write.send(), write.send(), write.send("key-2")
    assert [each.status_code for each in (first, again, other)] == [expected_status(operation)] * 3
    assert first.content == again.content == other.content


@pytest.mark.parametrize("operation", KEYED)
class TestOneKey:
    def test_gets_one_answer_byte_for_byte(self, ready, operation):
        write = ready(operation)
        first, again = write.send(), write.send()
        assert (first.status_code, again.status_code) == (expected_status(operation),) * 2
        assert again.content == first.content
        assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, "true")
        for header in ("content-type", "etag", "location"):
            assert again.headers.get(header) == first.headers.get(header)

    def test_is_not_for_another_request(self, ready, operation):
        write = ready(operation)
        write.send()
        other = write.changed().send()
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")

    def test_of_one_person_is_not_anothers(self, ready, cast, operation):
        write = ready(operation)
        write.send()
        stranger = write.by(cast.person(Caller.NEWCOMER)).send()
        assert REPLAYED not in stranger.headers

    def test_is_forgotten_after_a_day(self, ready, superuser, operation):
        write = ready(operation)
        write.send()
        for hours, replayed in ((23, True), (1, False)):
            superuser.execute(
                SQL("UPDATE {} SET created_at = created_at - interval '1 hour' * %s").format(
                    kept_answers(operation)
                ),
                [hours],
            )
            assert (REPLAYED in write.send().headers) is replayed

    def test_is_in_progress_until_the_first_answer(self, stack, ready, superuser, operation):
        write = ready(operation)
        with ThreadPoolExecutor(1) as threads:
            with stack.postgres.connect("cas") as other, other.transaction():
                other.execute(SQL("LOCK TABLE {}").format(kept_answers(operation)))
                first = threads.submit(write.send)
                until(lambda: waiting_for(superuser, "relation"))
                second = write.send()
            assert (second.status_code, second.json()["code"]) == (409, "idempotency-in-progress")
            assert first.result(15).status_code == expected_status(operation)
        assert write.send().headers[REPLAYED] == "true"

    def test_of_a_failure_of_ours_is_free_again(self, ready, superuser, operation):
        write = ready(operation)
        with answers_cannot_be_kept(superuser, operation):
            assert write.send().status_code == 500
        again = write.send()
        assert again.status_code == expected_status(operation)
        assert REPLAYED not in again.headers


@contextmanager
def answers_cannot_be_kept(superuser: psycopg.Connection[Any], operation: str) -> Iterator[None]:
    """The last statement of every keyed write fails."""
    table = kept_answers(operation)
    superuser.execute(
        "CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$"
    )
    superuser.execute(
        SQL("CREATE TRIGGER fail BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION public.fail()").format(
            table
        )
    )
    try:
        yield
    finally:
        superuser.execute("DROP FUNCTION public.fail() CASCADE")


class TestTheProcessIsKilledBetweenCommitAndReply:
    """Commits are durable at once, but the server tells nobody: it waits for a replica that does not exist."""

    @pytest.fixture
    def silent_commits(self, stack, superuser) -> Iterator[Callable[[str, Sequence[Write]], None]]:
        """Let nobody hear of the commits of a service from now on."""

        def silence(service: str, writes: Sequence[Write]) -> None:
            role = Identifier(f"cas_{service}")
            superuser.execute(SQL("ALTER ROLE {} SET synchronous_commit = on").format(role))
            stack.restart(service)  # its connections have the setting from their start
            for write in writes:
                write.introduce_its_sender()
            superuser.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            superuser.execute("SELECT pg_reload_conf()")

        yield silence
        hear_again(superuser)
        for service in SERVICES:
            superuser.execute(
                SQL("ALTER ROLE {} RESET synchronous_commit").format(Identifier(f"cas_{service}"))
            )
            if service not in stack.pids:
                stack.restart(service)

    @pytest.mark.parametrize("service", SERVICES)
    def test_and_the_repetition_gets_the_first_answer(self, stack, superuser, silent_commits, ready, service):
        operations = [operation for operation in KEYED if WRITES[operation] == service]
        for few in (operations[start : start + AT_ONCE] for start in range(0, len(operations), AT_ONCE)):
            writes = {operation: ready(operation) for operation in few}
            self.kill_before_the_replies(stack, superuser, silent_commits, service, list(writes.values()))
            for operation, write in writes.items():
                again = write.send()
                assert (operation, again.status_code) == (operation, expected_status(operation))
                if operation in PREPARED:
                    assert REPLAYED not in again.headers
                    again = write.send()
                assert again.headers[REPLAYED] == "true"

    def test_and_a_completion_has_one_effect(self, stack, superuser, silent_commits, ready, ada):
        body = {"step": 5, "role_type": "tutor", "data": {"subjects": ["physics"]}, "is_complete": True}
        write = replace(
            ready("POST /api/onboarding/save-progress").by(ada), content=json.dumps(body).encode()
        )
        self.kill_before_the_replies(stack, superuser, silent_commits, "onboarding", [write])
        until(lambda: write.send().status_code != 409)  # for all that anybody knows, the first one works on
        assert write.send().json()["effects"] == "pending"
        until(lambda: ada.get("/api/onboarding/progress/tutor").json()["effects"] == "applied", within=30)
        assert write.send().headers[REPLAYED] == "true"
        assert ada.get("/api/profile").json()["roles"] == ["tutor"]
        query = "SELECT count(*) FROM account.applied_completions WHERE profile_id = %s"
        assert superuser.execute(query, [ada.id]).fetchone() == (1,)

    def kill_before_the_replies(self, stack, superuser, silent_commits, service, writes):
        silent_commits(service, writes)
        with ThreadPoolExecutor(len(writes)) as threads:
            replies = [threads.submit(write.send) for write in writes]
            until(lambda: waiting_for(superuser, "SyncRep") >= len(writes))
            stack.kill(service)
            assert all(isinstance(reply.exception(15), httpx.TransportError) for reply in replies)
        hear_again(superuser)
        stack.restart(service)


def hear_again(superuser: psycopg.Connection[Any]) -> None:
    superuser.execute("ALTER SYSTEM RESET synchronous_standby_names")
    superuser.execute("SELECT pg_reload_conf()")


def waiting_for(superuser: psycopg.Connection[Any], event: str) -> int:
    """How many connections wait for this."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = %s"
    return int(superuser.execute(query, [event]).fetchone()[0])
