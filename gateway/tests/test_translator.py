"""What kong.yml may say, and how it is told what it may not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cas_gateway.document import Problem, Refused, load
from cas_gateway.envoy import bootstrap
from cas_gateway.filters import JWT
from cas_gateway.kong import read
from cas_gateway.settings import Settings

from .envoys import document_for

SETTINGS = Settings.model_validate({})


def service(document: Any, index: int = 0) -> Any:
    return document["services"][index]


def plugin(owner: Any, name: str) -> Any:
    return next(each["config"] for each in owner["plugins"] if each["name"] == name)


def problems_of(change: Callable[[Any], object]) -> dict[str, str]:
    """What is said of kong.yml after a change, by path."""
    document = document_for(SETTINGS)
    change(document)
    with pytest.raises(Refused) as refused:
        read(document)
    return {problem.path: problem.text for problem in refused.value.problems}


def paths(value: str) -> Callable[[Any], object]:
    return lambda document: service(document)["routes"][0].update(paths=[value])


# What is changed, where the problem is told, and a word of what is told.
REFUSED: dict[str, tuple[Callable[[Any], object], str, str]] = {
    "another format": (lambda d: d.update(_format_version="2.1"), "_format_version", "3.0"),
    "a key nobody knows": (lambda d: d.update(upstreams=[]), "upstreams", "not permitted"),
    "no services": (lambda d: d.update(services=[]), "services", "at least 1"),
    "services missing": (lambda d: d.pop("services"), "services", "required"),
    "services no list": (lambda d: d.update(services="x"), "services", "list"),
    "an encrypted upstream": (
        lambda d: service(d).update(url="https://a:1"),
        "services[0].url",
        "http://host:port",
    ),
    "an upstream with a path": (
        lambda d: service(d).update(url="http://a:1/x"),
        "services[0].url",
        "http://host:port",
    ),
    "an upstream without port": (
        lambda d: service(d).update(url="http://a"),
        "services[0].url",
        "http://host:port",
    ),
    "an unfilled placeholder": (
        lambda d: service(d).update(url="${a}"),
        "services[0].url",
        "http://host:port",
    ),
    "default timeouts": (lambda d: service(d).pop("read_timeout"), "services[0].read_timeout", "required"),
    "default retries": (lambda d: service(d).pop("retries"), "services[0].retries", "required"),
    "retries without end": (lambda d: service(d).update(retries=50), "services[0].retries", "less than"),
    "two timeouts": (lambda d: service(d).update(write_timeout=1), "services[0]", "must be equal"),
    "a service key Envoy lacks": (
        lambda d: service(d).update(tls_verify=True),
        "services[0].tls_verify",
        "not permitted",
    ),
    "no routes": (lambda d: service(d).update(routes=[]), "services[0].routes", "at least 1"),
    "a prefix path": (paths("/api/profile"), "services[0].routes[0].paths[0]", "whole path"),
    "a path without end": (paths("~/api/profile"), "services[0].routes[0].paths[0]", "whole path"),
    "a dot that means anything": (paths("~/a/b.json$"), "services[0].routes[0].paths[0]", "whole path"),
    "a greedy path": (paths("~/a/.*$"), "services[0].routes[0].paths[0]", "whole path"),
    "a path with choices": (paths("~/a/(b|c)$"), "services[0].routes[0].paths[0]", "whole path"),
    "a named segment": (paths("~/a/(?<b>[^/]+)$"), "services[0].routes[0].paths[0]", "whole path"),
    "a relative path": (paths("~a$"), "services[0].routes[0].paths[0]", "whole path"),
    "a stripped path": (
        lambda d: service(d)["routes"][0].update(strip_path=True),
        "services[0].routes[0].strip_path",
        "False",
    ),
    "a route for every host": (
        lambda d: service(d)["routes"][0].pop("hosts"),
        "services[0].routes[0].hosts",
        "required",
    ),
    "a wildcard host": (
        lambda d: service(d)["routes"][0].update(hosts=["*.example.org"]),
        "services[0].routes[0].hosts[0]",
        "plain host name",
    ),
    "a host with port": (
        lambda d: service(d)["routes"][0].update(hosts=["a.example:80"]),
        "services[0].routes[0].hosts[0]",
        "plain host name",
    ),
    "an unknown method": (
        lambda d: service(d)["routes"][0].update(methods=["PURGE", "OPTIONS"]),
        "services[0].routes[0].methods[0]",
        "GET",
    ),
    "no OPTIONS": (
        lambda d: service(d)["routes"][0].update(methods=["POST"]),
        "",
        "preflights",
    ),
    "GET without HEAD": (
        lambda d: service(d)["routes"][0].update(methods=["GET", "OPTIONS"]),
        "services[0].routes[0]",
        "HEAD",
    ),
    "a method twice": (
        lambda d: service(d)["routes"][0].update(methods=["POST", "POST", "OPTIONS"]),
        "services[0].routes[0].methods",
        "repeats POST",
    ),
    "a route matched by header": (
        lambda d: service(d)["routes"][0].update(headers={"x": ["y"]}),
        "services[0].routes[0].headers",
        "not permitted",
    ),
    "a plugin of a route": (
        lambda d: service(d)["routes"][0].update(plugins=[]),
        "services[0].routes[0].plugins",
        "not permitted",
    ),
    "two routes of one name": (
        lambda d: service(d)["routes"][1].update(name="auth-sign-up"),
        "services[0].routes[1]",
        "the name auth-sign-up",
    ),
    "two routes for one path": (
        lambda d: service(d, 2)["routes"][0].update(paths=["~/auth/v1/settings$"]),
        "services[2].routes[0]",
        "GET ~/auth/v1/settings$",
    ),
    "an unknown plugin": (
        lambda d: service(d)["plugins"].append({"name": "acl", "config": {}}),
        "services[0].plugins[2]",
        "acl",
    ),
    "no body limit": (lambda d: service(d)["plugins"].pop(1), "services[0]", "request-size-limiting"),
    "no rate limit": (lambda d: service(d)["plugins"].pop(0), "services[0]", "rate-limiting"),
    "a plugin twice": (
        lambda d: service(d)["plugins"].append(service(d)["plugins"][0]),
        "services[0]",
        "each once",
    ),
    "a token nobody reads": (lambda d: service(d, 1)["plugins"].pop(1), "services[1]", "caller-identity"),
    "an identity nobody proved": (lambda d: service(d, 1)["plugins"].pop(0), "services[1]", "jwt"),
    "users limited by address": (
        lambda d: service(d, 1)["plugins"].__setitem__(2, service(d)["plugins"][0]),
        "services[1]",
        "by X-User-Id",
    ),
    "strangers limited by user": (
        lambda d: service(d)["plugins"].__setitem__(0, service(d, 1)["plugins"][2]),
        "services[0]",
        "by ip",
    ),
    "another issuer on one service": (
        lambda d: service(d, 2)["plugins"].__setitem__(
            1, {"name": "caller-identity", "config": {"issuer": "https://other", "audience": "authenticated"}}
        ),
        "services[2]",
        "same on every protected service",
    ),
    "tokens in the address": (
        lambda d: plugin(service(d, 1), "jwt").update(uri_param_names=["jwt"]),
        "services[1].plugins[0].config.uri_param_names",
        "at most 0",
    ),
    "tokens in the address by default": (
        lambda d: plugin(service(d, 1), "jwt").pop("uri_param_names"),
        "services[1].plugins[0].config.uri_param_names",
        "required",
    ),
    "tokens in a cookie": (
        lambda d: plugin(service(d, 1), "jwt").update(cookie_names=["jwt"]),
        "services[1].plugins[0].config.cookie_names",
        "at most 0",
    ),
    "keys by issuer": (
        lambda d: plugin(service(d, 1), "jwt").update(key_claim_name="iss"),
        "services[1].plugins[0].config.key_claim_name",
        "kid",
    ),
    "tokens that never expire": (
        lambda d: plugin(service(d, 1), "jwt").update(claims_to_verify=["nbf"]),
        "services[1].plugins[0].config.claims_to_verify",
        "at least 2",
    ),
    "nobody as somebody": (
        lambda d: plugin(service(d, 1), "jwt").update(anonymous="guest"),
        "services[1].plugins[0].config.anonymous",
        "not permitted",
    ),
    "a user who may or may not be needed": (
        lambda d: plugin(service(d, 1), "caller-identity").update(needs_user="no"),
        "services[1].plugins[1].config.needs_user",
        "boolean",
    ),
    "an issuer without audience": (
        lambda d: plugin(service(d, 1), "caller-identity").pop("audience"),
        "services[1].plugins[1].config.audience",
        "required",
    ),
    "no window": (
        lambda d: plugin(service(d), "rate-limiting").pop("minute"),
        "services[0].plugins[0].config",
        "exactly one",
    ),
    "two windows": (
        lambda d: plugin(service(d), "rate-limiting").update(second=5),
        "services[0].plugins[0].config",
        "exactly one",
    ),
    "a limit of nothing": (
        lambda d: plugin(service(d), "rate-limiting").update(minute=0),
        "services[0].plugins[0].config.minute",
        "greater than",
    ),
    "a limit that is text": (
        lambda d: plugin(service(d), "rate-limiting").update(minute="60"),
        "services[0].plugins[0].config.minute",
        "integer",
    ),
    "one bucket for everybody": (
        lambda d: plugin(service(d), "rate-limiting").update(limit_by="consumer"),
        "services[0].plugins[0].config.limit_by",
        "ip",
    ),
    "a header nobody vouches for": (
        lambda d: plugin(service(d, 1), "rate-limiting").update(header_name="X-Api-Key"),
        "services[1].plugins[2].config.header_name",
        "X-User-Id",
    ),
    "an address with a header": (
        lambda d: plugin(service(d), "rate-limiting").update(header_name="X-User-Id"),
        "services[0].plugins[0].config",
        "belongs to",
    ),
    "a body measured in miles": (
        lambda d: plugin(service(d), "request-size-limiting").update(size_unit="miles"),
        "services[0].plugins[1].config.size_unit",
        "kilobytes",
    ),
    "no CORS": (lambda d: d["plugins"].pop(2), "plugins", "each once"),
    "one origin": (
        lambda d: plugin(d, "cors").update(origins=["https://a.example"]),
        "plugins[2].config.origins",
        "at least 2",
    ),
    "every origin": (
        lambda d: plugin(d, "cors").update(origins=["*", "https://a.example"]),
        "plugins[2].config.origins[0]",
        "regular expression",
    ),
    "an origin with a pattern": (
        lambda d: plugin(d, "cors").update(origins=["https://a.example", "https://.*\\.example"]),
        "plugins[2].config.origins[1]",
        "regular expression",
    ),
    "an origin with a slash": (
        lambda d: plugin(d, "cors").update(origins=["https://a.example/", "https://b.example"]),
        "plugins[2].config.origins[0]",
        "regular expression",
    ),
    "cookies across origins": (
        lambda d: plugin(d, "cors").update(credentials=True),
        "plugins[2].config.credentials",
        "False",
    ),
    "another name for the request id": (
        lambda d: plugin(d, "correlation-id").update(header_name="X-Correlation-Id"),
        "plugins[0].config.header_name",
        "X-Request-Id",
    ),
    "a request id kept secret": (
        lambda d: plugin(d, "correlation-id").update(echo_downstream=False),
        "plugins[0].config.echo_downstream",
        "True",
    ),
    "one identity for everything": (
        lambda d: plugin(d, "caller-identity").update(issuer="x"),
        "plugins[1].config.issuer",
        "not permitted",
    ),
    "an error that is none": (
        lambda d: plugin(d, "error-bodies")["errors"][0].update(status=200),
        "plugins[3].config.errors[0].status",
        "400",
    ),
    "a public key as a secret": (
        lambda d: d["consumers"][0].update(
            jwt_secrets=[{"key": "k", "algorithm": "HS256", "rsa_public_key": "x"}]
        ),
        "consumers[0].jwt_secrets[0]",
        "needs secret",
    ),
    "a secret beside a public key": (
        lambda d: d["consumers"][0].update(
            jwt_secrets=[{"key": "k", "algorithm": "ES256", "rsa_public_key": "x", "secret": "y"}]
        ),
        "consumers[0].jwt_secrets[0]",
        "needs rsa_public_key, and only that",
    ),
    "an algorithm without use": (
        lambda d: d["consumers"][0].update(jwt_secrets=[{"key": "k", "algorithm": "none", "secret": "x"}]),
        "consumers[0].jwt_secrets[0].algorithm",
        "ES256",
    ),
    "one key id for two keys": (
        lambda d: d["consumers"].extend(
            {
                "username": name,
                "custom_id": name,
                "jwt_secrets": [{"key": "k", "algorithm": "HS256", "secret": "x"}],
            }
            for name in ("a", "b")
        ),
        "",
        "repeats k",
    ),
    "a prefix that is a pattern": (
        lambda d: plugin(d, "error-bodies").update(error_prefixes=["/api/.*"]),
        "plugins[3].config.error_prefixes[0]",
        "beginning of a path",
    ),
    "users who are somehow mapped": (
        lambda d: plugin(service(d, 1), "caller-identity").update(
            others=[{"issuer": "i", "audience": "a", "subjects": "guessed"}]
        ),
        "services[1].plugins[1].config.others[0].subjects",
        "same",
    ),
    "a consumer with a secret": (
        lambda d: d["consumers"][0].update(keyauth_credentials=[]),
        "consumers[0].keyauth_credentials",
        "not permitted",
    ),
}


class TestRefusals:
    @pytest.mark.parametrize("name", REFUSED)
    def test_are_told_by_path(self, name: str) -> None:
        change, path, word = REFUSED[name]
        problems = problems_of(change)
        assert word in problems[path]

    def test_come_all_at_once(self) -> None:
        names = [
            "an encrypted upstream",
            "a prefix path",
            "two routes for one path",
            "one origin",
            "no body limit",
        ]

        def change_everything(document: Any) -> None:
            for name in names:
                REFUSED[name][0](document)

        assert problems_of(change_everything).keys() >= {REFUSED[name][1] for name in names} - {"services[0]"}

    def test_of_something_that_is_no_mapping(self) -> None:
        with pytest.raises(Refused, match="the file: "):
            read(["x"])


class TestPlaceholders:
    def test_are_replaced_by_lists_and_numbers_too(self, tmp_path: Path) -> None:
        file = tmp_path / "kong.yml"
        file.write_text("a: [{b: '${hosts}'}, '${port}', 'x${port}']")
        assert load(file, {"hosts": ["h"], "port": 1}) == {"a": [{"b": ["h"]}, 1, "x${port}"]}

    def test_without_a_value_are_refused_all_at_once(self, tmp_path: Path) -> None:
        file = tmp_path / "kong.yml"
        file.write_text("a: [{b: '${nothing}'}]\nc: '${never}'")
        with pytest.raises(Refused) as refused:
            load(file, {})
        assert refused.value.problems == (
            Problem("a[0].b", "no setting is called nothing"),
            Problem("c", "no setting is called never"),
        )

    def test_in_something_that_is_no_yaml(self, tmp_path: Path) -> None:
        file = tmp_path / "kong.yml"
        file.write_text("a: [")
        with pytest.raises(Refused, match="is not YAML"):
            load(file, {})


class TestTheBootstrap:
    def test_listens_on_this_machine_only(self) -> None:
        envoy = bootstrap(read(document_for(SETTINGS)), SETTINGS)
        addresses = [
            envoy["admin"]["address"],
            *(listener["address"] for listener in envoy["static_resources"]["listeners"]),
        ]
        assert {address["socket_address"]["address"] for address in addresses} == {"127.0.0.1"}

    @pytest.mark.parametrize(("host", "kind"), [("10.0.0.7", "STATIC"), ("auth.internal", "STRICT_DNS")])
    def test_looks_names_up_and_takes_addresses_as_they_are(self, host: str, kind: str) -> None:
        settings = Settings.model_validate({"auth_url": f"http://{host}:80"})
        clusters = bootstrap(read(document_for(settings)), settings)["static_resources"]["clusters"]
        assert next(each["type"] for each in clusters if each["name"] == "auth-public") == kind

    def test_trusts_the_public_authorities_for_keys_over_https(self) -> None:
        settings = Settings.model_validate({"jwks_url": "https://auth.example/keys"})
        clusters = bootstrap(read(document_for(settings)), settings)["static_resources"]["clusters"]
        keys = next(each for each in clusters if each["name"] == "jwks-0")
        validation = keys["transport_socket"]["typed_config"]["common_tls_context"]["validation_context"]
        assert Path(validation["trusted_ca"]["filename"]).read_text().count("BEGIN CERTIFICATE") > 50
        assert validation["match_typed_subject_alt_names"] == [
            {"san_type": "DNS", "matcher": {"exact": "auth.example"}}
        ]
        assert "'port_value': 443" in str(keys)

    def test_can_be_all_public(self) -> None:
        document = document_for(SETTINGS)
        document["services"] = [each for each in document["services"] if each["name"].endswith("-public")]
        assert JWT not in str(bootstrap(read(document), SETTINGS))
