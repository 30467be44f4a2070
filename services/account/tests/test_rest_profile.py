"""GET, POST and PATCH /api/profile over HTTP."""

import time
from uuid import uuid4

import pytest

from cas_account.operations.erasure import begin_erasure
from cas_account.rest.caller import WelcomedTokens

PATH = "/api/profile"


class TestFirstCall:
    def test_creates_the_profile_from_the_token(self, client, issuer, database):
        user_id = uuid4()
        headers = issuer.bearer(user_id, email="Grace@Example.com", user_metadata={"name": "Grace Hopper"})
        profile = client.get(PATH, headers=headers).json()
        assert profile["id"] == str(user_id)
        assert profile["email"] == "grace@example.com"
        assert profile["display_name"] == profile["full_name"] == "Grace Hopper"
        assert (profile["roles"], profile["active_role"], profile["role"]) == ([], None, None)
        assert (profile["timezone"], profile["version"]) == ("Europe/London", 1)
        assert len(profile["agent_id"]) == 10
        assert profile["created_at"].endswith("Z")

    def test_has_no_placeholder_for_an_unknown_name(self, client, issuer, database):
        profile = client.get(PATH, headers=issuer.bearer()).json()
        texts = (
            "display_name",
            "first_name",
            "bio",
            "avatar_url",
            "phone",
            "city",
            "achievements",
            "categories",
        )
        assert {name: profile[name] for name in texts} == dict.fromkeys(texts, "")
        assert profile["completeness"]["missing"][0] == "display_name"
        assert profile["profile_completed"] is False

    def test_an_older_token_does_not_bring_the_old_email_back(self, client, issuer):
        """*Prevents:* an old address that another session brings back."""
        user_id, issued = uuid4(), int(time.time())
        newer = issuer.bearer(user_id, email="new@example.com")
        older = issuer.bearer(user_id, email="old@example.com", iat=issued - 600, nbf=issued - 600)
        for headers in (newer, older, newer):
            profile = client.get(PATH, headers=headers).json()
            assert (profile["email"], profile["version"]) == ("new@example.com", 1)

    def test_a_later_token_fills_an_empty_name_and_refreshes_the_email(self, client, issuer, database):
        user_id = uuid4()
        client.get(PATH, headers=issuer.bearer(user_id))
        newer = issuer.bearer(user_id, email="new@example.com", user_metadata={"full_name": "Ada Lovelace"})
        profile = client.get(PATH, headers=newer).json()
        assert (profile["email"], profile["display_name"], profile["version"]) == (
            "new@example.com",
            "Ada Lovelace",
            2,
        )
        other = issuer.bearer(user_id, email="", user_metadata={"full_name": "Somebody Else"})
        profile = client.get(PATH, headers=other).json()
        assert (profile["email"], profile["display_name"], profile["version"]) == (
            "new@example.com",
            "Ada Lovelace",
            2,
        )

    @pytest.mark.parametrize("role", ["service_role", "supabase_admin"])
    def test_of_a_program_is_refused_and_creates_nothing(self, client, issuer, database, role):
        answer = client.get(PATH, headers=issuer.bearer(role=role, session_id=None))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")

    def test_of_an_erased_user_is_refused_and_creates_nothing(self, ada, issuer, database, user_id, now):
        assert ada.get(PATH).status_code == 200
        with database.transaction() as session:
            begin_erasure(session, user_id=user_id, parts=["account"], now=now)
        for headers in ({}, issuer.bearer(user_id)):
            assert ada.get(PATH, headers=headers).status_code == 401
            assert ada.patch(PATH, headers=headers, json={"bio": "I am back"}).status_code == 401


class TestTheObject:
    def test_is_bare_and_has_every_column_but_the_storage_keys(self, ada):
        columns = (
            "id email email_verified phone_verified display_name first_name last_name bio categories achievements "
            "avatar_url custom_picture_url cover_photo_url phone country city timezone preferences roles active_role "
            "onboarding_completed agent_id version created_at updated_at last_seen_at"
        )
        added = "full_name role profile_completed completeness"
        assert set(ada.get(PATH).json()) == {*columns.split(), *added.split()}

    def test_says_nothing_is_null_but_the_role_nobody_chose(self, client, issuer, database):
        profile = client.get(PATH, headers=issuer.bearer()).json()
        assert {name for name, value in profile.items() if value is None} == {"active_role", "role"}

    @pytest.mark.parametrize("method", ["POST", "PATCH"])
    def test_stands_in_an_envelope_after_saving(self, ada, method):
        assert set(ada.request(method, PATH, json={"city": "Leeds"}).json()) == {"success", "user"}


class TestRefusals:
    @pytest.mark.parametrize(
        ("headers", "detail"),
        [
            ({}, "Missing or invalid authorization header"),
            ({"Authorization": "Basic abc"}, "Missing or invalid authorization header"),
            ({"Authorization": "Bearer abc"}, "Invalid token"),
        ],
    )
    def test_without_a_token_are_401(self, client, database, headers, detail):
        for answer in (client.get(PATH, headers=headers), client.post(PATH, headers=headers, json={})):
            assert (answer.status_code, answer.json()["detail"]) == (401, detail)
            assert answer.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({"bio": 5}, "bio: must be a text"),
            ({"phone": "0123", "bio": "x" * 501}, "bio: must have at most 500 characters; phone: must be"),
            ([], "body: must be a JSON object"),
            ({"display_name": ""}, "display_name: cannot be empty once it is set"),
            ({"preferences": {"a": "x" * 17000}}, "preferences: may take at most 16 KiB"),
            ({"bio": "a\x00b"}, "bio: has a character that cannot be stored"),
        ],
    )
    @pytest.mark.parametrize("method", ["POST", "PATCH"])
    def test_of_values_are_400_and_say_what_is_wrong_first(self, ada, method, body, message):
        answer = ada.request(method, PATH, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "validation-failed")
        assert answer.json()["message"].startswith(message)
        assert answer.json()["errors"][0]["field"]

    def test_of_a_missing_body_is_400(self, ada):
        assert ada.post(PATH).status_code == 400

    def test_of_a_role_that_is_not_held_is_400(self, ada):
        answer = ada.patch(PATH, json={"active_role": "tutor", "bio": "not stored"})
        assert (answer.status_code, answer.json()["code"]) == (400, "role-not-held")
        assert ada.get(PATH).json()["bio"] == ""

    def test_of_broken_json_is_400(self, ada):
        answer = ada.post(PATH, content=b"{", headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-json")


class TestSaving:
    @pytest.mark.parametrize("method", ["POST", "PATCH"])
    def test_merges_and_answers_the_whole_profile(self, ada, method):
        ada.patch(PATH, json={"city": "London", "preferences": {"theme": "dark"}})
        answer = ada.request(method, PATH, json={"bio": "Hello\nthere", "preferences": {"size": 2}})
        assert (answer.status_code, answer.json()["success"]) == (200, True)
        user = answer.json()["user"]
        assert (user["bio"], user["city"]) == ("Hello\nthere", "London")
        assert user["preferences"] == {"theme": "dark", "size": 2}
        assert answer.headers["ETag"] == f'"{user["version"]}"'
        assert user == ada.get(PATH).json()

    def test_of_what_was_read_changes_nothing(self, ada, client, issuer):
        for headers in ({}, issuer.bearer(uuid4())):
            before = client.get(PATH, headers=headers).json()
            answer = client.post(PATH, headers=headers, json=before)
            assert (answer.status_code, answer.json()["user"]) == (200, before)

    def test_keeps_picture_addresses(self, ada):
        pictures = {
            "avatar_url": "https://cdn.example/b.png",
            "custom_picture_url": "https://cdn.example/a.png",
            "cover_photo_url": "https://cdn.example/c.png",
        }
        ada.patch(PATH, json=pictures)
        profile = ada.get(PATH).json()
        assert {name: profile[name] for name in pictures} == pictures

    def test_clears_with_null(self, ada):
        ada.patch(PATH, json={"bio": "Hello", "timezone": "Asia/Tokyo", "preferences": {"a": 1}})
        user = ada.patch(PATH, json={"bio": None, "timezone": None, "preferences": None}).json()["user"]
        assert (user["bio"], user["timezone"], user["preferences"]) == ("", "Europe/London", {})

    def test_has_a_score(self, ada):
        user = ada.patch(PATH, json={"bio": "x" * 50, "categories": "Maths"}).json()["user"]
        assert user["completeness"] == {
            "score": 50,
            "missing": ["avatar_url", "achievements", "cover_photo_url"],
        }


class TestVersions:
    def test_if_match_refuses_another_version(self, ada):
        answer = ada.patch(PATH, json={"bio": "x"}, headers={"If-Match": '"7"'})
        assert (answer.status_code, answer.json()["code"], answer.json()["version"]) == (
            412,
            "version-mismatch",
            1,
        )
        assert answer.headers["ETag"] == '"1"'
        assert ada.patch(PATH, json={"bio": "x"}, headers={"If-Match": '"1"'}).headers["ETag"] == '"2"'

    def test_if_none_match_of_the_present_one_is_304(self, ada):
        answer = ada.get(PATH, headers={"If-None-Match": '"1"'})
        assert (answer.status_code, answer.content) == (304, b"")
        assert ada.get(PATH, headers={"If-None-Match": '"2"'}).status_code == 200
        assert ada.get(PATH).headers["Cache-Control"] == "private, no-cache"

    def test_a_key_repeats_the_first_answer(self, ada):
        keyed = {"Idempotency-Key": "k1"}
        first = ada.patch(PATH, json={"bio": "once"}, headers=keyed)
        ada.patch(PATH, json={"bio": "twice"})
        again = ada.patch(PATH, json={"bio": "once"}, headers=keyed)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert ada.get(PATH).json()["bio"] == "twice"
        assert ada.patch(PATH, json={"bio": "other"}, headers=keyed).status_code == 422


class TestWelcomedTokens:
    def test_forgets_the_oldest_when_there_are_too_many(self):
        welcomed = WelcomedTokens(limit=2)
        for digest in (b"a", b"b", b"c"):
            welcomed.add(digest)
        assert [digest in welcomed for digest in (b"a", b"b", b"c")] == [False, True, True]

    def test_make_the_first_call_of_a_token_the_only_one_that_writes(self, ada, database, user_id):
        def last_seen():
            return ada.get(PATH).json()["last_seen_at"]

        assert last_seen() == last_seen()
