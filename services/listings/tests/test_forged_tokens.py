"""Nobody gets at a listing with a token that only looks like one."""

import pytest

from cas_kit.testing.forgeries import GOOD, GROUPS

# Public operations need no token, but believe none that is bad (docs/spec/domain.md 9.2).
PATHS = ["/api/listings/mine", "/api/listings/00000000-0000-4000-8000-000000000000", "/api/listings/slug/x"]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("path", PATHS)
def test_forged_tokens_are_refused(client, database, forger, group, path):
    statuses = {
        name: client.get(path, headers=bearer(make(forger))).status_code
        for name, make in GROUPS[group].items()
    }
    assert statuses == dict.fromkeys(statuses, 401)


@pytest.mark.parametrize("name", GOOD)
def test_they_are_made_from_good_ones(client, database, forger, name):
    answer = client.get("/api/listings/mine", headers=bearer(GOOD[name](forger)))
    assert (answer.status_code, answer.json()["total"]) == (200, 0)
