"""The service as it is put together."""

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from cas_kit.issuers import TrustedIssuer
from cas_kit.testing import Issuer, JwksServer
from cas_onboarding.main import build
from cas_onboarding.settings import Settings


class TestSettings:
    def test_have_no_account_service_to_fall_back_on(self, settings):
        with pytest.raises(ValidationError, match="account_grpc"):
            Settings(**settings.model_dump(exclude={"account_grpc"}))


class TestTrustedIssuers:
    def test_bring_users_of_their_own(self, settings, database):
        with JwksServer() as server:
            project = Issuer(url=f"{server.url}/auth/v1")
            server.publish(project.jwk)
            entry = TrustedIssuer(issuer=project.url, algorithm="ES256")
            service = build(settings.model_copy(update={"trusted_issuers": (entry,)}))
            client = TestClient(service.app, headers=project.bearer("auth0|ada"))
            assert client.get("/api/onboarding/progress").json() == {"progress": []}
            for close in service.close:
                close()
