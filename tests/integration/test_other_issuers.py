"""Somebody whose account is with another issuer uses the system like everybody else, and as nobody else."""

from uuid import uuid4

import pytest
from tests.integration.person import Person

from cas_kit.issuers import Subjects, local_user_id
from cas_kit.testing import until


@pytest.fixture
def visitor(stack, project):
    """A person with a token of the project; its other claims may say what they like."""
    people = []

    def arrive(subject, **claims):
        person = Person(stack.url, email="visitor@example.com")
        person.http.headers.update(project.bearer(subject, **claims))
        people.append(person)
        return person

    yield arrive
    for person in people:
        person.close()


def user_id(project, subject):
    return str(local_user_id(subject, issuer=project.url, subjects=Subjects.DERIVED))


def test_has_a_profile_and_completes_an_onboarding(stack, project, visitor):
    subject = f"auth0|{uuid4()}"
    ada = visitor(subject, user_metadata={"full_name": "Ada Lovelace"})
    profile = ada.get("/api/profile").json()
    assert (profile["id"], profile["display_name"]) == (user_id(project, subject), "Ada Lovelace")
    saved = ada.save(5, "tutor", {"subjects": ["mathematics"]}, is_complete=True)
    assert saved["is_complete"]
    until(lambda: ada.get("/api/profile").json()["roles"] == ["tutor"])


def test_leaves_nothing_undelivered_although_auth_does_not_know_them(stack, visitor):
    ada = visitor(str(uuid4()))
    ada.save(5, "tutor", {"subjects": ["mathematics"]}, is_complete=True)
    until(lambda: ada.get("/api/profile").json()["roles"] == ["tutor"])
    until(lambda: waiting(stack, ada.get("/api/profile").json()["id"]) == 0)


def test_never_is_the_local_user_of_that_id(project, visitor, ada):
    mine = ada.get("/api/profile").json()
    other = visitor(ada.id, email=ada.email).get("/api/profile").json()
    assert other["id"] == user_id(project, ada.id)
    assert ada.get("/api/profile").json() == mine


def test_has_no_session_with_us_and_administers_nobody(visitor):
    program = visitor(str(uuid4()), role="service_role")
    assert program.get("/auth/v1/user").status_code == 403
    assert program.get("/auth/v1/admin/users").status_code == 401
    assert program.get("/api/profile").status_code == 401


def waiting(stack, user):
    with stack.postgres.connect("cas") as connection:
        query = "SELECT count(*) FROM account.outbox_messages WHERE payload->>'user_id' = %s"
        return connection.execute(query, [user]).fetchone()[0]
