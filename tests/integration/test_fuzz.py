"""No request that the OpenAPI documents allow, or nearly allow, makes a service fail or answer what they do not say."""

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import one_of
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

API = Path(__file__).parents[2] / "docs" / "api"
SERVICES = ("auth", "account", "onboarding", "listings")

CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
EXAMPLES = 500 if settings.get_current_profile_name() == "thorough" else 25  # of each operation


def operations():
    return [
        pytest.param(service, found.ok(), id=f"{service} {found.ok().label}")
        for service in SERVICES
        for found in schemathesis.openapi.from_path(API / f"{service}.json").get_all_operations()
    ]


@pytest.mark.fuzz
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("service", "operation"), operations())
def test_no_request_crashes_a_service(service, operation, stack, ada):
    headers = {"Authorization": f"Bearer {ada.session['access_token']}"}

    @given(case=one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def crashes_nothing(case: Case) -> None:
        case.call_and_validate(
            base_url=stack.urls[service], headers=headers, checks=CHECKS, allow_redirects=False
        )

    crashes_nothing()
