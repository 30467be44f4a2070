"""The REST edge of administrators."""

from contextlib import suppress
from datetime import UTC
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_auth.domain.audit import AuditAction
from cas_auth.domain.refusals import InvalidRequest
from cas_auth.domain.user_list import UserCursor
from cas_auth.rest.admin.paging import MAX_PAGE, Page, read_cursor, write_cursor

from .conftest import PASSWORD, bearer

USERS = "/auth/v1/admin/users"
AUDIT = "/auth/v1/admin/audit"


def refusal(response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


NOBODY = "0" * 32
ENDPOINTS = [
    ("GET", USERS),
    ("POST", USERS),
    ("GET", f"{USERS}/{NOBODY}"),
    ("PUT", f"{USERS}/{NOBODY}"),
    ("DELETE", f"{USERS}/{NOBODY}"),
    ("GET", f"{USERS}/{NOBODY}/factors"),
    ("DELETE", f"{USERS}/{NOBODY}/factors/{NOBODY}"),
    ("POST", "/auth/v1/admin/generate_link"),
    ("POST", "/auth/v1/invite"),
    ("GET", "/auth/v1/admin/audit"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
class TestWhoMay:
    def send(self, auth, method, path, headers=None):
        body = None if method in {"GET", "DELETE"} else {}
        return auth.client.request(method, path, headers=headers, json=body)

    def test_demands_a_token(self, auth, method, path):
        assert refusal(self.send(auth, method, path)) == (401, "no_authorization")

    def test_demands_one_of_ours(self, auth, method, path):
        assert refusal(self.send(auth, method, path, bearer("a.b.c"))) == (403, "bad_jwt")

    def test_refuses_users_and_records_it(self, auth, method, path, audit):
        token = auth.sign_up().json()["access_token"]
        assert refusal(self.send(auth, method, path, bearer(token))) == (403, "not_admin")
        assert audit()[-1].action is AuditAction.ADMIN_REFUSED

    def test_refuses_administrators_who_signed_out(self, auth, call, method, path):
        user = call("POST", USERS, json={"email": "ada@example.com", "password": PASSWORD}).json()
        call("PUT", f"{USERS}/{user['id']}", json={"role": "supabase_admin", "email_confirm": True})
        token = auth.sign_in().json()["access_token"]
        assert self.send(auth, method, path, bearer(token)).status_code in {200, 400, 404}
        call("PUT", f"{USERS}/{user['id']}", json={"password": "another password"})
        assert refusal(self.send(auth, method, path, bearer(token))) == (403, "session_not_found")


class TestMetadata:
    def test_of_every_size_that_is_taken_fits_into_a_token(self, auth, call):
        """Also in the token of somebody with the longest address there is."""
        address = f"{'a' * 64}@{'.'.join(['b' * 58] * 3)}.example.com"
        user = call(
            "POST", USERS, json={"email": address, "password": PASSWORD, "email_confirm": True}
        ).json()

        def say(**document):
            return call("PUT", f"{USERS}/{user['id']}", json=document)

        assert say(app_metadata={"text": "x" * 3900}).status_code == 200
        assert refusal(say(user_metadata={"text": "x" * 3900})) == (400, "validation_failed")
        token = auth.sign_in(email=address).json()["access_token"]
        full = {"text": "x" * 100}
        own = auth.client.put("/auth/v1/user", headers=bearer(token), json={"data": full})
        assert own.json()["user_metadata"] == full
        assert auth.user(auth.sign_in(email=address).json()["access_token"]).status_code == 200


class TestAdministratorsWithAnAccount:
    def test_use_it_and_sign_out_like_everybody(self, auth, call):
        user = call("POST", USERS, json={"email": "ada@example.com", "password": PASSWORD}).json()
        call("PUT", f"{USERS}/{user['id']}", json={"role": "service_role", "email_confirm": True})
        token = auth.sign_in().json()["access_token"]
        assert auth.user(token).status_code == 200
        own = auth.client.put("/auth/v1/user", headers=bearer(token), json={"app_metadata": {"desk": 1}})
        assert own.json()["app_metadata"] == user["app_metadata"] | {"desk": 1}
        assert auth.client.post("/auth/v1/logout", headers=bearer(token)).status_code == 204
        assert refusal(auth.client.get(USERS, headers=bearer(token))) == (403, "session_not_found")


class TestUsers:
    def test_are_added_changed_and_deleted_as_the_client_does(self, auth, call):
        created = call(
            "POST",
            USERS,
            json={
                "email": "ada@example.com",
                "password": PASSWORD,
                "email_confirm": True,
                "user_metadata": {"name": "Ada"},
                "app_metadata": None,
                "unknown": 1,
            },
        )
        assert created.status_code == 200
        user = created.json()
        assert (user["email"], user["aud"], user["user_metadata"]) == (
            "ada@example.com", "authenticated", {"name": "Ada"},
        )  # fmt: skip
        session = auth.sign_in().json()
        changed = call("PUT", f"{USERS}/{user['id']}", json={"ban_duration": "24h", "app_metadata": {"a": 1}})
        assert changed.json()["app_metadata"]["a"] == 1
        assert "banned_until" in changed.json()
        assert refusal(auth.user(session["access_token"])) == (403, "session_not_found")
        assert call("GET", f"{USERS}/{user['id']}").json() == changed.json()
        deleted = call("DELETE", f"{USERS}/{user['id']}", json={"should_soft_delete": False})
        assert (deleted.status_code, deleted.json()) == (200, {})
        assert refusal(call("GET", f"{USERS}/{user['id']}")) == (404, "user_not_found")

    def test_leave_their_id_behind_when_asked(self, auth, call):
        user = auth.sign_up().json()["user"]
        assert call("DELETE", f"{USERS}/{user['id']}", json={"should_soft_delete": True}).status_code == 200
        left = call("GET", f"{USERS}/{user['id']}").json()
        assert (left["email"], left["user_metadata"], left["identities"]) == ("", {}, [])
        assert "deleted_at" in left
        assert auth.sign_up().status_code == 200

    def test_are_deleted_without_a_body(self, auth, call):
        user = auth.sign_up().json()["user"]
        assert call("DELETE", f"{USERS}/{user['id']}").json() == {}

    @pytest.mark.parametrize(
        ("body", "answer"),
        [
            ({}, (400, "validation_failed")),
            ({"email": "ada@example.com"}, (422, "email_exists")),
            ({"email": "eve@example.com", "phone": "442079460000"}, (422, "phone_exists")),
            ({"email": "eve@example.com", "password": "short"}, (422, "weak_password")),
            ({"email": "eve@example.com", "password_hash": "x"}, (400, "validation_failed")),
            ({"email": "eve@example.com", "ban_duration": "x"}, (400, "validation_failed")),
            ({"email": "eve@example.com", "id": "x"}, (400, "validation_failed")),
            ({"email": ["eve@example.com"]}, (400, "validation_failed")),
        ],
    )
    def test_are_refused_in_the_words_of_the_protocol(self, call, body, answer):
        call("POST", USERS, json={"email": "ada@example.com", "phone": "442079460000"})
        assert refusal(call("POST", USERS, json=body)) == answer

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_have_a_uuid(self, call, method):
        body = {} if method == "PUT" else None
        assert refusal(call(method, f"{USERS}/ada", json=body)) == (404, "validation_failed")
        assert refusal(call(method, f"{USERS}/{uuid4()}", json=body)) == (404, "user_not_found")


class TestList:
    @pytest.fixture
    def three(self, call):
        for name in ("ada", "eve", "adam"):
            call("POST", USERS, json={"email": f"{name}@example.com"})

    def emails(self, response):
        return [user["email"].partition("@")[0] for user in response.json()["users"]]

    def test_is_paged_as_clients_parse_it(self, call, three):
        first = call("GET", USERS, params={"page": "1", "per_page": "2"})
        assert self.emails(first) == ["adam", "eve"]
        assert first.json()["aud"] == "authenticated"
        assert first.headers["x-total-count"] == "3"
        assert first.headers["link"] == (
            f'<{USERS}?page=2&per_page=2>; rel="next", <{USERS}?page=2&per_page=2>; rel="last"'
        )
        last = call("GET", USERS, params={"page": "2", "per_page": "2"})
        assert self.emails(last) == ["ada"]
        assert last.headers["link"] == f'<{USERS}?page=2&per_page=2>; rel="last"'

    def test_shows_fifty_when_clients_do_not_care(self, call, three):
        everybody = call("GET", USERS, params={"page": "", "per_page": ""})
        assert len(everybody.json()["users"]) == 3
        assert everybody.headers["link"] == f'<{USERS}?page=1&per_page=50>; rel="last"'
        assert "pagination" not in everybody.json()

    def test_can_be_empty(self, call):
        nobody = call("GET", USERS)
        assert nobody.json() == {"users": [], "aud": "authenticated"}
        assert (nobody.headers["x-total-count"], nobody.headers["link"]) == (
            "0",
            f'<{USERS}?page=0&per_page=50>; rel="last"',
        )

    def test_finds_addresses(self, call, three):
        assert self.emails(call("GET", USERS, params={"email": "EVE@example.com"})) == ["eve"]
        found = call("GET", USERS, params={"filter": "Ada", "per_page": "1"})
        assert self.emails(found) == ["adam"]
        assert found.headers["x-total-count"] == "2"
        assert f"<{USERS}?page=2&per_page=1&filter=Ada>" in found.headers["link"]

    def test_goes_on_from_cursors(self, call, three):
        first = call("GET", USERS, params={"cursor": "", "per_page": "2"})
        assert self.emails(first) == ["adam", "eve"]
        assert first.json()["pagination"]["has_more"]
        cursor = first.json()["pagination"]["next_cursor"]
        assert first.headers["link"] == f'<{USERS}?cursor={cursor}&per_page=2>; rel="next"'
        call("POST", USERS, json={"email": "new@example.com"})
        rest = call("GET", USERS, params={"cursor": cursor, "per_page": "2"})
        assert self.emails(rest) == ["ada"]
        assert rest.json()["pagination"] == {"has_more": False}
        assert "link" not in rest.headers

    @pytest.mark.parametrize(
        "query",
        [
            {"page": "x"},
            {"page": "-1"},
            {"page": "1.5"},
            {"page": "9" * 30},
            {"page": "१"},
            {"per_page": "0"},
            {"per_page": "x"},
            {"cursor": "x"},
            {"cursor": "e30"},
            {"cursor": "bnVsbA"},
            {"cursor": "WyIyMDI2LTAzLTAxVDEyOjAwOjAwIiwiOGY5NWI0ZWItNDUzYi00Yzc2LTkzMWUtOGU0YTBjNzU4MDNlIl0"},
        ],
    )
    def test_refuses_pages_there_cannot_be(self, call, query):
        assert refusal(call("GET", USERS, params=query)) == (400, "validation_failed")

    @pytest.mark.parametrize(("path", "name"), [(USERS, "email"), (USERS, "filter"), (AUDIT, "query")])
    def test_refuses_what_no_database_can_look_for(self, call, path, name):
        assert refusal(call("GET", path, params={name: "author:\x00"})) == (400, "validation_failed")


class TestPaging:
    def test_gives_at_most_a_thousand_and_leads_to_the_rest(self):
        page = Page.read("1", "5000")
        assert page.headers("/x", total=2500, query={})["Link"] == (
            '</x?page=2&per_page=1000>; rel="next", </x?page=3&per_page=1000>; rel="last"'
        )

    @given(st.text(max_size=30), st.text(max_size=30))
    def test_reads_numbers_or_refuses(self, page, per_page):
        try:
            read = Page.read(page, per_page)
        except InvalidRequest:
            return
        assert 1 <= read.number <= MAX_PAGE
        assert 1 <= read.per_page <= 1000

    @given(st.datetimes(timezones=st.just(UTC)), st.uuids())
    def test_writes_cursors_it_reads(self, created_at, user_id):
        cursor = UserCursor(created_at, user_id)
        assert read_cursor(write_cursor(cursor)) == cursor

    @given(st.text(max_size=60))
    def test_refuses_cursors_it_never_wrote(self, text):
        with suppress(InvalidRequest):
            assert (read_cursor(text), text) == (None, "")


class TestFactors:
    @pytest.fixture
    def user(self, auth):
        """Somebody who began to set up an authenticator app: their session."""
        session = auth.sign_up().json()
        body = {"factor_type": "totp", "friendly_name": "phone"}
        auth.client.post("/auth/v1/factors", json=body, headers=bearer(session["access_token"]))
        return session["user"]

    def test_are_shown_and_taken_off(self, call, user, audit):
        path = f"{USERS}/{user['id']}/factors"
        (factor,) = call("GET", path).json()
        assert (factor["friendly_name"], factor["factor_type"], factor["status"]) == (
            "phone", "totp", "unverified",
        )  # fmt: skip
        assert call("DELETE", f"{path}/{factor['id']}").json() == factor
        assert call("GET", path).json() == []
        entry = audit()[-1]
        assert (entry.action, entry.actor_id) == (AuditAction.FACTOR_DELETED, None)
        assert entry.traits == {"user_id": user["id"], "factor_id": factor["id"]}

    def test_belong_to_their_user(self, auth, call, user):
        eve = auth.sign_up("eve@example.com").json()["user"]
        (factor,) = call("GET", f"{USERS}/{user['id']}/factors").json()
        answer = call("DELETE", f"{USERS}/{eve['id']}/factors/{factor['id']}")
        assert refusal(answer) == (404, "mfa_factor_not_found")
        assert refusal(call("GET", f"{USERS}/{uuid4()}/factors")) == (404, "user_not_found")
        assert refusal(call("DELETE", f"{USERS}/{user['id']}/factors/x")) == (404, "validation_failed")
