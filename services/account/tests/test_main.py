"""The service as it is put together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cas_account import main


@pytest.fixture
def service(settings, account_database):
    nowhere = "http://127.0.0.1:1/"
    built = main.build(
        settings.model_copy(update={"health_auth_url": nowhere, "health_onboarding_url": nowhere})
    )
    yield built
    for close in built.close:
        close()


class TestBuild:
    def test_has_everything_that_runs_beside_requests(self, service):
        assert service.relay is not None
        assert [periodic.name for periodic in service.periodic] == ["forget-old-keys"]
        service.periodic[0].job()

    def test_reports_what_is_away_and_what_is_there(self, service):
        with TestClient(service.app) as client:
            report = client.get("/api/health").json()
        statuses = {name: part["status"] for name, part in report["services"].items()}
        assert {name: statuses[name] for name in ("account", "database", "redis")} == {
            "account": "ok",
            "database": "ok",
            "redis": "ok",
        }
        assert (statuses["auth"], report["status"]) == ("error", "error")


class TestCommandLine:
    def test_prints_its_openapi_document(self, settings):
        environment = {
            "CAS_ACCOUNT_DATABASE_URL": settings.database_url.get_secret_value(),
            "CAS_ACCOUNT_REDIS_URL": str(settings.redis_url),
        }
        command = Path(sys.executable).with_name("cas-account")
        printed = subprocess.run(
            [command, "openapi"], env=environment, check=True, capture_output=True
        ).stdout
        assert "/api/account/professional-info" in json.loads(printed)["paths"]
