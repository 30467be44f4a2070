"""What the environment must say, and what a start refuses."""

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from cas_auth.settings import Settings
from cas_kit.settings import Environment

PROVIDER = {"issuer": "https://id.example.com", "client_id": "cas", "client_secret": "s"}
KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="


class TestSettings:
    def test_trust_addresses_in_development_only(self, auth_settings, settings):
        values = settings.model_dump(exclude={"email_auto_confirm", "environment"})
        trusted = {
            environment: Settings(environment=environment, **values).email_auto_confirm
            for environment in Environment
        }
        assert trusted == {
            Environment.DEVELOPMENT: True, Environment.TEST: False, Environment.PRODUCTION: False,
        }  # fmt: skip

    @pytest.mark.parametrize("key", ["", "no base64!", "c2hvcnQ=", KEY[:-4]])
    def test_refuse_a_bad_encryption_key(self, auth_settings, key):
        with pytest.raises(ValidationError, match="encryption_key"):
            auth_settings(encryption_key=key)

    def test_demand_an_encryption_key(self, settings):
        with pytest.raises(ValidationError, match="encryption_key"):
            Settings(**settings.model_dump(exclude={"encryption_key"}))

    @pytest.mark.parametrize("limit", ["", "0/minute", "10", "10/fortnight", "10 per 5 years"])
    def test_refuse_a_bad_limit(self, auth_settings, limit):
        with pytest.raises(ValidationError, match="sign_in_limit_per_ip"):
            auth_settings(sign_in_limit_per_ip=limit)

    def test_know_no_provider_unless_told(self, settings):
        assert settings.providers == {}

    def test_name_the_providers(self, auth_settings):
        keycloak = {"issuer": "https://id.example.com", "client_id": "cas", "client_secret": "s"}
        known = auth_settings(
            google_client_id="google-id", google_client_secret="s", oidc_providers={"keycloak": keycloak}
        ).providers
        assert list(known) == ["google", "keycloak"]
        assert known["google"].issuer == "https://accounts.google.com"
        assert known["keycloak"].scopes == ("openid", "email", "profile")

    @pytest.mark.parametrize(
        "values",
        [
            {"google_client_id": "google-id"},
            {"oidc_providers": {"email": PROVIDER}},
            {"oidc_providers": {"google": PROVIDER}},
            {"oidc_providers": {"No Name": PROVIDER}},
            {"oidc_providers": {"a": PROVIDER, "one": PROVIDER}},
            {"oidc_providers": {"one": PROVIDER, "two": PROVIDER}},
            {"oidc_providers": {"one": {**PROVIDER, "issuer": "ftp://id.example.com"}}},
            {"oidc_providers": {"one": {**PROVIDER, "client_secret": ""}}},
            {"oidc_providers": {"one": {**PROVIDER, "colour": "blue"}}},
            {
                "oidc_providers": {"one": {**PROVIDER, "issuer": "http://id.example.com"}},
                "environment": "production",
            },
        ],
        ids=str,
    )
    def test_refuse_providers_that_make_no_sense(self, auth_settings, values):
        with pytest.raises(ValidationError, match=r"client_secret|oidc_providers|https"):
            auth_settings(**values)

    @pytest.mark.parametrize(
        ("values", "complaint"),
        [
            ({"smtp_host": "mail.example.com"}, "mail_sender"),
            ({"smtp_username": "cas"}, "go together"),
            ({"smtp_password": "secret"}, "go together"),
            ({"smtp_security": "ssl"}, "smtp_security"),
            ({"smtp_timeout": "PT50S"}, "smtp_timeout"),
            ({"mail_brand": ""}, "mail_brand"),
        ],
    )
    def test_refuse_half_a_mail_server(self, auth_settings, values, complaint):
        with pytest.raises(ValidationError, match=complaint):
            auth_settings(**values)

    @pytest.mark.parametrize("environment", Environment)
    def test_send_no_password_in_the_clear_in_production(self, settings, environment):
        values = settings.model_dump() | {
            "environment": environment,
            "smtp_username": "cas",
            "smtp_password": "secret",
            "smtp_security": "none",
        }
        if environment is Environment.PRODUCTION:
            with pytest.raises(ValidationError, match="in the clear"):
                Settings(**values)
        else:
            Settings(**values)


class TestStart:
    def test_refuses_another_encryption_key(self, auth, start):
        with pytest.raises(SystemExit, match="CAS_AUTH_ENCRYPTION_KEY is not the key"):
            start(encryption_key="A" * 43 + "=")

    def test_uses_the_keys_of_the_first_start(self, auth, start):
        token = auth.sign_up().json()["access_token"]
        assert start().user(token).status_code == 200


def test_command_line_prints_the_openapi_document(settings):
    environment = {
        "CAS_AUTH_DATABASE_URL": settings.database_url.get_secret_value(),
        "CAS_AUTH_REDIS_URL": str(settings.redis_url),
        "CAS_AUTH_ENCRYPTION_KEY": KEY,
        "CAS_AUTH_LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-c", "from cas_auth.main import main; main()", "openapi"]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "/auth/v1/token" in json.loads(printed)["paths"]
