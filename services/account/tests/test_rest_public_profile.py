"""GET /api/profiles/{id}: what everybody may know of a person (docs/spec/domain.md 3.3)."""

from uuid import uuid4

import pytest
from sqlalchemy import event

from cas_account.operations.erasure import begin_erasure

NAMES = {
    "id",
    "display_name",
    "avatar_url",
    "custom_picture_url",
    "cover_photo_url",
    "bio",
    "achievements",
    "categories",
    "roles",
    "role",
    "created_at",
    "completeness",
}


@pytest.fixture
def path(user_id):
    return f"/api/profiles/{user_id}"


@pytest.fixture
def statements(database):
    """The SQL that runs."""
    seen = []

    def record(connection, cursor, statement, *rest):
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", record)
    yield seen
    event.remove(database.engine, "before_cursor_execute", record)


def test_shows_exactly_what_everybody_may_know(client, issuer, path, user_id):
    private = {"phone": "+441234567890", "city": "Leeds", "preferences": {"theme": "dark"}}
    shown = {"bio": "I teach.", "categories": "Maths", "achievements": "A prize"}
    client.patch("/api/profile", json=private | shown, headers=issuer.bearer(user_id))
    answer = client.get(path)
    assert answer.status_code == 200
    profile = answer.json()
    assert set(profile) == NAMES
    assert {name: profile[name] for name in shown} == shown
    assert (profile["roles"], profile["role"], profile["avatar_url"]) == ([], None, "")
    assert profile["completeness"]["missing"] == ["avatar_url", "bio", "achievements", "cover_photo_url"]
    for secret in ("ada@example.com", "+441234567890", "Leeds", "dark"):
        assert secret not in answer.text


def test_is_kept_for_a_minute_and_not_sent_twice(client, issuer, path, user_id):
    first = client.get(path)
    assert first.headers["Cache-Control"] == "public, max-age=60"
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    client.patch("/api/profile", json={"bio": "Another"}, headers=issuer.bearer(user_id))
    assert client.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


@pytest.mark.parametrize("name", ["not-an-id", "00000000-0000-4000-8000-000000000000", "..%2f..%2fetc"])
def test_of_nobody_is_404(client, database, name):
    assert client.get(f"/api/profiles/{name}").status_code == 404


def test_of_somebody_who_leaves_is_404_at_once(client, path, database, user_id, now):
    with database.transaction() as session:
        begin_erasure(session, user_id=user_id, parts=["account", "auth"], now=now)
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "profile-not-found")


def test_answers_refusals_with_error_for_the_existing_web_client(client, database):
    answer = client.get(f"/api/profiles/{uuid4()}").json()
    assert answer["error"] == answer["message"] == answer["detail"]


def test_believes_no_bad_token(client, path):
    assert client.get(path, headers={"Authorization": "Bearer x"}).status_code == 401


def test_needs_no_more_columns_than_it_shows(client, path, statements):
    """*Prevents:* row-level "public read" that exposed every column."""
    client.get(path)
    (statement,) = statements
    for column in (
        "email",
        "phone",
        "city",
        "country",
        "preferences",
        "storage_path",
        "agent_id",
        "version",
    ):
        assert column not in statement
