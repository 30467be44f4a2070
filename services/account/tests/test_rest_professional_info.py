"""/api/account/professional-info over HTTP; what the existing web client reads is compared literally."""

import pytest

from cas_account.domain.professional_info_fields import FIELDS
from cas_account.domain.roles import Role
from cas_account.models import idempotency_keys
from cas_kit.idempotency import answer_once

PATH = "/api/account/professional-info"


def read(client, role="tutor", **headers):
    return client.get(PATH, params={"role_type": role}, headers=headers)


def patch(client, role="tutor", headers=None, **fields):
    return client.patch(PATH, json={"role_type": role, **fields}, headers=headers)


class TestNothingSaved:
    @pytest.mark.parametrize("role", ["tutor", "provider", "client", "seeker", "agent"])
    def test_is_404_in_the_spelling_of_the_request(self, ada, role):
        answer = read(ada, role)
        assert (answer.status_code, answer.json()["code"]) == (404, "no-professional-info")
        assert answer.json()["detail"] == f"No professional info found for role: {role}"

    @pytest.mark.parametrize("params", [{}, {"role_type": "king"}, {"role_type": ""}])
    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_of_no_role_is_422(self, ada, method, params):
        answer = ada.request(method, PATH, params=params)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "role_type"
        assert isinstance(answer.json()["detail"], str)

    @pytest.mark.parametrize(
        ("header", "detail"),
        [
            (None, "Missing or invalid authorization header"),
            ("Token x", "Missing or invalid authorization header"),
            ("Bearer x.y.z", "Invalid token"),
        ],
    )
    def test_without_a_token_is_401(self, client, database, header, detail):
        headers = {"Authorization": header} if header else {}
        for method in ("GET", "DELETE", "PATCH", "POST"):
            answer = client.request(method, PATH, headers=headers, params={"role_type": "tutor"})
            assert (answer.status_code, answer.json()["detail"]) == (401, detail)


class TestRoundTrip:
    @pytest.mark.parametrize("role", ["provider", "seeker", "agent"])
    @pytest.mark.parametrize("name", FIELDS)
    def test_every_field_comes_back_for_every_role(self, ada, examples, name, role):
        answer = patch(ada, role, **{name: examples[name]})
        assert answer.status_code == 200
        found = read(ada, role).json()
        assert found[name] == examples[name]
        assert found["role_type"] == role
        assert found == answer.json()["data"]

    @pytest.mark.parametrize("role", ["tutor", "client", "agent"])
    def test_all_fields_together_come_back(self, ada, examples, role):
        ada.post(PATH, json={"role_type": role, **examples})
        found = read(ada, role).json()
        assert {name: found[name] for name in examples} == examples
        assert found["completeness"]["complete"] is True

    def test_what_was_read_can_be_saved_again_without_a_change(self, ada, examples):
        patch(ada, **examples)
        before = read(ada).json()
        answer = ada.patch(PATH, json=before)
        assert answer.json()["data"] == before
        assert answer.json()["ignored_fields"] == []

    def test_roles_are_kept_apart(self, ada):
        patch(ada, "tutor", bio="tutor")
        patch(ada, "agent", bio="agent")
        assert read(ada, "provider").json()["bio"] == "tutor"
        assert read(ada, "seeker").status_code == 404

    def test_users_are_kept_apart(self, ada, issuer):
        patch(ada, bio="mine")
        assert ada.get(PATH, params={"role_type": "tutor"}, headers=issuer.bearer()).status_code == 404


class TestTheObject:
    ALWAYS = frozenset({
        "id", "profile_id", "role_type", "completeness", "version", "created_at", "updated_at",
    })  # fmt: skip

    @pytest.mark.parametrize("role", Role)
    def test_is_bare_and_has_every_field_of_the_role_and_what_others_saved(self, ada, role):
        other = {"agent": "learning_goals"}.get(role, "agency_name")
        patch(ada, role, **{other: ["Improve grades"] if other == "learning_goals" else "Ada & Co"})
        own = {name for name, field in FIELDS.items() if field.belongs_to(role)}
        views = {"availability_windows", "availability_slots"} if "availability" in own else set()
        assert set(read(ada, role).json()) == self.ALWAYS | own | views | {other}


class TestEnvelope:
    def test_has_the_words_the_page_looks_for(self, ada):
        for answer in (patch(ada, bio="x"), ada.post(PATH, json={"role_type": "tutor"})):
            assert answer.json()["success"] is True
            assert "Template saved" in answer.json()["message"]
            assert "Changes won't affect your existing listings" in answer.json()["message"]

    def test_names_unknown_fields_and_texts(self, ada):
        answer = patch(ada, shoe_size=43, subjects=["Maths", "Juggling"], agency_name="stored all the same")
        assert answer.json()["ignored_fields"] == ["shoe_size"]
        assert answer.json()["unresolved"] == ["Juggling"]
        assert answer.json()["data"]["agency_name"] == "stored all the same"

    def test_has_ids_versions_and_instants(self, ada, user_id):
        data = patch(ada).json()["data"]
        assert (data["profile_id"], data["version"]) == (str(user_id), 1)
        assert data["created_at"] == data["updated_at"]
        assert data["created_at"].endswith("Z")


class TestSaving:
    def test_reports_all_bad_fields_and_saves_nothing(self, ada):
        answer = patch(
            ada, bio="fine", hourly_rate="dear", availability=["weekday_night"], subjects=["Maths", 5]
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "validation-failed")
        assert [problem["field"] for problem in answer.json()["errors"]] == [
            "subjects.1",
            "hourly_rate",
            "availability.0",
        ]
        assert read(ada).status_code == 404

    @pytest.mark.parametrize(
        "body", [[], {}, {"role_type": None}, {"role_type": "king"}, {"role_type": ["tutor"]}]
    )
    @pytest.mark.parametrize("method", ["PATCH", "POST"])
    def test_needs_an_object_with_a_role(self, ada, method, body):
        answer = ada.request(method, PATH, json=body)
        assert answer.status_code == 422
        assert isinstance(answer.json()["detail"], str)

    def test_post_replaces_the_whole(self, ada):
        first = ada.post(PATH, json={"role_type": "tutor", "bio": "one", "subjects": ["Maths"]})
        second = ada.post(PATH, json={"role_type": "tutor", "bio": "two"})
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json()["data"]["id"] == first.json()["data"]["id"]
        assert (read(ada).json()["bio"], read(ada).json()["subjects"]) == ("two", [])

    def test_clears_and_keeps_zero_and_false(self, ada):
        patch(ada, bio="x", subjects=["Maths"], skill_levels={"GCSE": 2}, availability=["weekday_morning"])
        patch(
            ada,
            bio="",
            subjects=None,
            skill_levels={},
            availability=[],
            hourly_rate=0,
            willing_to_travel=False,
        )
        found = read(ada).json()
        assert (found["bio"], found["subjects"], found["levels"], found["skill_levels"]) == (
            None,
            [],
            [],
            None,
        )
        assert (found["availability"], found["availability_windows"], found["availability_slots"]) == (
            None,
            None,
            [],
        )
        assert (found["hourly_rate"], found["willing_to_travel"]) == (0, False)

    def test_takes_the_time_zone_of_the_profile(self, ada):
        ada.patch("/api/profile", json={"timezone": "Asia/Tokyo"})
        data = patch(ada, availability=["weekday_morning"]).json()["data"]
        assert data["availability_windows"]["timezone"] == "Asia/Tokyo"

    def test_body_limits_hold(self, ada):
        assert patch(ada, bio="x" * 300_000).status_code == 413
        text = {"Content-Type": "text/plain"}
        assert ada.patch(PATH, content=b"{}", headers=text).status_code == 415


class TestRemoving:
    def test_answers_the_same_when_there_was_none(self, ada):
        patch(ada, bio="x")
        for _ in range(2):
            answer = ada.delete(PATH, params={"role_type": "provider"})
            assert (answer.status_code, answer.json()["success"]) == (200, True)
            assert answer.json()["message"]
            assert read(ada).status_code == 404


class TestVersions:
    def test_grow_by_one_with_every_change_and_stay_without(self, ada):
        assert patch(ada, bio="a").headers["ETag"] == '"1"'
        first = read(ada).json()
        same = patch(ada, bio=" a ").json()["data"]
        assert same == first
        changed = patch(ada, bio="b").json()["data"]
        assert changed["version"] == 2
        assert changed["updated_at"] > first["updated_at"]

    @pytest.mark.parametrize("method", ["PATCH", "POST", "DELETE"])
    def test_if_match_refuses_another_one_and_a_missing_thing(self, ada, method):
        def write(tag):
            body = {} if method == "DELETE" else {"json": {"role_type": "tutor", "bio": "new"}}
            return ada.request(method, PATH, params={"role_type": "tutor"}, headers={"If-Match": tag}, **body)

        missing = write("*")
        assert (missing.status_code, missing.json()["version"]) == (412, None)
        patch(ada, bio="old")
        other = write('"9"')
        assert (other.status_code, other.headers["ETag"]) == (412, '"1"')
        assert read(ada).json()["bio"] == "old"
        assert write('"1"').status_code == 200

    def test_if_none_match_saves_the_answer(self, ada):
        patch(ada, bio="x")
        answer = read(ada, **{"If-None-Match": '"1"'})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", '"1"')
        assert answer.headers["Cache-Control"] == "private, no-cache"


class TestIdempotency:
    KEY = "a-key"

    def test_repeats_the_first_answer_byte_for_byte(self, ada):
        body = {"role_type": "tutor", "bio": "once"}
        keyed = {"Idempotency-Key": self.KEY}
        first = ada.post(PATH, json=body, headers=keyed)
        patch(ada, bio="later")
        again = ada.post(PATH, json=body, headers=keyed)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.headers["ETag"] == first.headers["ETag"]
        assert read(ada).json()["bio"] == "later"

    def test_repeats_refusals_too(self, ada):
        keyed = {"Idempotency-Key": self.KEY}
        first = ada.patch(PATH, json={"role_type": "tutor", "bio": 5}, headers=keyed)
        again = ada.patch(PATH, json={"role_type": "tutor", "bio": 5}, headers=keyed)
        assert (first.status_code, again.status_code) == (422, 422)
        assert again.headers["Idempotency-Replayed"] == "true"

    def test_refuses_the_key_with_another_body(self, ada):
        keyed = {"Idempotency-Key": self.KEY}
        patch(ada, headers=keyed, bio="one")
        answer = patch(ada, headers=keyed, bio="two")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")

    def test_survives_a_crash_between_commit_and_reply(self, ada, monkeypatch):
        """The effect and its answer were committed together, so the repetition finds both."""
        from cas_account.rest import caller

        def lose_the_reply(session, table, keyed, work):
            answer_once(session, idempotency_keys, keyed, work)
            session.commit()
            raise ConnectionAbortedError

        body, keyed = {"role_type": "tutor", "bio": "once"}, {"Idempotency-Key": self.KEY}
        with monkeypatch.context() as crash:
            crash.setattr(caller, "answer_once", lose_the_reply)
            assert ada.patch(PATH, json=body, headers=keyed).status_code == 500
        again = ada.patch(PATH, json=body, headers=keyed)
        assert (again.status_code, again.json()["data"]["version"]) == (200, 1)
        assert again.headers["Idempotency-Replayed"] == "true"
