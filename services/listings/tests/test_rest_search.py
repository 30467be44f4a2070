"""Searching as clients see it, while listings come and go (docs/spec/domain.md 6.4, 7)."""

import json
from urllib.parse import quote
from uuid import uuid4

import pytest
from services.listings.tests.conftest import PUBLISHABLE
from services.listings.tests.hostile import ADDRESSES, HOSTILE

SEARCH, MARKETPLACE, SUGGEST = "/api/listings/search", "/api/marketplace/search", "/api/listings/suggest"
SENTENCE = "/api/ai/parse-query"


def publish(person, **fields) -> str:
    answer = person.post("/api/listings", json={**PUBLISHABLE, **fields, "status": "published"})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def titles(client, path=SEARCH, **parameters) -> list[str]:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return [listing["title"] for listing in answer.json()["listings"]]


class TestAtOnce:
    """*Prevents*: cached searches that hid new listings."""

    def test_a_published_listing_is_found(self, ada, client):
        publish(ada, title="Juggling with five balls")
        for path in (SEARCH, MARKETPLACE):
            assert titles(client, path) == ["Juggling with five balls"]
            assert titles(client, path, search="juggling") == ["Juggling with five balls"]
        assert [
            each["label"] for each in client.get(SUGGEST, params={"q": "jugg"}).json()["suggestions"]
        ] == ["Juggling with five balls"]

    def test_a_change_is_found(self, ada, client):
        listing = publish(ada, title="Juggling with five balls")
        ada.patch(f"/api/listings/{listing}", json={"title": "Juggling with seven clubs"})
        assert titles(client, q="clubs") == ["Juggling with seven clubs"]
        assert titles(client, q="five balls") == []

    @pytest.mark.parametrize("action", ["unpublish", "pause"])
    def test_a_hidden_listing_is_gone(self, ada, client, action):
        listing = publish(ada, title="Juggling with five balls", location_city="Leeds")
        ada.post(f"/api/listings/{listing}/{action}")
        assert titles(client) == []
        assert client.get(SUGGEST, params={"q": "jugg"}).json() == {"suggestions": []}
        assert client.get(SUGGEST, params={"q": "leed"}).json() == {"suggestions": []}
        ada.post(f"/api/listings/{listing}/publish")
        assert titles(client, q="juggling") == ["Juggling with five balls"]

    def test_a_draft_never_was(self, ada, client):
        ada.post("/api/listings", json=PUBLISHABLE)
        assert titles(ada) == titles(client) == []

    def test_a_view_counts_for_the_order(self, ada, client):
        publish(ada, title="Published first of the two")
        seen = publish(ada, title="Published last of the two")
        client.post(
            f"/api/listings/{seen}/views", headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/130"}
        )
        assert titles(client, sort="popular")[0] == "Published last of the two"


class TestText:
    def test_ranks_titles_over_options_over_descriptions_over_owners(self, ada, client):
        text = "Fifty characters and more are wanted of whoever describes something"
        publish(ada, title="In its description", description=f"{text}: juggling")
        publish(ada, title="Juggling in the title", description=text)
        publish(ada, title="Among its options", description=text, tags=["Juggling"])
        assert titles(client, q="juggling") == [
            "Juggling in the title",
            "Among its options",
            "In its description",
        ]
        assert len(titles(client, q="lovelace")) == 3

    @pytest.mark.parametrize(
        ("title", "subjects", "q"),
        [
            ("Maths for everybody", ["Chess"], "numeracy"),
            ("Help for everybody", ["Maths"], "mathematics"),
            ("Help for everybody", ["French"], "MFL"),
            ("MFL for everybody", ["Chess"], "modern foreign languages"),
            ("KS4 for everybody", ["Chess"], "key stage 4"),
            ("Crème brûlée for everybody", ["Chess"], "creme brulee"),
            ("Creme brulee for everybody", ["Chess"], "CRÈME"),
            ("Teaching for everybody", ["Chess"], "teaches"),
            ("Mr Jones for everybody", ["Chess"], "jones"),
            ("Everybody sits GCSEs", ["Chess"], "gcse"),
            ("Mathematical puzzles for everybody", ["Chess"], "maths"),
            ("Help for everybody", ["Physical Education"], "PE -physics"),
            ("Nothing about anything", ["Chess"], '"about anything"'),
            ("Nothing about anything", ["Chess"], "football or anything"),
            ("Nothing about anything", ["Chess"], "anything -football"),
            ("Help for everybody", ["Maths"], "mathmatics"),
            ("Help for everybody", ["Chemistry"], "chemsitry"),
            ("Lessons in Birmingham", ["Chess"], "birmingam"),
        ],
    )
    def test_finds(self, ada, client, title, subjects, q):
        publish(ada, title=title, subjects=subjects, levels=["IB"])
        assert titles(client, q=q) == [title]

    @pytest.mark.parametrize("q", ["anything -nothing", "football", '"anything about"', "-everybody"])
    def test_does_not_find(self, ada, client, q):
        publish(ada, title="Nothing about anything", description=f"{'x ' * 30} everybody", subjects=["Chess"])
        assert titles(client, q=q) == []

    def test_puts_what_is_only_spelt_alike_below(self, ada, client):
        publish(ada, title="Phyzics for everybody", subjects=["Chess"])
        publish(ada, title="Physics for everybody", subjects=["Chess"])
        assert titles(client, q="phyzics") == ["Phyzics for everybody", "Physics for everybody"]

    def test_ranks_titles_over_options_also_when_misspelt(self, ada, client):
        publish(ada, title="Xylophonic lessons", subjects=["Chess"])
        publish(ada, title="Mathematics lessons", subjects=["Xylophonic"])
        assert titles(client, q="xylophnic") == ["Xylophonic lessons", "Mathematics lessons"]


class TestAnswer:
    def test_has_all_its_parts(self, ada, client):
        publish(ada, description="long " * 100, location_city="Leeds", location_address="1 Secret Street")
        answer = client.get(SEARCH, params={"q": "maths", "limit": 500})
        document = answer.json()
        assert document.keys() == {
            *("listings", "total", "total_is_exact", "limit", "offset", "next_cursor", "facets"),
            *("estimated_facets", "suggestions", "applied"),
        }
        assert document["estimated_facets"] == []
        assert (document["total"], document["limit"], document["offset"]) == (1, 100, 0)
        assert document["applied"] == {"q": "maths", "sort": "relevance"}
        assert document["suggestions"] is document["next_cursor"] is None
        assert answer.headers["X-Total-Count"] == "1"
        [card] = document["listings"]
        assert len(card["description"]) == 300
        assert card["images"] == card["tags"] == []
        assert "Secret" not in answer.text
        assert not {"location_address", "location_postcode", "allowed_actions"} & card.keys()

    def test_is_the_same_for_everybody_and_revalidated(self, ada, client):
        publish(ada)
        answer = client.get(SEARCH)
        assert ada.get(SEARCH).content == answer.content
        assert answer.headers["Cache-Control"] == "no-cache"
        unchanged = client.get(SEARCH, headers={"If-None-Match": answer.headers["ETag"]})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        publish(ada)
        assert client.get(SEARCH, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 200

    def test_of_a_body_is_that_of_an_address(self, ada, client):
        publish(ada, hourly_rate=30)
        body = {"filters": {"search": "maths", "subjects": ["Maths"], "min_price": 30}, "limit": 5}
        by_body = client.post(MARKETPLACE, json=body).json()
        assert (
            by_body
            == client.get(
                MARKETPLACE, params={"search": "maths", "subjects": "Maths", "min_price": 30, "limit": 5}
            ).json()
        )
        assert by_body["total"] == 1
        assert client.post(MARKETPLACE).json()["total"] == 1

    def test_links_to_the_page_after_it(self, ada, client):
        for title in ("Maths & more, one", "Maths & more, two", "Maths & more, three"):
            publish(ada, title=title)
        shown, address = [], f"{MARKETPLACE}?search=maths%20%26%20more&subjects=Maths&limit=1&facets=false"
        while address:
            answer = client.get(address)
            shown += [listing["title"] for listing in answer.json()["listings"]]
            address = answer.links.get("next", {}).get("url")
        assert shown == ["Maths & more, three", "Maths & more, two", "Maths & more, one"]
        assert "Link" not in answer.headers

    def test_links_to_the_page_before_it_by_offset(self, ada, client):
        for title in ("Number one of three", "Number two of three", "Number three of three"):
            publish(ada, title=title)
        links = client.get(SEARCH, params={"limit": 2, "offset": 1}).links
        assert links.keys() == {"prev"}
        assert links["prev"]["url"] == f"{SEARCH}?limit=2&offset=0"

    def test_has_no_link_where_a_body_asked_or_an_address_is_long(self, ada, client):
        """*Prevents*: a header that a gateway refuses, and a link that loses the filters of a body."""
        for _ in range(2):
            publish(ada)
        by_body = client.post(MARKETPLACE, json={"limit": 1})
        by_address = client.get(SEARCH, params={"limit": 1, "unknown": "x" * 2000})
        for answer in (by_body, by_address):
            assert answer.json()["next_cursor"]
            assert "Link" not in answer.headers

    def test_may_leave_facets_out(self, client):
        assert client.get(SEARCH, params={"facets": "false"}).json()["facets"] == {}

    def test_of_a_search_without_results_says_what_would_find_something(self, ada, client):
        publish(
            ada,
            title="French for everybody",
            subjects=["French"],
            location_type="in_person",
            location_city="Bradford",
        )
        nothing = client.get(
            SEARCH, params={"q": "frnech", "city": "Leeds", "subjects": "Spanish", "facets": "false"}
        )
        assert nothing.json()["suggestions"] == {"did_you_mean": None, "relax": [], "nearby": []}
        by_city = client.get(SEARCH, params={"city": "Leeds", "subjects": "French"}).json()["suggestions"]
        assert by_city["relax"] == [{"drop": "city", "total": 1}]
        assert by_city["nearby"] == [{"kind": "city", "id": "bradford", "label": "Bradford", "count": 1}]
        by_subject = client.get(SEARCH, params={"subjects": "Spanish"}).json()["suggestions"]
        assert {"kind": "subject", "id": "french", "label": "French", "count": 1} in by_subject["nearby"]
        misspelt = client.get(SEARCH, params={"q": 'frnech -"exam"'}).json()["suggestions"]
        assert misspelt["did_you_mean"] == 'french -"exam"'


class TestRefusals:
    @pytest.mark.parametrize("path", [SEARCH, MARKETPLACE])
    @pytest.mark.parametrize(
        "query",
        [
            "min_price=x",
            "min_price=3&max_price=2",
            "sort=x",
            "sort_order=x",
            "location_type=x",
            "cursor=x",
            "limit=0",
        ],
    )
    def test_are_422_with_words(self, client, path, query):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert isinstance(answer.json()["detail"], str)
        assert ("error" in answer.json()) == (path == MARKETPLACE)

    def test_of_a_bad_token(self, client):
        for path in (SEARCH, MARKETPLACE, f"{SUGGEST}?q=ma"):
            assert client.get(path, headers={"Authorization": "Bearer nonsense"}).status_code == 401

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_do_not_hit_texts(self, client, text):
        """*Prevents*: a 500 for what somebody typed."""
        for path in (SEARCH, MARKETPLACE, SUGGEST):
            answer = client.get(f"{path}?q={quote(text, errors='surrogatepass')}")
            assert answer.status_code in {200, 422}
        for path, body in ((MARKETPLACE, {"filters": {"search": text}}), (SENTENCE, {"query": text})):
            answer = client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
            assert answer.status_code in {200, 400, 422}

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_do_not_hit_what_is_not_encoded(self, client, address):
        for path in (SEARCH, MARKETPLACE, SUGGEST):
            assert client.get(f"{path}?q={address}").status_code in {200, 422}


class TestSuggest:
    def test_suggests_beginnings_before_what_stands_within_before_what_is_alike(self, ada, client):
        publish(ada, title="Artful juggling", location_type="in_person", location_city="Arbroath")
        publish(ada, title="The art of juggling")
        suggestions = client.get(SUGGEST, params={"q": "ART"}).json()["suggestions"]
        assert [(each["type"], each["label"]) for each in suggestions][:4] == [
            ("subject", "Art"),
            ("subject", "Arts"),
            ("title", "Artful juggling"),
            ("subject", "Drama"),
        ]
        assert ("title", "The art of juggling") in [(each["type"], each["label"]) for each in suggestions]

    def test_knows_aliases_accents_and_misspelt_words(self, ada, client):
        listing = publish(ada, title="Zürich calling everybody", subjects=["MFL"])
        assert client.get(SUGGEST, params={"q": "mfl"}).json()["suggestions"] == [
            {"type": "subject", "id": "languages", "label": "Languages", "count": 1}
        ]
        [title] = client.get(SUGGEST, params={"q": "zurich"}).json()["suggestions"]
        slug = client.get(f"/api/listings/{listing}").json()["slug"]
        assert title == {
            "type": "title",
            "id": listing,
            "label": "Zürich calling everybody",
            "count": 1,
            "slug": slug,
        }
        assert client.get(SUGGEST, params={"q": "mathmatics"}).json()["suggestions"][0]["id"] == "mathematics"

    def test_has_at_most_ten(self, ada, client):
        for number in range(12):
            publish(ada, title=f"Juggling number {number}")
        assert len(client.get(SUGGEST, params={"q": "juggling", "limit": 50}).json()["suggestions"]) == 10
        assert len(client.get(SUGGEST, params={"q": "juggling", "limit": 3}).json()["suggestions"]) == 3

    @pytest.mark.parametrize(
        ("query", "status"),
        [("q=a", 200), ("", 422), ("q=", 422), (f"q={'x' * 101}", 422), ("q=ab&limit=0", 422)],
    )
    def test_wants_two_to_a_hundred_characters(self, client, query, status):
        answer = client.get(f"{SUGGEST}?{query}")
        assert answer.status_code == status
        assert status == 422 or answer.json() == {"suggestions": []}


class TestSentences:
    def test_become_filters_that_the_search_accepts(self, ada, client):
        publish(ada, hourly_rate=25, location_type="in_person", location_city="Nether Wallop")
        parsed = client.post(SENTENCE, json={"query": "gcse maths in nether wallop under £30"}).json()
        assert parsed == {
            "subjects": ["Mathematics"],
            "levels": ["GCSE"],
            "location": "Nether Wallop",
            "locationType": None,
            "minPrice": None,
            "maxPrice": 30.0,
            "freeTrialOnly": None,
            "intent": "specific_request",
            "confidence": 0.9,
            "interpretedQuery": "GCSE Mathematics tutors in Nether Wallop up to £30 per hour",
            "subjectIds": ["mathematics"],
            "levelIds": ["gcse"],
            "terms": [],
        }
        filters = {
            "subjects": parsed["subjects"],
            "levels": parsed["levels"],
            "location_city": parsed["location"],
            "max_price": parsed["maxPrice"],
        }
        assert client.post(MARKETPLACE, json={"filters": filters}).json()["total"] == 1

    @pytest.mark.parametrize(
        "body", [{}, {"query": ""}, {"query": " "}, {"query": "x" * 501}, {"query": 3}, [], None]
    )
    def test_are_needed(self, client, body):
        answer = client.post(SENTENCE, json=body)
        assert answer.status_code == 400
        assert answer.json()["error"] == answer.json()["detail"]


def test_ids_of_listings_still_lead_to_them(client):
    """The fixed paths stand beside /api/listings/{id}."""
    assert client.get(f"/api/listings/{uuid4()}").status_code == 404
