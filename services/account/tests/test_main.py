"""The service as it is put together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import HttpUrl, SecretStr, ValidationError
from starlette.testclient import TestClient

from cas_account import main
from cas_account.settings import Settings
from cas_kit.issuers import Subjects, TrustedIssuer, local_user_id
from cas_kit.pulse import Pulse
from cas_kit.testing import Issuer, JwksServer


@pytest.fixture
def service(settings, account_database):
    built = main.build(settings)
    yield built
    for close in built.close:
        close()


class TestSettings:
    @pytest.mark.parametrize(
        "name",
        [
            "auth_grpc",
            "onboarding_grpc",
            "listings_grpc",
            "health_auth_url",
            "health_onboarding_url",
            "health_listings_url",
        ],
    )
    def test_have_no_address_to_fall_back_on(self, settings, name):
        with pytest.raises(ValidationError, match=name):
            Settings(**settings.model_dump(exclude={name}))


class TestBuild:
    def test_has_everything_that_runs_beside_requests(self, service):
        assert service.relay is not None
        assert [periodic.name for periodic in service.periodic] == [
            "watch-erasures",
            "forget-old-keys",
        ]
        for periodic in service.periodic:
            periodic.job()

    def test_reports_what_is_away_and_what_is_there(self, patient, service):
        with TestClient(service.app) as client:
            report = client.get("/api/health").json()
        statuses = {name: part["status"] for name, part in report["services"].items()}
        assert {name: statuses[name] for name in ("account", "database", "redis", "storage")} == {
            "account": "ok",
            "database": "ok",
            "redis": "ok",
            "storage": "ok",
        }
        assert (statuses["auth"], report["status"]) == ("error", "error")

    def test_is_degraded_while_files_cannot_be_kept(self, settings, account_database):
        away = settings.model_copy(
            update={
                "storage_url": "s3://pictures",
                "storage_endpoint": HttpUrl("http://127.0.0.1:1"),
                "storage_access_key_id": "a",
                "storage_secret_access_key": SecretStr("b"),
            }
        )
        built = main.build(away)
        with TestClient(built.app) as client:
            storage = client.get("/api/health").json()["services"]["storage"]
        for close in built.close:
            close()
        assert (storage["status"], storage["message"]) == ("error", "Not answering.")


class TestWorkers:
    """*Prevents:* a system that says it is well while mails are not sent and pictures not drawn."""

    @pytest.fixture
    def report(self, settings, account_database, patient):
        def report(*workers):
            built = main.build(settings.model_copy(update={"workers": workers}))
            with TestClient(built.app) as client:
                answer = client.get("/api/health").json()
            for close in built.close:
                close()
            return answer["services"]["worker"]

        return report

    def test_are_reported_where_the_installation_has_some(self, settings, report):
        Pulse(settings.revocations, of="mails").beat()
        assert report("mails")["status"] == "ok"
        found = report("mails", "letters")
        assert (found["status"], found["details"]) == ("error", {"missing": ["letters"]})

    def test_are_not_invented_where_it_says_nothing_of_any(self, report):
        assert report()["status"] == "not_configured"

    def test_are_a_list_in_the_environment(self, settings, monkeypatch):
        monkeypatch.setenv("CAS_ACCOUNT_WORKERS", '["auth", "listings"]')
        assert Settings(**settings.model_dump(exclude={"workers"})).workers == ("auth", "listings")


class TestTrustedIssuers:
    def test_bring_users_of_their_own(self, settings, database):
        with JwksServer() as server:
            project = Issuer(url=f"{server.url}/auth/v1")
            server.publish(project.jwk)
            entry = TrustedIssuer(issuer=project.url, algorithm="ES256")
            service = main.build(settings.model_copy(update={"trusted_issuers": (entry,)}))
            with TestClient(service.app) as client:
                profile = client.get("/api/profile", headers=project.bearer("auth0|ada")).json()
            for close in service.close:
                close()
        expected = local_user_id("auth0|ada", issuer=project.url, subjects=Subjects.DERIVED)
        assert (profile["id"], profile["email"]) == (str(expected), "ada@example.com")


class TestCommandLine:
    def test_prints_its_openapi_document(self, settings):
        environment = {
            "CAS_ACCOUNT_DATABASE_URL": settings.database_url.get_secret_value(),
            "CAS_ACCOUNT_REDIS_URL": str(settings.redis_url),
            "CAS_ACCOUNT_STORAGE_URL": settings.storage_url,
            "CAS_ACCOUNT_AUTH_GRPC": settings.auth_grpc,
            "CAS_ACCOUNT_ONBOARDING_GRPC": settings.onboarding_grpc,
            "CAS_ACCOUNT_LISTINGS_GRPC": settings.listings_grpc,
            "CAS_ACCOUNT_HEALTH_AUTH_URL": settings.health_auth_url,
            "CAS_ACCOUNT_HEALTH_ONBOARDING_URL": settings.health_onboarding_url,
            "CAS_ACCOUNT_HEALTH_LISTINGS_URL": settings.health_listings_url,
        }
        command = Path(sys.executable).with_name("cas-account")
        printed = subprocess.run(
            [command, "openapi"], env=environment, check=True, capture_output=True
        ).stdout
        assert "/api/account/professional-info" in json.loads(printed)["paths"]
