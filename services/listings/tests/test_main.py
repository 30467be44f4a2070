"""The service as it is put together."""

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from cas_kit.issuers import TrustedIssuer
from cas_kit.testing import Issuer, JwksServer
from cas_listings.main import build, forget
from cas_listings.settings import Settings


@pytest.fixture
def service(settings, database):
    built = build(settings)
    yield built
    for close in built.close:
        close()


class TestSettings:
    def test_have_no_account_service_to_fall_back_on(self, settings):
        with pytest.raises(ValidationError, match="account_grpc"):
            Settings(**settings.model_dump(exclude={"account_grpc"}))


class TestService:
    def test_is_ready_when_the_database_is(self, service):
        with TestClient(service.app) as client:
            assert client.get("/health/ready").status_code == 200
            assert client.get("/api/listings/mine").status_code == 401

    def test_cleans_up_after_itself(self, service, database):
        jobs = {periodic.name: periodic.job for periodic in service.periodic}
        assert jobs.keys() == {"sweep-images", "forget-visits", "forget-old-keys", "repair-search"}
        forget(database)
        jobs["repair-search"]()


class TestTrustedIssuers:
    def test_bring_users_of_their_own(self, settings, database):
        with JwksServer() as server:
            project = Issuer(url=f"{server.url}/auth/v1")
            server.publish(project.jwk)
            entry = TrustedIssuer(issuer=project.url, algorithm="ES256")
            service = build(settings.model_copy(update={"trusted_issuers": (entry,)}))
            client = TestClient(service.app, headers=project.bearer("auth0|ada"))
            assert client.get("/api/listings/mine").json()["total"] == 0
            for close in service.close:
                close()
