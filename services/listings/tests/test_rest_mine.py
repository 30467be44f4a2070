"""The list of one's own listings."""

import pytest

from .conftest import PUBLISHABLE

PATH = "/api/listings/mine"


@pytest.fixture
def listings(ada):
    """Two drafts, one published, one hidden, one archived; the oldest first."""
    made = []
    for status in ("draft", "draft", "published", "published", "draft"):
        document = PUBLISHABLE | {"title": f"Listing number {len(made)}", "status": status}
        made.append(ada.post("/api/listings", json=document).json()["id"])
    ada.post(f"/api/listings/{made[3]}/unpublish")
    ada.post(f"/api/listings/{made[4]}/archive")
    return made


def ids(answer):
    return [listing["id"] for listing in answer.json()["listings"]]


class TestList:
    def test_shows_the_newest_first(self, ada, listings):
        answer = ada.get(PATH)
        assert ids(answer) == listings[::-1]
        body = answer.json()
        assert (body["total"], body["limit"], body["offset"]) == (5, 20, 0)
        assert body["counts"] == {"draft": 2, "published": 1, "unpublished": 1, "archived": 1}
        assert answer.headers["X-Total-Count"] == "5"
        assert "Link" not in answer.headers

    def test_shows_what_the_owner_sees(self, ada, listings):
        listing = ada.get(PATH).json()["listings"][0]
        assert listing == ada.get(f"/api/listings/{listings[-1]}").json()

    @pytest.mark.parametrize(
        ("status", "places"), [("draft", [1, 0]), ("paused", [3]), ("archived", [4]), ("published", [2])]
    )
    def test_can_be_of_one_state(self, ada, listings, status, places):
        answer = ada.get(PATH, params={"status": status})
        assert ids(answer) == [listings[place] for place in places]
        assert answer.json()["total"] == len(places)
        assert sum(answer.json()["counts"].values()) == 5

    def test_can_be_of_one_role(self, ada, listings):
        assert ada.get(PATH, params={"role": "provider"}).json()["total"] == 5
        nothing = ada.get(PATH, params={"role": "client"}).json()
        assert (nothing["total"], nothing["listings"]) == (0, [])
        assert set(nothing["counts"].values()) == {0}

    def test_can_show_the_most_seen_first(self, ada, client, listings):
        seen = listings[2]
        client.post(f"/api/listings/{seen}/views", headers={"User-Agent": "Firefox"})
        assert ids(ada.get(PATH, params={"sort": "performance"})) == [
            seen,
            *(each for each in listings[::-1] if each != seen),
        ]

    def test_can_be_ordered_by_state(self, ada, listings):
        found = ada.get(PATH, params={"sort": "status"}).json()["listings"]
        states = [listing["status"] for listing in found]
        assert states == ["published", "draft", "draft", "unpublished", "archived"]

    def test_comes_in_pages(self, ada, listings):
        first = ada.get(PATH, params={"limit": 2, "sort": "recent"})
        assert ids(first) == listings[:2:-1]
        following = first.headers["Link"].split(">")[0].removeprefix("<")
        second = ada.get(following)
        assert (ids(second), second.json()["offset"]) == (listings[2:0:-1], 2)
        assert 'rel="next"' in second.headers["Link"]
        assert 'rel="prev"' in second.headers["Link"]
        last = ada.get(PATH, params={"limit": 2, "offset": 4})
        assert 'rel="next"' not in last.headers["Link"]

    def test_serves_a_hundred_at_most(self, ada):
        assert ada.get(PATH, params={"limit": 1000}).json()["limit"] == 100

    @pytest.mark.parametrize(
        "params",
        [
            {"limit": 0},
            {"limit": "x"},
            {"offset": -1},
            {"offset": 10001},
            {"sort": "x"},
            {"status": "gone"},
            {"role": "king"},
        ],
        ids=str,
    )
    def test_refuses_malformed_questions(self, ada, params):
        answer = ada.get(PATH, params=params)
        assert answer.status_code == 422
        assert isinstance(answer.json()["detail"], str)

    def test_is_nobody_elses(self, client, grace, listings):
        assert client.get(PATH).status_code == 401
        assert grace.get(PATH).json()["total"] == 0
