"""Publishing, hiding, archiving, removing and copying over HTTP."""

import pytest

from .conftest import PUBLISHABLE

PATH = "/api/listings"


@pytest.fixture
def draft(ada):
    return ada.post(PATH, json=PUBLISHABLE).json()


def act(client, listing, action, **headers):
    return client.post(f"{PATH}/{listing['id']}/{action}", headers=headers)


class TestTransitions:
    def test_answer_the_listing_as_it_is_now(self, ada, draft):
        for version, (action, status) in enumerate(
            (("publish", "published"), ("unpublish", "unpublished"), ("archive", "archived")), start=2
        ):
            answer = act(ada, draft, action)
            assert (answer.status_code, answer.json()["status"]) == (200, status)
            assert (answer.headers["ETag"], answer.json()["version"]) == (f'"{version}"', version)

    def test_repeated_change_nothing(self, ada, draft):
        first = act(ada, draft, "publish").json()
        assert act(ada, draft, "publish").json() == first

    def test_pause_is_unpublish(self, ada, draft):
        act(ada, draft, "publish")
        assert act(ada, draft, "pause").json()["status"] == "unpublished"

    def test_that_are_not_allowed_say_what_is(self, ada, draft):
        act(ada, draft, "publish")
        answer = act(ada, draft, "archive")
        body = answer.json()
        assert (answer.status_code, body["code"], body["current_status"]) == (
            409,
            "illegal-transition",
            "published",
        )
        assert body["allowed_actions"] == ["edit", "unpublish", "duplicate"]
        assert body["detail"] == body["message"] == "A published listing cannot be archived."

    def test_of_an_empty_draft_name_four_fields(self, ada):
        empty = ada.post(PATH, json={}).json()
        answer = act(ada, empty, "publish")
        assert answer.status_code == 422
        fields = [problem["field"] for problem in answer.json()["errors"]]
        assert fields == ["title", "description", "subjects", "levels"]
        assert [problem["field"] for problem in empty["publish_problems"]] == fields

    def test_hide_at_once(self, ada, client, draft):
        act(ada, draft, "publish")
        assert client.get(f"{PATH}/{draft['id']}").status_code == 200
        act(ada, draft, "unpublish")
        assert client.get(f"{PATH}/{draft['id']}").status_code == 404
        assert client.get(f"{PATH}/slug/{draft['slug']}").status_code == 404


class TestChangesOfAPublishedListing:
    def test_follow_the_rules_of_publishing(self, ada, draft):
        act(ada, draft, "publish")
        answer = ada.patch(f"{PATH}/{draft['id']}", json={"levels": []})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "levels")
        assert ada.get(f"{PATH}/{draft['id']}").json()["levels"] == PUBLISHABLE["levels"]

    def test_move_its_address(self, ada, client, draft):
        act(ada, draft, "publish")
        ada.patch(f"{PATH}/{draft['id']}", json={"title": "Mathematics for everybody"})
        answer = client.get(f"{PATH}/slug/{draft['slug']}", follow_redirects=False)
        assert answer.status_code == 308
        found = client.get(answer.headers["Location"])
        assert (found.status_code, found.json()["title"]) == (200, "Mathematics for everybody")


class TestDeletion:
    def test_of_a_draft(self, ada, draft):
        answer = ada.delete(f"{PATH}/{draft['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert ada.get(f"{PATH}/{draft['id']}").status_code == 404
        assert ada.delete(f"{PATH}/{draft['id']}").status_code == 404

    def test_of_an_archived_listing_says_when(self, ada, draft):
        archived = act(ada, draft, "archive").json()
        answer = ada.delete(f"{PATH}/{draft['id']}")
        assert (answer.status_code, answer.json()["code"]) == (409, "deletion-not-allowed")
        assert answer.json()["deletable_at"][:16] == archived["deletable_at"][:16]
        assert answer.json()["allowed_actions"] == ["duplicate"]

    def test_of_a_published_listing_asks_to_archive_it_first(self, ada, draft):
        act(ada, draft, "publish")
        answer = ada.delete(f"{PATH}/{draft['id']}")
        assert (answer.status_code, answer.json()["current_status"]) == (409, "published")


class TestCopies:
    def test_are_new_drafts(self, ada, draft):
        act(ada, draft, "publish")
        answer = act(ada, draft, "duplicate")
        copy = answer.json()
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"{PATH}/{copy['id']}"
        assert (copy["status"], copy["title"]) == ("draft", f"{PUBLISHABLE['title']} (copy)")
        assert copy["published_at"] is None


class TestVersions:
    @pytest.mark.parametrize("method", ["PATCH", "DELETE", "POST"])
    def test_if_match_refuses_another_one_and_a_missing_thing(self, ada, draft, method):
        def write(tag, ident=draft["id"]):
            path = f"{PATH}/{ident}/publish" if method == "POST" else f"{PATH}/{ident}"
            return ada.request(method, path, json={}, headers={"If-Match": tag})

        missing = write("*", "00000000-0000-4000-8000-000000000000")
        assert (missing.status_code, missing.json()["version"]) == (412, None)
        other = write('"9"')
        assert (other.status_code, other.headers["ETag"], other.json()["version"]) == (412, '"1"', 1)
        assert write('"1"').is_success

    def test_a_new_listing_matches_none(self, ada):
        assert ada.post(PATH, json={}, headers={"If-Match": "*"}).status_code == 412

    def test_if_none_match_saves_the_answer(self, ada, client, draft):
        act(ada, draft, "publish")
        for somebody, caching in ((ada, "private, no-cache"), (client, "no-cache")):
            for path in (f"{PATH}/{draft['id']}", f"{PATH}/slug/{draft['slug']}"):
                answer = somebody.get(path, headers={"If-None-Match": '"2"'})
                assert (answer.status_code, answer.content) == (304, b"")
                assert (answer.headers["ETag"], answer.headers["Cache-Control"]) == ('"2"', caching)
                assert answer.headers["Vary"] == "Authorization"


class TestIdempotency:
    def test_one_key_makes_one_listing(self, ada):
        keyed = {"Idempotency-Key": "a-key"}
        first, again = (ada.post(PATH, json={"title": "x"}, headers=keyed) for _ in range(2))
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.headers["Location"] == first.headers["Location"]
        assert ada.get(f"{PATH}/mine").json()["total"] == 1

    def test_refusals_are_repeated_too(self, ada, draft):
        keyed = {"Idempotency-Key": "a-key"}
        path = f"{PATH}/{draft['id']}/unpublish"
        assert [ada.post(path, headers=keyed).status_code for _ in range(2)] == [409, 409]

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            (PATH, {"title": 5}, 422),
            (f"{PATH}/from-template", {"role_type": "tutor"}, 404),
            (f"{PATH}/from-template", {"role_type": "king"}, 422),
        ],
    )
    def test_refusals_of_new_listings_too(self, ada, path, body, status):
        keyed = {"Idempotency-Key": "a-key"}
        first, again = (ada.post(path, json=body, headers=keyed) for _ in range(2))
        assert (first.status_code, again.status_code, again.content) == (status, status, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
