"""Nobody gets at somebody's progress with a token that only looks like one."""

import pytest
from fastapi.testclient import TestClient

from cas_kit.testing.forgeries import GOOD, GROUPS

OPERATIONS = [
    ("GET", "/api/onboarding/progress"),
    ("GET", "/api/onboarding/progress/tutor"),
    ("DELETE", "/api/onboarding/progress/tutor"),
    ("POST", "/api/onboarding/save-progress"),
]


@pytest.fixture
def stranger(service):
    """A client that says nothing about itself."""
    return TestClient(service.app)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_forged_tokens_are_refused(stranger, forger, group, method, path):
    statuses = {
        name: stranger.request(method, path, headers=bearer(make(forger))).status_code
        for name, make in GROUPS[group].items()
    }
    assert statuses == dict.fromkeys(statuses, 401)


@pytest.mark.parametrize("name", GOOD)
def test_they_are_made_from_good_ones(stranger, forger, name):
    answer = stranger.get("/api/onboarding/progress", headers=bearer(GOOD[name](forger)))
    assert answer.status_code == 200
