"""What every application of the house does around its endpoints."""

import asyncio
import re
from uuid import UUID, uuid4

import pytest
from fastapi import APIRouter
from sqlalchemy import func, insert, select
from structlog.testing import capture_logs

from cas_kit import rest, telemetry
from cas_kit.body import JsonRoute
from cas_kit.db import Database
from cas_kit.errors import Unavailable, VersionMismatch
from cas_kit.rest import DatabaseDep, IfMatch, IfMatchDep, IfNoneMatch, PrincipalDep, Readiness
from cas_kit.testing.forgeries import GOOD, GROUPS

routes = rest.router(tags=["rest"])
inner = APIRouter(prefix="/inner", route_class=JsonRoute)


@routes.get("/plain")
def plain():
    return rest.json_response({"request_id": telemetry.request_id.get()})


@routes.get("/cached")
def cached():
    return rest.json_response({}, headers={"Cache-Control": "private, no-cache"})


@routes.get("/me")
def me(principal: PrincipalDep):
    return rest.json_response(principal.user_id)


@routes.put("/versioned")
def versioned(if_match: IfMatchDep):
    if_match.check(3)
    return rest.json_response({}, headers={"ETag": rest.etag(3)})


@routes.get("/things/{thing_id}")
def thing(thing_id: UUID, if_none_match: IfNoneMatch = ""):
    status = 304 if rest.not_modified(if_none_match, rest.etag(3)) else 200
    return rest.json_response({}, status=status)


@routes.post("/echo")
def echo(document: dict[str, int]):
    return rest.json_response(document)


@routes.get("/crash")
def crash():
    raise RuntimeError


@inner.get("/{name}")
def inner_name(name: str):
    return rest.json_response(name)


routes.include_router(inner, prefix="/outer")


@pytest.fixture
def client(make_client):
    return make_client(routes)


def requests_counted(client):
    """How many requests the metrics name, by method, route and status."""
    pattern = re.compile(r'cas_http_request_seconds_count\{method="(.*)",route="(.*)",status="(.*)"\} (\d+)')
    found = pattern.findall(client.get("/metrics").text)
    return {(method, route, status): int(count) for method, route, status, count in found}


def call(app, *, method="GET", path="/plain", headers=(), receive=None, send=None):
    """Speak ASGI to the application, as the server does; returns what it sent."""
    sent = []

    async def nothing_more():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def record(message):
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    asyncio.run(app(scope, receive or nothing_more, send or record))
    return sent


class TestRequestId:
    def test_of_the_caller_goes_in_and_out(self, client):
        answer = client.get("/plain", headers={"X-Request-Id": "a.b-c_1"})
        assert answer.headers["x-request-id"] == "a.b-c_1"
        assert answer.json() == {"request_id": "a.b-c_1"}

    @pytest.mark.parametrize(
        "offered", ["", "x" * 129, "two words", "<script>", "a;b", "é".encode("latin-1")]
    )
    def test_is_replaced_when_it_is_no_id(self, client, offered):
        answer = client.get("/plain", headers={"X-Request-Id": offered})
        assert UUID(answer.headers["x-request-id"])
        assert answer.json()["request_id"] == answer.headers["x-request-id"]

    def test_is_new_for_each_request(self, client):
        assert len({client.get("/plain").headers["x-request-id"] for _ in range(5)}) == 5

    def test_stands_on_errors_too(self, client):
        for path in ("/nowhere", "/crash", "/me"):
            answer = client.get(path, headers={"X-Request-Id": "r1"})
            assert (answer.headers["x-request-id"], answer.json()["request_id"]) == ("r1", "r1")


class TestHeaders:
    def test_forbid_storing_and_sniffing_unless_the_endpoint_knows_better(self, client):
        answer = client.get("/plain")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.get("/cached").headers["cache-control"] == "private, no-cache"
        assert client.get("/crash").headers["cache-control"] == "no-store"

    def test_keep_the_connection_until_the_process_drains(self, make_client):
        readiness = Readiness()
        client = make_client(routes, readiness=readiness)
        assert "connection" not in client.get("/plain").headers
        readiness.ready = False
        assert client.get("/plain").headers["connection"] == "close"


class TestHead:
    def test_is_answered_like_get(self, client):
        headers = client.get("/cached").headers
        answer = client.head("/cached")
        assert answer.status_code == 200
        assert {**answer.headers, "x-request-id": ""} == {**headers, "x-request-id": ""}

    def test_of_an_address_without_get_is_405(self, client):
        assert client.head("/echo").status_code == 405


class TestAuthentication:
    def test_knows_the_caller(self, client, issuer):
        user_id = uuid4()
        headers = issuer.bearer(user_id)
        for _ in range(2):
            assert client.get("/me", headers=headers).json() == str(user_id)

    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer  ", "Basic dTpw", "Token x", "Bearerx"])
    def test_demands_a_bearer_token(self, client, header):
        answer = client.get("/me", headers={} if header is None else {"Authorization": header})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "unauthenticated"
        assert answer.json()["detail"] == "Missing or invalid authorization header"

    @pytest.mark.parametrize("token", ["x", "x.y.z", "\xff\xfe"])
    def test_refuses_a_bad_token(self, client, token):
        answer = client.get("/me", headers={"Authorization": f"Bearer {token}".encode("latin-1")})
        assert (answer.status_code, answer.json()["detail"]) == (401, "Invalid token")

    def test_takes_the_scheme_in_any_case(self, client, issuer):
        assert client.get("/me", headers={"Authorization": f"bEARER  {issuer.token()} "}).status_code == 200


class TestCommit:
    def test_happens_before_the_answer_is_sent(self, make_app, database, tables):
        """Looks into the database at the very moment the answer starts."""
        notes = tables["notes"]
        writing = rest.router(tags=["writing"])

        @writing.post("/notes")
        def write(database: DatabaseDep):
            with database.transaction() as session:
                session.execute(insert(notes).values(text="durable"))
            return rest.json_response({}, status=201)

        seen = []

        async def look(message):
            if message["type"] == "http.response.start":
                with database.autocommit() as connection:
                    count = connection.execute(select(func.count()).select_from(notes)).scalar()
                seen.append((message["status"], count))

        call(make_app(writing), method="POST", path="/notes", send=look)
        assert seen == [(201, 1)]


class TestHealth:
    def test_is_live_whatever_happens_to_the_database(self, make_client, away):
        client = make_client(routes, database=away, readiness=Readiness(ready=False))
        assert client.get("/health/live").json() == {"status": "ok"}

    def test_is_ready_while_the_database_answers(self, client):
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    def test_is_not_ready_without_database(self, make_client, away):
        answer = make_client(routes, database=away).get("/health/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"

    def test_is_not_ready_while_draining_but_answers_requests(self, make_client):
        client = make_client(routes, readiness=Readiness(ready=False))
        assert client.get("/health/ready").status_code == 503
        assert client.get("/plain").status_code == 200

    def test_asks_the_services_own_checks(self, make_client):
        def refuse():
            raise Unavailable

        assert make_client(routes, checks=[lambda: None]).get("/health/ready").status_code == 200
        assert make_client(routes, checks=[refuse]).get("/health/ready").status_code == 503

    def test_is_not_documented(self, make_app):
        assert not [
            path for path in make_app(routes).openapi()["paths"] if path.startswith(("/health", "/met"))
        ]


class TestMetrics:
    @pytest.mark.parametrize(
        ("method", "path", "labels"),
        [
            ("GET", f"/things/{UUID(int=1)}", ("GET", "/things/{thing_id}", "200")),
            ("GET", "/things/none", ("GET", "/things/{thing_id}", "404")),
            ("POST", f"/things/{UUID(int=1)}", ("POST", "/things/{thing_id}", "405")),
            ("GET", "/outer/inner/ada", ("GET", "/outer/inner/{name}", "200")),
            ("GET", f"/wp-admin/{UUID(int=1)}", ("GET", "unmatched", "404")),
            ("HACK1", "/plain", ("other", "/plain", "405")),
            ("HACK2", f"/{UUID(int=1)}", ("other", "unmatched", "404")),
            ("GET", "/crash", ("GET", "/crash", "500")),
            ("POST", "/echo", ("POST", "/echo", "422")),
        ],
    )
    def test_count_by_route_template_and_known_method(self, client, method, path, labels):
        before = requests_counted(client)
        client.request(method, path)
        after = requests_counted(client)
        changed = {key for key in after if after[key] != before.get(key, 0) and key[1] != "/metrics"}
        assert changed == {labels}
        assert after[labels] - before.get(labels, 0) == 1

    def test_what_machines_poll_is_not_logged(self, make_client):
        with capture_logs() as logs:
            assert make_client(routes, polled=["/plain"]).get("/plain").status_code == 200
        assert logs == []

    def test_a_request_is_logged_once_by_template(self, client):
        thing_id = uuid4()
        with capture_logs() as logs:
            client.get(f"/things/{thing_id}?email=ada@example.com")
        assert [(entry["event"], entry["route"], entry["status"]) for entry in logs] == [
            ("request_answered", "/things/{thing_id}", 200)
        ]
        assert str(thing_id) not in str(logs)
        assert "ada@example.com" not in str(logs)

    def test_health_and_metrics_are_not_logged(self, client):
        with capture_logs() as logs:
            for path in ("/health/live", "/health/ready", "/metrics"):
                client.get(path)
        assert logs == []


class TestBodyOverTheWire:
    def test_is_refused_while_it_arrives(self, make_app):
        """A body without declared length ends at the limit, not when the client stops."""
        pieces = 0

        async def endless():
            nonlocal pieces
            pieces += 1
            return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

        start, body = call(
            make_app(routes, body_limit=5000),
            method="POST",
            path="/echo",
            headers=[(b"content-type", b"application/json")],
            receive=endless,
        )
        assert start["status"] == 413
        assert b'"code":"body-too-large"' in body["body"]
        assert pieces == 6

    def test_of_a_client_that_leaves_is_no_crash(self, make_app):
        messages = [
            {"type": "http.request", "body": b"{", "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def leave():
            return messages.pop(0)

        with capture_logs() as logs:
            sent = call(
                make_app(routes),
                method="POST",
                path="/echo",
                headers=[(b"content-type", b"application/json")],
                receive=leave,
            )
        assert sent == []
        assert [(entry["event"], entry["status"]) for entry in logs] == [("request_answered", 499)]


class TestForgedTokens:
    @pytest.mark.parametrize("group", GROUPS)
    def test_are_refused(self, client, forger, group):
        answers = {
            name: client.get("/me", headers={"Authorization": f"Bearer {make(forger)}"})
            for name, make in GROUPS[group].items()
        }
        refusals = {name: (answer.status_code, answer.json()["code"]) for name, answer in answers.items()}
        assert refusals == dict.fromkeys(answers, (401, "unauthenticated"))

    @pytest.mark.parametrize("name", GOOD)
    def test_are_made_from_good_ones(self, client, forger, name):
        answer = client.get("/me", headers={"Authorization": f"Bearer {GOOD[name](forger)}"})
        assert answer.json() == forger.claims["sub"]


class TestIfMatch:
    @pytest.mark.parametrize("header", ['"3"', "*", '"1", "3"', 'W/"3"', "3", None])
    def test_lets_the_stored_version_pass(self, client, header):
        answer = client.put("/versioned", headers={} if header is None else {"If-Match": header})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"3"')

    @pytest.mark.parametrize("header", ['"2"', '"33"', "", '""', '"x"', '"2", "4"', '"*"x'])
    def test_stops_another_version(self, client, header):
        answer = client.put("/versioned", headers={"If-Match": header})
        assert (answer.status_code, answer.json()["version"], answer.headers["etag"]) == (412, 3, '"3"')

    @pytest.mark.parametrize(
        "if_match", [IfMatch(frozenset({"1"})), IfMatch(frozenset({"*"}), anything=True)]
    )
    def test_demands_that_there_is_something(self, if_match):
        with pytest.raises(VersionMismatch):
            if_match.check(None)

    def test_absent_asks_nothing(self):
        IfMatch(None).check(None)


class TestNotModified:
    @pytest.mark.parametrize(
        ("header", "status"),
        [('"3"', 304), ('W/"3"', 304), ('"1", "3"', 304), ("*", 304), ('"2"', 200), ("", 200), ("3", 200)],
    )
    def test_compares_entity_tags(self, client, header, status):
        answer = client.get(f"/things/{uuid4()}", headers={"If-None-Match": header})
        assert answer.status_code == status


@pytest.fixture
def away(settings):
    """A database that cannot be reached."""
    url = settings.database_url.get_secret_value()
    nowhere = type(settings.database_url)(url.rpartition("@")[0] + "@127.0.0.1:1/cas")
    database = Database(settings.model_copy(update={"database_url": nowhere}), application_name="kit-tests")
    yield database
    database.dispose()
