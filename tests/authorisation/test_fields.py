"""Nothing can be written or read that is not on a list (docs/spec/domain.md 3, 4, 5; docs/spec/auth-protocol.md 2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from tests.integration.person import Person

from cas_account.domain.professional_info_fields import FIELDS as TEMPLATE_FIELDS
from cas_listings.domain.fields import FIELDS as LISTING_FIELDS
from cas_local.stack import Stack

Row = dict[str, Any]
TUTOR = "?role_type=tutor"


@dataclass(frozen=True, kw_only=True)
class Write:
    """A request that changes a row of the caller's, and the columns that may differ afterwards."""

    request: tuple[str, str]
    table: str
    key: str
    body: Mapping[str, Any]
    own_names: frozenset[str]
    """Columns of any table whose name is a field of this body: sending them is no disguise."""
    changes: frozenset[str]


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


PROFILE_FIELDS = names(
    "display_name first_name last_name bio categories achievements avatar_url custom_picture_url cover_photo_url "
    "phone country city timezone preferences active_role"
)
CREDENTIALS = names("email phone password app_metadata code_challenge code_challenge_method")
WHEN = frozenset({"version", "updated_at", "last_seen_at"})

WRITES = {
    "POST /api/profile": Write(
        request=("POST", "/api/profile"),
        table="account.profiles",
        key="id",
        body={"city": "Leeds"},
        own_names=PROFILE_FIELDS,
        changes=WHEN | {"city"},
    ),
    "PATCH /api/profile": Write(
        request=("PATCH", "/api/profile"),
        table="account.profiles",
        key="id",
        body={"city": "York"},
        own_names=PROFILE_FIELDS,
        changes=WHEN | {"city"},
    ),
    "PATCH /api/account/professional-info": Write(
        request=("PATCH", "/api/account/professional-info"),
        table="account.role_details",
        key="profile_id",
        body={"role_type": "tutor", "subjects": ["Physics"]},
        own_names=frozenset(TEMPLATE_FIELDS) | {"role_type"},
        changes=WHEN | {"fields", "entry_ids"},
    ),
    "POST /api/account/professional-info": Write(
        request=("POST", "/api/account/professional-info"),
        table="account.role_details",
        key="profile_id",
        body={"role_type": "tutor", "subjects": ["Chemistry"]},
        own_names=frozenset(TEMPLATE_FIELDS) | {"role_type"},
        changes=WHEN | {"fields", "entry_ids"},
    ),
    "POST /api/onboarding/save-progress": Write(
        request=("POST", "/api/onboarding/save-progress"),
        table="onboarding.onboarding_progress",
        key="profile_id",
        body={"role_type": "tutor", "step": 2, "data": {"subjects": ["french"]}},
        own_names=frozenset({"role_type", "is_complete", "client_session", "client_revision"}),
        changes=WHEN | {"step_data", "current_step", "furthest_step"},
    ),
    "PATCH /api/listings/{id}": Write(
        request=("PATCH", "/api/listings/{id}"),
        table="listings.service_listings",
        key="profile_id",
        body={"title": "Fractions with patience"},
        own_names=frozenset(LISTING_FIELDS) | {"status", "created_as_role", "years_of_experience"},
        changes=WHEN | {"title", "slug"},
    ),
    "PUT /auth/v1/user": Write(
        request=("PUT", "/auth/v1/user"),
        table="auth.users",
        key="id",
        body={"data": {"nickname": "Ada"}},
        own_names=CREDENTIALS,
        changes=WHEN | {"user_metadata"},
    ),
}


@pytest.fixture
def tutor(new_person: Callable[..., Person]) -> Person:
    """Somebody who owns a row of every kind."""
    person = new_person()
    person.save(1, "tutor", {})
    first = {"role_type": "tutor", "subjects": ["Mathematics"]}
    assert person.http.post("/api/account/professional-info", json=first).status_code == 201
    assert person.http.post("/api/listings", json={}).status_code == 201
    return person


@pytest.mark.parametrize("name", WRITES)
def test_no_column_can_be_written_by_its_name(stack, tutor, name):
    write = WRITES[name]
    before = row_of(stack, write, tutor)
    disguised = dict.fromkeys(columns(stack) - write.own_names - write.body.keys(), "intruder")
    method, path = write.request
    answer = tutor.http.request(method, path.format(**before), json=disguised | write.body)
    assert answer.status_code == 200, answer.text
    after = row_of(stack, write, tutor)
    changed = {column for column in after if after[column] != before[column]}
    assert changed <= write.changes
    assert changed - WHEN, "the write itself must happen"
    assert "intruder" not in str(after)


def test_nobody_writes_what_their_token_says_of_them(stack, tutor):
    before = user_row(stack, tutor)["app_metadata"]
    answer = tutor.http.put("/auth/v1/user", json={"data": {}, "app_metadata": {"roles": ["agent"]}})
    assert answer.status_code in {200, 403}
    assert user_row(stack, tutor)["app_metadata"] == before


def test_nobody_signs_up_as_more_than_they_are(stack, new_person):
    ordinary = user_row(stack, new_person())
    disguised = dict.fromkeys(columns(stack) - CREDENTIALS, "intruder")
    disguised |= {"role": "service_role", "app_metadata": {"roles": ["agent"]}, "email_verified": True}
    intruder = Person.sign_up(stack.url, name="Ada Lovelace", **disguised)
    their_own = {"id", "email", "password_hash", "created_at", "updated_at", "last_sign_in_at"}
    differing = {
        column for column, value in user_row(stack, intruder).items() if value != ordinary[column]
    } - {column for column in ordinary if column in their_own or column.endswith("_at")}
    assert differing == set()
    assert intruder.claims["role"] == "authenticated"
    assert "roles" not in intruder.claims["app_metadata"]
    intruder.close()


def columns(stack: Stack) -> set[str]:
    """The names of all columns of all services."""
    query = (
        "SELECT DISTINCT column_name FROM information_schema.columns "
        "WHERE table_schema IN ('auth', 'account', 'onboarding', 'listings')"
    )
    with stack.postgres.connect("cas") as connection:
        return {name for (name,) in connection.execute(query)}


def row_of(stack: Stack, write: Write, person: Person) -> Row:
    schema, table = write.table.split(".")
    query = SQL("SELECT * FROM {}.{} WHERE {} = %s").format(*map(Identifier, (schema, table, write.key)))
    with stack.postgres.connect("cas") as connection, connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query, [person.id]).fetchone()
    assert found is not None
    return found


def user_row(stack: Stack, person: Person) -> Row:
    return row_of(stack, WRITES["PUT /auth/v1/user"], person)


# ---- what can be read ----

_ENVELOPE = (
    "success message progress_id updated_at current_step step_data is_complete role_type furthest_step"
)
PROGRESS = names(f"{_ENVELOPE} client_revision version applied effects missing")
TEMPLATE = names(
    "id profile_id role_type completeness version created_at updated_at subjects skill_levels levels "
    "teaching_experience hourly_rate hourly_rate_range qualifications teaching_methods availability unavailability "
    "availability_windows availability_slots specializations session_types bio certifications "
    "max_students_per_week travel_radius_km willing_to_travel preferred_student_age_range"
)
READS: Mapping[str, frozenset[str]] = {
    "/api/profile": PROFILE_FIELDS
    | names(
        "id email email_verified phone_verified roles onboarding_completed agent_id version created_at updated_at "
        "last_seen_at full_name role profile_completed completeness"
    ),
    f"/api/account/professional-info{TUTOR}": TEMPLATE,
    "/api/onboarding/progress/tutor": PROGRESS,
    "/auth/v1/user": names(
        "id aud role email email_confirmed_at confirmed_at phone phone_confirmed_at last_sign_in_at app_metadata "
        "user_metadata identities factors created_at updated_at is_anonymous"
    ),
}


@pytest.mark.parametrize("path", READS)
def test_an_answer_shows_what_the_contract_names(tutor, path):
    assert set(tutor.get(path).json()) <= READS[path]
