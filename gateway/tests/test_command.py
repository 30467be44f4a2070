"""The command line and what it writes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cas_gateway.keys import jwt_secrets
from cas_gateway.main import main
from cas_kit.testing import Issuer

from .tokens import SigningKey


@pytest.fixture
def jwks_file(tmp_path: Path, key: SigningKey) -> Path:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [key.public_jwk, SigningKey("next").public_jwk]}))
    return file


@pytest.fixture
def production(tmp_path: Path, jwks_file: Path) -> Path:
    """An environment file that says everything."""
    file = tmp_path / "production.env"
    file.write_text(
        "CAS_GATEWAY_AUTH_URL=http://auth:8101\n"
        "CAS_GATEWAY_ACCOUNT_URL=http://account:8102\n"
        "CAS_GATEWAY_ONBOARDING_URL=http://onboarding:8103\n"
        "CAS_GATEWAY_LISTINGS_URL=http://listings:8104\n"
        "CAS_GATEWAY_HOSTS=api.example.org\n"
        "CAS_GATEWAY_ORIGINS=https://example.org, https://www.example.org\n"
        "CAS_GATEWAY_ISSUER=https://api.example.org/auth/v1\n"
        "CAS_GATEWAY_REDIS_HOST=redis\n"
        "CAS_GATEWAY_REDIS_PORT=6379\n"
        f"CAS_GATEWAY_JWKS_FILE={jwks_file}\n"
    )
    return file


class TestCheck:
    def test_accepts_the_file_of_this_repository(self) -> None:
        assert main(["check"]) == 0

    def test_tells_every_problem(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "kong.yml"
        file.write_text("_format_version: '2.1'\nservices: []\n")
        assert main(["check", "--kong-file", str(file)]) == 1
        told = capsys.readouterr().err
        assert "_format_version: " in told
        assert "services: " in told
        assert "consumers: " in told

    def test_tells_a_setting_of_the_wrong_form(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--port", "many"]) == 1
        assert "port" in capsys.readouterr().err


class TestKong:
    def test_fills_every_placeholder(self, tmp_path: Path, production: Path, key: SigningKey) -> None:
        out = tmp_path / "rendered.yml"
        assert main(["kong", "--env", str(production), "--out", str(out)]) == 0
        document = yaml.safe_load(out.read_text())
        services = {service["name"]: service for service in document["services"]}
        assert "${" not in out.read_text()
        assert services["auth-public"]["url"] == "http://auth:8101"
        assert services["account-public"]["routes"][0]["hosts"] == ["api.example.org"]
        assert _plugin(document, "cors")["origins"] == ["https://example.org", "https://www.example.org"]
        assert (
            _plugin(services["auth-protected"], "caller-identity")["issuer"]
            == "https://api.example.org/auth/v1"
        )
        credential = document["consumers"][0]["jwt_secrets"][0]
        assert (credential["key"], credential["algorithm"]) == (key.kid, "ES256")
        assert load_pem_public_key(credential["rsa_public_key"].encode()) == key.private.public_key()

    def test_refuses_what_was_left_to_the_defaults_of_one_machine(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["kong", "--auth-url", "http://auth:8101"]) == 1
        told = capsys.readouterr().err
        for name in (
            "ACCOUNT_URL",
            "ONBOARDING_URL",
            "LISTINGS_URL",
            "HOSTS",
            "ORIGINS",
            "ISSUER",
            "REDIS_HOST",
            "REDIS_PORT",
            "JWKS_FILE",
        ):
            assert f"set CAS_GATEWAY_{name}" in told
        assert "AUTH_URL" not in told
        assert "USER_LIMIT" not in told

    def test_refuses_a_wrong_value(self, production: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["kong", "--env", str(production), "--origins", "*"]) == 1
        assert "plugins[2].config.origins" in capsys.readouterr().err


class TestKongAndOtherIssuers:
    PROJECT = "https://project.example/auth/v1"

    @pytest.fixture
    def render(self, tmp_path: Path, production: Path) -> Callable[..., Any]:
        """The consumers that `kong` writes for these entries."""

        def consumers(entries: list[dict[str, str]], *, files: dict[str, str] | None = None) -> Any:
            out = tmp_path / "rendered.yml"
            options = [
                "--trusted-issuers",
                json.dumps(entries),
                "--trusted-jwks-files",
                json.dumps(files or {}),
            ]
            assert main(["kong", "--env", str(production), "--out", str(out), *options]) == 0
            return yaml.safe_load(out.read_text())

        return consumers

    def test_have_consumers_of_their_own(self, tmp_path: Path, render: Callable[..., Any]) -> None:
        theirs = Issuer("theirs", algorithm="RS256")
        file = tmp_path / "project.json"
        file.write_text(json.dumps({"keys": [theirs.jwk]}))
        entry = {"issuer": self.PROJECT, "algorithm": "RS256"}
        document = render([entry], files={self.PROJECT: str(file)})
        own, other = document["consumers"]
        assert own["custom_id"] == "https://api.example.org/auth/v1"
        assert (other["username"], other["custom_id"]) == ("issuer-1", self.PROJECT)
        (credential,) = other["jwt_secrets"]
        assert (credential["key"], credential["algorithm"]) == ("theirs", "RS256")
        assert load_pem_public_key(credential["rsa_public_key"].encode()) == theirs.private_key.public_key()
        service = next(each for each in document["services"] if each["name"] == "account-protected")
        assert _plugin(service, "caller-identity")["others"] == [
            {"issuer": self.PROJECT, "audience": "authenticated", "subjects": "derived"}
        ]

    def test_may_have_a_secret(self, render: Callable[..., Any]) -> None:
        entry = {"issuer": self.PROJECT, "algorithm": "HS256", "secret": "s" * 32, "kid": "old"}
        consumers = render([entry])["consumers"]
        assert consumers[1]["jwt_secrets"] == [{"key": "old", "algorithm": "HS256", "secret": "s" * 32}]

    def test_let_our_own_keep_its_secret(self, render: Callable[..., Any], key: SigningKey) -> None:
        own = {
            "issuer": "https://api.example.org/auth/v1",
            "algorithm": "HS256",
            "secret": "s" * 32,
            "kid": "old",
            "subjects": "same",
        }
        (consumer,) = render([own])["consumers"]
        assert [each["key"] for each in consumer["jwt_secrets"]] == [key.kid, "next", "old"]

    def test_are_refused_where_kong_would_find_no_key(
        self, production: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        entries = [
            {"issuer": self.PROJECT, "algorithm": "HS256", "secret": "s" * 32},
            {"issuer": self.PROJECT, "algorithm": "ES256"},
        ]
        assert main(["kong", "--env", str(production), "--trusted-issuers", json.dumps(entries)]) == 1
        told = capsys.readouterr().err
        assert "CAS_GATEWAY_TRUSTED_ISSUERS[0]: give kid" in told
        assert "CAS_GATEWAY_TRUSTED_ISSUERS[1]: name a file" in told

    @pytest.mark.parametrize("value", ["", "{", '[{"issuer": "x"}]', '{"issuer": "x"}'])
    def test_have_to_be_a_list_of_entries(self, value: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--trusted-issuers", value]) == 1
        assert "trusted_issuers" in capsys.readouterr().err


class TestEnvoy:
    def test_is_written_as_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["envoy", "--port", "8123", "--jwks-url", "http://127.0.0.1:1/keys"]) == 0
        resources = json.loads(capsys.readouterr().out)["static_resources"]
        assert resources["listeners"][0]["address"]["socket_address"]["port_value"] == 8123
        assert "http://127.0.0.1:1/keys" in json.dumps(resources)


class TestKeys:
    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"d": "AAAA"}, "private"),
            ({"kty": "RSA"}, "ES256 or RS256"),
            ({"crv": "P-384"}, "ES256 or RS256"),
            ({"alg": "RS256"}, "ES256 or RS256"),
            ({"kty": "oct", "k": "AAAA"}, "ES256 or RS256"),
            ({"x": "AAAA"}, "curve"),
            ({"kid": None}, "kid"),
        ],
    )
    def test_are_public_ones_for_es256(
        self, tmp_path: Path, key: SigningKey, change: dict[str, Any], word: str
    ) -> None:
        changed = {name: value for name, value in (key.public_jwk | change).items() if value is not None}
        file = tmp_path / "jwks.json"
        file.write_text(json.dumps({"keys": [changed]}))
        with pytest.raises(Exception, match=word):
            jwt_secrets(file)

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"keys": 1}', '{"keys": ["x"]}'])
    def test_stand_in_a_jwks_document(
        self, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "jwks.json"
        file.write_text(text)
        assert main(["check", "--jwks-file", str(file)]) == 1
        assert "consumers[0].jwt_secrets" in capsys.readouterr().err


def _plugin(owner: Any, name: str) -> Any:
    return next(plugin["config"] for plugin in owner["plugins"] if plugin["name"] == name)
