"""The two Kong plugins, run by LuaJIT as Kong runs them."""

import json
from typing import Any

import pytest

from cas_gateway.document import load
from cas_gateway.keys import placeholders_of
from cas_gateway.settings import Settings

from .kong_pdk import PLUGINS, Credential, Exchange, Exit, Headers, Kong, first, jwt_plugin
from .test_identity_headers import LIE, NAMES
from .test_request_id import GIVEN, UNFIT
from .tokens import AUDIENCE, ISSUER, NOBODYS, SigningKey, forged

# Kong reads JSON as it comes, numbers of any size, and never looks at iat; our key has signed these.
LEFT_TO_SERVICES = {
    *("sub twice", "iss twice", "exp twice", "header with alg twice", "header with kid twice"),
    *("exp huge", "nbf negative", "iat negative", "iat string", "iat true"),
}
IDENTITY = {"issuer": ISSUER, "audience": AUDIENCE}
USER = "6f1c8e0e-3a9b-4a54-8f57-0a4ac6a1d2a3"
SETTINGS = Settings.model_validate({})
DOCUMENT = load(SETTINGS.kong_file, placeholders_of(SETTINGS))


def ours(key: SigningKey) -> dict[str, Credential]:
    return {key.kid: Credential(key.public_pem, ISSUER)}


def call(
    key: SigningKey, headers: Headers, *, protected: bool = True, needs_user: bool = True, **facts: Any
) -> Exchange:
    """What becomes of a request: our plugin, Kong's jwt on a protected service, our plugin again."""
    exchange = Exchange(request={name.lower(): values for name, values in headers.items()}, **facts)
    kong = Kong(exchange)
    try:
        kong.run("caller-identity", "rewrite")
        if protected:
            exchange.phase = "access"
            jwt_plugin(exchange, ours(key))
        kong.run("caller-identity", "access", IDENTITY | {"needs_user": needs_user} if protected else {})
    except Exit as ended:
        exchange.status, exchange.source = ended.status, "exit"
    answer(kong)
    return exchange


def answer(kong: Kong, *, request_id: str | None = "mine") -> None:
    """The phases of the answer, with a body in two chunks."""
    if request_id:
        kong.exchange.response["x-request-id"] = [request_id]
    config = next(each["config"] for each in DOCUMENT["plugins"] if each["name"] == "error-bodies")
    kong.run("error-bodies", "header_filter", config)
    for _ in range(2):
        kong.run("error-bodies", "body_filter", config)


class TestCallerIdentityOnAProtectedService:
    def test_names_the_user(self, key: SigningKey) -> None:
        token = key.token(user=USER)
        exchange = call(key, {"Authorization": [f"Bearer {token}"]})
        assert exchange.status == 200
        assert exchange.request == {
            "authorization": [f"Bearer {token}"],
            "x-user-id": [USER],
            "x-user-role": ["authenticated"],
        }

    def test_accepts_a_list_of_audiences(self, key: SigningKey) -> None:
        assert call(key, {"Authorization": [f"Bearer {key.token(aud=['other', AUDIENCE])}"]}).status == 200
        assert call(key, {"Authorization": [f"Bearer {key.token(aud=['other'])}"]}).status == 401

    def test_answers_401_and_never_500_to_any_forged_token(self, key: SigningKey) -> None:
        statuses = {name: call(key, {"Authorization": [value]}).status for name, value in forged(key).items()}
        assert {name for name, status in statuses.items() if status != 401} == LEFT_TO_SERVICES

    def test_is_needed_for_that(self, key: SigningKey) -> None:
        tripping = set()
        for name, value in forged(key).items():
            try:
                jwt_plugin(Exchange(request={"authorization": [value]}), ours(key))
            except Exit as ended:
                tripping |= {name} if ended.status == 500 else set()
        assert tripping >= {
            "payload null",
            "payload number",
            "signature of 63 bytes",
            "another key, kid in the payload",
        }

    def test_answers_401_without_a_token(self, key: SigningKey) -> None:
        assert call(key, {}).status == 401

    @pytest.mark.parametrize("order", [1, -1])
    def test_answers_401_to_two_tokens(self, key: SigningKey, order: int) -> None:
        both = [f"Bearer {key.token()}", "Bearer x.y.z"][::order]
        assert call(key, {"Authorization": both}).status == 401


class TestCallerIdentityOnAnAdministratorsService:
    def test_lets_a_program_through_as_nobody(self, key: SigningKey) -> None:
        token = key.token(sub=None, role="service_role")
        exchange = call(key, {"Authorization": [f"Bearer {token}"]}, needs_user=False)
        assert exchange.status == 200
        assert exchange.request == {"authorization": [f"Bearer {token}"], "x-user-role": ["service_role"]}

    def test_names_a_user(self, key: SigningKey) -> None:
        exchange = call(key, {"Authorization": [f"Bearer {key.token(user=USER)}"]}, needs_user=False)
        assert (exchange.status, exchange.request["x-user-id"]) == (200, [USER])

    def test_answers_401_to_any_forged_token(self, key: SigningKey) -> None:
        bad = {name: value for name, value in forged(key).items() if name not in NOBODYS}
        statuses = {
            name: call(key, {"Authorization": [value]}, needs_user=False).status
            for name, value in bad.items()
        }
        assert {name for name, status in statuses.items() if status != 401} == LEFT_TO_SERVICES


class TestCallerIdentityOnAPublicService:
    def test_forwards_what_was_presented(self, key: SigningKey) -> None:
        for value in ["", f"Bearer {key.token()}", *forged(key).values()]:
            exchange = call(key, {"Authorization": [value]}, protected=False)
            assert (exchange.status, exchange.request) == (200, {"authorization": [value]})

    def test_forwards_two_values_as_two(self, key: SigningKey) -> None:
        exchange = call(key, {"Authorization": ["Bearer a", "Bearer b"]}, protected=False)
        assert exchange.request == {"authorization": ["Bearer a", "Bearer b"]}


@pytest.mark.parametrize("protected", [True, False])
class TestClaimedIdentity:
    @pytest.mark.parametrize("name", NAMES)
    def test_is_dropped_however_it_is_written(self, key: SigningKey, name: str, *, protected: bool) -> None:
        for spelling in (name, name.upper(), name.replace("-", "_"), name.replace("-", "_", 1)):
            for values in ([LIE], [LIE, LIE]):
                headers = {"Authorization": [f"Bearer {key.token(user=USER)}"], spelling: values}
                exchange = call(key, headers, protected=protected)
                assert exchange.status == 200
                assert not any(LIE in value for values in exchange.request.values() for value in values)

    def test_cannot_hide_behind_many_headers(self, key: SigningKey, *, protected: bool) -> None:
        many = {f"x-{number}": ["y"] for number in range(1000)} | {"x-user-id": [LIE]}
        assert call(key, many, protected=protected).status == 431

    def test_other_headers_pass(self, key: SigningKey, *, protected: bool) -> None:
        others = {
            "accept": ["a", "b"],
            "x-request-id": ["mine"],
            "x-userid": ["fine"],
            "idempotency-key": ["k"],
        }
        exchange = call(key, {"Authorization": [f"Bearer {key.token()}"]} | others, protected=protected)
        assert others.items() <= exchange.request.items()


class TestTheRequestId:
    @pytest.mark.parametrize("fit", GIVEN)
    def test_is_kept(self, key: SigningKey, fit: str) -> None:
        assert call(key, {"X-Request-Id": [fit]}, protected=False).request == {"x-request-id": [fit]}

    @pytest.mark.parametrize("unfit", UNFIT)
    def test_is_left_to_kong_where_services_would_not_take_it(self, key: SigningKey, unfit: str) -> None:
        assert call(key, {"X-Request-Id": [unfit]}, protected=False).request == {}

    def test_is_left_to_kong_where_there_are_two(self, key: SigningKey) -> None:
        assert call(key, {"X-Request-Id": ["a", "b"]}, protected=False).request == {}

    def test_is_made_for_a_refusal_of_what_nginx_could_not_read(self) -> None:
        exchange = Exchange(request={}, status=400, source="error")
        answer(Kong(exchange), request_id=None)
        assert (
            json.loads(str(exchange.body))["request_id"]
            == first(exchange.response, "X-Request-Id")
            == "0" * 32
        )


class TestForwardedFor:
    def test_of_a_stranger_is_dropped(self, key: SigningKey) -> None:
        exchange = call(
            key, {"X-Forwarded-For": ["203.0.113.1"], "X-Forwarded-Proto": ["https"]}, protected=False
        )
        assert exchange.request == {}

    def test_of_the_balancer_is_cut_to_the_client(self, key: SigningKey) -> None:
        headers = {"X-Forwarded-For": ["203.0.113.1, 192.0.2.5"], "X-Forwarded-Proto": ["https"]}
        exchange = call(key, headers, protected=False, trusted=True, client="192.0.2.5")
        assert exchange.request == {"x-forwarded-for": ["192.0.2.5"], "x-forwarded-proto": ["https"]}


class TestErrorBodies:
    def test_tell_a_problem_under_api(self, key: SigningKey) -> None:
        exchange = call(key, {"Authorization": ["Bearer bad"]})
        assert json.loads(str(exchange.body)) == {
            "type": "urn:cas:problem:unauthenticated",
            "title": "Unauthorized",
            "status": 401,
            "detail": "Invalid token",
            "message": "Invalid token",
            "code": "unauthenticated",
            "request_id": "mine",
        }
        assert first(exchange.response, "Content-Type") == "application/problem+json"
        assert first(exchange.response, "Content-Length") == str(len(str(exchange.body)))
        assert first(exchange.response, "WWW-Authenticate") == 'Bearer realm="cas"'

    @pytest.mark.parametrize(
        "path", ["/api/profiles/x/y", "/api/marketplace", "/api/ai/x", "/api/user/delete"]
    )
    def test_say_it_as_error_too_where_the_web_client_reads_that(self, key: SigningKey, path: str) -> None:
        body = json.loads(str(call(key, {}, path=path).body))
        assert body["error"] == body["detail"] == "Missing or invalid authorization header"

    def test_say_when_the_token_was_missing(self, key: SigningKey) -> None:
        assert json.loads(str(call(key, {}).body))["detail"] == "Missing or invalid authorization header"
        assert json.loads(str(call(key, {"Authorization": ["Basic x"]}).body))["detail"].startswith("Missing")

    def test_speak_to_supabase_clients_under_auth(self, key: SigningKey) -> None:
        exchange = call(key, {"X-Supabase-Api-Version": ["2024-01-01"]}, path="/auth/v1/user")
        text = "This endpoint requires a valid Bearer token"
        assert json.loads(str(exchange.body)) == {
            "code": "no_authorization",
            "error_code": "no_authorization",
            "message": text,
            "msg": text,
        }
        assert first(exchange.response, "X-Sb-Error-Code") == "no_authorization"
        assert first(exchange.response, "X-Supabase-Api-Version") == "2024-01-01"

    @pytest.mark.parametrize("status", [404, 413, 429, 500, 502, 503, 504])
    def test_know_every_refusal_of_the_gateway(self, status: int) -> None:
        exchange = Exchange(request={}, status=status, source="error")
        answer(Kong(exchange))
        assert json.loads(str(exchange.body))["status"] == status
        assert first(exchange.response, "Retry-After") == ("1" if status == 503 else None)

    @pytest.mark.parametrize(
        ("status", "source"), [(401, "service"), (500, "service"), (200, "exit"), (418, "exit")]
    )
    def test_leave_everything_else_alone(self, status: int, source: str) -> None:
        exchange = Exchange(request={}, status=status, source=source)
        answer(Kong(exchange))
        assert exchange.body is None
        assert exchange.response == {"x-request-id": ["mine"]}


@pytest.mark.parametrize("plugin", ["caller-identity", "error-bodies"])
class TestSchemas:
    def test_know_every_key_that_kong_yml_uses(self, plugin: str) -> None:
        owners = [DOCUMENT, *DOCUMENT["services"]]
        configs = [each["config"] for owner in owners for each in owner["plugins"] if each["name"] == plugin]
        assert configs
        for config in configs:
            check(record_of(plugin), config)


def record_of(plugin: str) -> Any:
    """What the schema says of `config`."""
    kong = Kong(Exchange(request={}))
    kong.lua.execute("package.preload['kong.db.schema.typedefs'] = function() return {} end")
    schema = kong.lua.eval(f"require 'kong.plugins.{plugin}.schema'")
    assert schema.name == plugin == (PLUGINS / plugin).name
    return next(each.config for each in schema.fields.values() if each.config)


def check(record: Any, value: dict[str, Any]) -> None:
    """A value as Kong's schema library would."""
    fields = {name: rule for each in record.fields.values() for name, rule in each.items()}
    assert value.keys() <= fields.keys()
    assert {name for name, rule in fields.items() if rule.required} <= value.keys()
    types = {"string": str, "integer": int, "boolean": bool, "array": list, "record": dict}
    for name, each in value.items():
        assert isinstance(each, types[fields[name].type])
        for element in each if isinstance(each, list) else []:
            if isinstance(element, dict):
                check(fields[name].elements, element)
            else:
                assert isinstance(element, types[fields[name].elements.type])
