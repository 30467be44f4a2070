"""Many tabs refresh at once over real connections, on two replicas, and some of them never hear the answer."""

import json
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage

import pytest
import uvicorn
from sqlalchemy import func, select, update

from cas_auth.models import UserSession
from cas_kit.testing import until

TABS = 200


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict
    headers: HTTPMessage


class Replica:
    """A service that listens on a port of its own."""

    def __init__(self, service):
        self._server = uvicorn.Server(
            uvicorn.Config(service.app, port=0, log_config=None, access_log=False, backlog=512)
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until(lambda: self._server.started)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self):
        self._server.should_exit = True
        self._thread.join(20)

    def ask(self, method, path, *, body=None, token=None):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, f"/auth/v1{path}", json.dumps(body or {}), headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return Answer(answer.status, json.loads(text or "{}"), answer.headers)

    def refresh(self, refresh_token):
        return self.ask("POST", "/token?grant_type=refresh_token", body={"refresh_token": refresh_token})

    def refresh_and_hang_up(self, refresh_token):
        """Send the whole request, then reset the connection: the answer has nowhere to go."""
        body = json.dumps({"refresh_token": refresh_token}).encode()
        head = (
            "POST /auth/v1/token?grant_type=refresh_token HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(head.encode() + body)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def at_once(calls):
    gate = threading.Barrier(len(calls))

    def run(call):
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


@pytest.fixture
def replicas(start):
    running = [Replica(start().service) for _ in range(2)]
    yield running
    for replica in running:
        replica.stop()


@pytest.fixture
def signed_up(replicas):
    body = {"email": "ada@example.com", "password": "correct horse battery"}
    return replicas[0].ask("POST", "/signup", body=body).body


def counter(database):
    with database.transaction() as session:
        return session.scalar(select(UserSession.refresh_counter))


def everybody(replicas, calls):
    return [lambda number=number: calls(replicas[number % 2]) for number in range(TABS)]


class TestTwoHundredTabs:
    def test_are_one_rotation_and_nobody_is_signed_out(self, replicas, signed_up, database):
        first = signed_up["refresh_token"]
        deaf = [
            lambda number=number: replicas[number % 2].refresh_and_hang_up(first) for number in range(100)
        ]
        hearing = [lambda number=number: replicas[number % 2].refresh(first) for number in range(100)]
        heard = [answer for answer in at_once(deaf + hearing) if answer is not None]
        heard += at_once([lambda number=number: replicas[number % 2].refresh(first) for number in range(100)])

        assert {answer.status for answer in heard} == {200}
        assert len({answer.body["refresh_token"] for answer in heard}) == 1
        assert counter(database) == 1

    def test_go_on_with_what_they_were_given(self, replicas, signed_up, database):
        token = signed_up["refresh_token"]
        for round_number in range(1, 4):
            answers = at_once(everybody(replicas, lambda replica, held=token: replica.refresh(held)))
            assert {answer.status for answer in answers} == {200}
            (token,) = {answer.body["refresh_token"] for answer in answers}
            assert counter(database) == round_number
        user = replicas[0].ask("GET", "/user", token=answers[-1].body["access_token"])
        assert user.status == 200

    def test_leave_the_session_to_the_tab_that_slept(self, replicas, signed_up):
        token = signed_up["refresh_token"]
        at_once([lambda: replicas[0].refresh_and_hang_up(token)] * 20)
        until(lambda: replicas[1].refresh(token).headers["Sb-Auth-Refresh-Token-Counter"] == "1")
        answer = replicas[1].refresh(token)
        assert (answer.status, answer.headers["Sb-Auth-Refresh-Token-Reuse"]) == (200, "true")


class TestALockedSession:
    @pytest.fixture
    def replica(self, start):
        running = Replica(start(database_pool_size=3).service)
        yield running
        running.stop()

    def test_is_a_moment_to_wait_and_no_reason_to_sign_out(self, replica, database):
        body = {"email": "ada@example.com", "password": "correct horse battery"}
        ada = replica.ask("POST", "/signup", body=body).body
        eve = replica.ask("POST", "/signup", body={**body, "email": "eve@example.com"}).body
        with database.transaction() as session:
            session.execute(
                update(UserSession)
                .where(UserSession.user_id == ada["user"]["id"])
                .values(user_agent=func.concat(UserSession.user_agent, "!"))
            )
            with ThreadPoolExecutor(12) as threads:
                waiting = [threads.submit(replica.refresh, ada["refresh_token"]) for _ in range(10)]
                others = [threads.submit(replica.refresh, eve["refresh_token"]) for _ in range(10)]
                assert {other.result().status for other in others} == {200}
                answers = [one.result() for one in waiting]
        assert {answer.status for answer in answers} == {503}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
        assert replica.refresh(ada["refresh_token"]).status == 200
