"""No request that the OpenAPI documents allow, or nearly allow, makes a service fail."""

from pathlib import Path

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error

API = Path(__file__).parents[2] / "docs" / "api"

hypothesis.settings.register_profile("quick", max_examples=25, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=300, deadline=None)


@pytest.fixture(params=["auth", "account", "onboarding"])
def service(request):
    return request.param


@pytest.fixture
def documented(service):
    return schemathesis.openapi.from_path(API / f"{service}.json")


schema = schemathesis.pytest.from_fixture("documented")


@pytest.mark.fuzz
@schema.parametrize()
def test_no_request_crashes_a_service(case, service, stack, ada):
    headers = {"Authorization": f"Bearer {ada.session['access_token']}"}
    case.call_and_validate(base_url=stack.urls[service], headers=headers, checks=[not_a_server_error])
