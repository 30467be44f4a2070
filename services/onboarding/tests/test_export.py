"""People get every answer they gave, and nobody else's."""

import json
from uuid import uuid4

import pytest

from cas_onboarding import operations
from cas_onboarding.models import OnboardingProgress

SAVE = "/api/onboarding/save-progress"


@pytest.fixture
def exported(database):
    """`exported(user_id)`: the sections of the export, each a list."""

    def export(user_id):
        sections = {"onboarding": [], "activity": []}
        with database.transaction() as session:
            for item in operations.export_user(session, user_id=user_id):
                sections[item.section].append(json.loads(item.document))
        return sections

    return export


def test_every_column_of_every_role_is_there(client, exported, user_id):
    data = {"subjects": ["maths"], "free": {"text": "hello"}}
    client.post(SAVE, json={"step": 2, "role_type": "tutor", "data": data, "client_session": "tab"})
    client.post(SAVE, json={"step": 1, "role_type": "client", "data": {"a": 1}})
    tutor, student = exported(user_id)["onboarding"]
    assert tutor.keys() == {column.name for column in OnboardingProgress.__table__.columns}
    assert (tutor["role_type"], tutor["step_data"], tutor["client_session"]) == ("tutor", data, "tab")
    assert (student["role_type"], student["step_data"]) == ("client", {"a": 1})


def test_activity_says_what_was_done_and_when(client, exported, user_id):
    client.post(SAVE, json={"step": 5, "role_type": "tutor", "is_complete": True})
    [entry] = exported(user_id)["activity"]
    assert (entry["service"], entry["action"], entry["role"]) == (
        "onboarding",
        "onboarding_completed",
        "tutor",
    )
    assert entry["at"]


def test_nothing_of_others_is_there(client, service, issuer, exported, user_id):
    client.post(SAVE, json={"step": 2, "role_type": "tutor", "data": {"a": "canary"}})
    assert exported(uuid4()) == {"onboarding": [], "activity": []}
