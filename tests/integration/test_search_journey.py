"""Somebody looks for lessons, in their own words, and finds what is offered and nothing else."""

from uuid import uuid4

from cas_kit.testing import until

SEARCH = "/api/listings/search"


def offer(word: str) -> dict[str, object]:
    return {
        "title": f"GCSE Mathematics, the {word} way",
        "description": "Ten years of teaching, one pupil at a time, and no question too small to ask.",
        "subjects": ["Maths"],
        "levels": ["GCSE"],
        "location_type": "in_person",
        "location_city": "Leeds",
        "hourly_rate": 28,
        "status": "published",
    }


class TestSomebodyLooksForLessons:
    def test_and_finds_them_from_publication_to_the_end(self, ada, new_person):
        word = f"w{uuid4().hex[:12]}"
        made = ada.http.post("/api/listings", json=offer(word))
        assert made.status_code == 201, made.text
        grace = new_person("Grace Hopper")

        def found(person, **parameters):
            answer = person.get(SEARCH, params={"q": word, **parameters})
            assert answer.status_code == 200, answer.text
            return [listing["id"] for listing in answer.json()["listings"]]

        listing = made.json()["id"]
        assert found(ada) == found(grace) == [listing]
        sentence = grace.http.post(
            "/api/ai/parse-query", json={"query": "gcse maths in leeds under £30"}
        ).json()
        filters = {
            "search": word,
            "subjects": sentence["subjects"],
            "levels": sentence["levels"],
            "location_city": sentence["location"],
            "max_price": sentence["maxPrice"],
        }
        marketplace = grace.http.post("/api/marketplace/search", json={"filters": filters})
        assert [each["id"] for each in marketplace.json()["listings"]] == [listing]
        suggested = grace.get("/api/listings/suggest", params={"q": word[:6]}).json()["suggestions"]
        assert listing in [each["id"] for each in suggested]
        assert found(grace, city="York") == []

        ada.http.post(f"/api/listings/{listing}/unpublish")
        assert found(ada) == found(grace) == []
        assert grace.get("/api/listings/suggest", params={"q": word}).json() == {"suggestions": []}

    def test_by_the_name_an_owner_has_now(self, ada, new_person):
        made = ada.http.post("/api/listings", json=offer("old"))
        name = f"Ada n{uuid4().hex[:12]}"
        ada.http.patch("/api/profile", json={"display_name": name})
        visitor = new_person("Grace Hopper")

        def found():
            answer = visitor.get(SEARCH, params={"q": name.split()[1]}).json()
            return [listing["id"] for listing in answer["listings"]]

        assert until(lambda: found() == [made.json()["id"]])
