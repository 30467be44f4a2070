"""What people send us is in no log: unusual values go through all that is offered, then the logs are searched."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import grpc
import httpx2 as httpx
import pyotp
import pytest
from cas.auth.v1 import auth_pb2, auth_pb2_grpc
from redis import Redis
from sqlalchemy import text

from cas_auth.main import build
from cas_auth.settings import Settings
from cas_kit.testing import until
from cas_local.ports import free_port

CANARY = "canary"
ADDRESS = "198.51.100.77"
SERVE = "import sys; from cas_auth.main import main; sys.argv = ['cas-auth', *sys.argv[1:]]; main()"
MALFORMED = (
    '{"email": "canary',
    '["canary"]',
    '"canary"',
    '{"email": {"canary": 1}, "refresh_token": ["canary"]}',
)


class Program:
    """`cas-auth serve` or `cas-auth worker`, and all it writes."""

    def __init__(self, word, *, environment, log):
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVE, word],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def written(self):
        return self._log.read_text()

    def wait_for(self, event):
        until(lambda: event in self.written() or self._process.poll() is not None, within=60)
        assert event in self.written(), self.written()[-2000:]

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        finally:
            self._process.kill()


@pytest.fixture
def environment(settings, database):
    values = {
        "environment": "test",
        "database_url": settings.database_url.get_secret_value(),
        "redis_url": settings.redis_url,
        "encryption_key": settings.encryption_key.get_secret_value(),
        "rest_port": free_port(),
        "grpc_port": free_port(),
        "log_level": "DEBUG",
        "email_auto_confirm": "true",
        "anonymous_enabled": "true",
        "mail_interval": "PT0S",
        "smtp_host": "127.0.0.1",
        "smtp_port": free_port(),
        "mail_sender": "noreply@example.com",
        "drain_delay": "PT0S",
        **{name: "1000000/second" for name in Settings.model_fields if "_limit_per_" in name},
    }
    return {f"CAS_AUTH_{name.upper()}": str(value) for name, value in values.items()}


@pytest.fixture
def start_program(environment, tmp_path: Path):
    programs = []

    def begin(word):
        programs.append(Program(word, environment=environment, log=tmp_path / f"{word}.log"))
        return programs[-1]

    yield begin
    for program in programs:
        program.stop()


@pytest.fixture
def serving(start_program):
    program = start_program("serve")
    program.wait_for("Uvicorn running")
    return program


@pytest.fixture
def client(serving, environment):
    url = f"http://127.0.0.1:{environment['CAS_AUTH_REST_PORT']}"
    headers = {"User-Agent": "canary-agent/1.0", "X-Forwarded-For": ADDRESS, "Cookie": "session=canary"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        yield client


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def post(client, path, body, token=None, **query):
    headers = bearer(token) if token else {}
    return client.post(f"/auth/v1{path}", json=body, params=query, headers=headers)


def live(client):
    """A life with the service; returns what must stay secret of it."""
    email, password = "canary-ada@example.com", "canary horse battery"
    session = post(client, "/signup", {"email": email, "password": password, "data": {"name": CANARY}}).json()
    token = session["access_token"]
    post(client, "/signup", {"email": email, "password": password})
    post(client, "/token", {"email": email, "password": "canary wrong"}, grant_type="password")
    post(client, "/token", {"email": "canary-eve@example.com", "password": CANARY}, grant_type="password")
    renewed = post(
        client, "/token", {"refresh_token": session["refresh_token"]}, grant_type="refresh_token"
    ).json()
    enrolled = post(client, "/factors", {"factor_type": "totp", "friendly_name": CANARY}, token).json()
    challenge = post(client, f"/factors/{enrolled['id']}/challenge", {}, token).json()
    code = pyotp.TOTP(enrolled["totp"]["secret"]).at(datetime.now(UTC))
    guess = {"challenge_id": challenge["id"], "code": "canary"}
    post(client, f"/factors/{enrolled['id']}/verify", guess, token)
    proven = post(client, f"/factors/{enrolled['id']}/verify", {**guess, "code": code}, token).json()
    post(client, "/recover", {"email": email}, redirect_to="https://canary.example")
    post(client, "/verify", {"email": email, "token": "canary", "type": "recovery"})
    client.get("/auth/v1/verify", params={"token": "canary", "type": "signup", "redirect_to": "canary"})
    return [
        enrolled["totp"]["secret"],
        *(each[name] for each in (session, renewed, proven) for name in ("access_token", "refresh_token")),
    ]


def filled(schema, document):
    """A body with an unusual value in every field."""
    schema = (
        document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    )
    if "anyOf" in schema:
        return filled(schema["anyOf"][0], document)
    if schema.get("type") == "object":
        return {name: filled(field, document) for name, field in schema.get("properties", {}).items()} or {
            CANARY: CANARY
        }
    return {"boolean": True, "integer": 1, "array": [CANARY]}.get(schema.get("type"), "canary-x@example.com")


def calls(document):
    """Every operation of the service: method, path, body."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            yield method, path, filled(content["schema"], document) if content else None


def try_everything(client, document, tokens):
    for method, path, body in calls(document):
        spelled = path.replace("{", "canary-").replace("}", "")
        for headers in ({}, *(bearer(token) for token in ("canary.canary.canary", *tokens))):
            answer = client.request(
                method,
                spelled,
                params={"redirect_to": CANARY, "filter": CANARY, "query": CANARY, "scope": CANARY},
                headers=headers,
                json=body,
            )
            assert answer.status_code != 500, (method, path, answer.text)
    for malformed in MALFORMED:
        for grant_type in ("password", "refresh_token", "pkce", "canary"):
            client.post(
                "/auth/v1/token",
                params={"grant_type": grant_type},
                content=malformed,
                headers={"Content-Type": "application/json"},
            )


def crash(client, database):
    """Let the database refuse a row in a way that nobody foresaw; its own words would repeat the row."""
    with database.engine.begin() as connection:
        connection.execute(
            text("ALTER TABLE users ADD CONSTRAINT ck_broken CHECK (email NOT LIKE '%crash%') NOT VALID")
        )
    try:
        answer = post(client, "/signup", {"email": "canary-crash@example.com", "password": "canary horse"})
    finally:
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE users DROP CONSTRAINT ck_broken"))
    assert answer.status_code == 500
    return answer


def leaks(written, secrets):
    """The lines in which something of a person or a secret stands."""
    forbidden = [CANARY, ADDRESS, *secrets]
    return [line for line in written.splitlines() if any(word in line for word in forbidden)]


def nothing_in_redis(settings):
    with Redis.from_url(str(settings.redis_url)) as redis:
        redis.config_set("rdbcompression", "no")  # or words could hide
        kept = {key: redis.dump(key) or b"" for key in redis.scan_iter()}
    assert kept
    return not [key for key, value in kept.items() if CANARY.encode() in key + value]


def test_the_service_logs_nothing_of_what_people_send(client, serving, database, environment, settings):
    document = build(settings).app.openapi()
    secrets = live(client)
    assert nothing_in_redis(settings)
    administrator = service_token(environment)
    try_everything(client, document, [secrets[-2], administrator])
    crash(client, database)
    with grpc.insecure_channel(f"127.0.0.1:{environment['CAS_AUTH_GRPC_PORT']}") as channel:
        stub = auth_pb2_grpc.AuthServiceStub(channel)
        with pytest.raises(grpc.RpcError):
            stub.GetUser(auth_pb2.GetUserRequest(user_id=CANARY), timeout=5)
    serving.stop()
    written = serving.written()
    events = [json.loads(line)["event"] for line in written.splitlines()]
    assert {"request_answered", "request_crashed", "service_stopped"} <= set(events)
    assert "CheckViolation: 23514 users ck_broken" in written
    assert leaks(written, [*secrets, administrator]) == []


def test_the_worker_logs_nothing_of_what_it_sends(client, start_program):
    worker = start_program("worker")
    live(client)
    worker.wait_for("mail_put_off")
    worker.stop()
    assert leaks(worker.written(), []) == []


def service_token(environment):
    command = [sys.executable, "-c", SERVE, "service-token"]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]
