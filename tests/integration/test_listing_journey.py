"""A tutor offers lessons, and somebody finds and reads the offer."""

from cas_kit.testing import until

WIZARD = {
    "subjects": ["mathematics", "computer_science"],
    "qualifications": {
        "experience": "expert",
        "education": "masters",
        "certifications": ["teaching-certificate"],
        "bio": "I have taught mathematics to pupils of every age for more than ten years.",
    },
    "availability": {
        "hourlyRate": 40,
        "availability": ["weekday_morning"],
        "sessionTypes": ["one_on_one", "online"],
    },
}
REST_OF_IT = {
    "title": "GCSE Mathematics with patience",
    "description": "Ten years of teaching, one pupil at a time, and no question too small to ask.",
    "levels": ["GCSE"],
    "location_postcode": "SW1A 1AA",
}
BROWSER = {"User-Agent": "Mozilla/5.0 Firefox/140.0"}


class TestATutorOffersLessons:
    def test_and_somebody_reads_the_offer(self, ada, new_person):
        ada.save(5, "tutor", WIZARD, is_complete=True)
        assert ada.get("/api/profile").json()["roles"] == ["tutor"]
        made = ada.http.post(
            "/api/listings/from-template", json={"role_type": "provider", "overrides": REST_OF_IT}
        )
        assert made.status_code == 201, made.text
        draft = made.json()
        assert (draft["subjects"], draft["teaching_experience"]) == (
            ["Mathematics", "Computer Science"],
            "5-10",
        )
        assert (draft["hourly_rate"], draft["hourly_rate_min"], draft["hourly_rate_max"]) == (40, 40, 50)
        assert draft["prefilled_fields"][:2] == ["subjects", "teaching_experience"]
        assert (draft["publish_problems"], draft["owner"]["display_name"]) == ([], "Ada Lovelace")

        grace = new_person("Grace Hopper")
        address = f"/api/listings/slug/{draft['slug']}"
        assert grace.get(address).status_code == 404
        published = ada.http.post(f"/api/listings/{draft['id']}/publish", headers={"If-Match": '"1"'})
        assert (published.status_code, published.json()["status"]) == (200, "published")

        read = grace.get(address)
        assert (read.status_code, read.json()["id"]) == (200, draft["id"])
        assert "SW1A 1AA" not in read.text
        viewed = grace.http.post(f"/api/listings/{draft['id']}/views", headers=BROWSER)
        assert viewed.json() == {"counted": True, "view_count": 1}
        asked = grace.http.post(f"/api/listings/{draft['id']}/inquiries", headers=BROWSER)
        assert asked.json() == {"counted": True, "inquiry_count": 1}
        mine = ada.get("/api/listings/mine", params={"status": "published"}).json()
        assert (mine["total"], mine["listings"][0]["view_count"]) == (1, 1)

    def test_under_a_name_that_changes_everywhere(self, ada, new_person):
        """Prevents: an offer under a name its owner gave up."""
        listing = ada.http.post(
            "/api/listings", json=REST_OF_IT | {"subjects": ["Physics"], "status": "published"}
        )
        assert listing.status_code == 201, listing.text
        ada.http.patch("/api/profile", json={"display_name": "Ada King"})
        visitor = new_person("Grace Hopper")

        def shown():
            return visitor.get(f"/api/listings/{listing.json()['id']}").json()["owner"]["display_name"]

        assert until(lambda: shown() == "Ada King")

    def test_and_changes_neither_template_nor_listing_with_the_other(self, ada):
        ada.save(5, "tutor", WIZARD, is_complete=True)
        made = ada.http.post("/api/listings/from-template", json={"role_type": "tutor"}).json()
        template = {"role_type": "tutor", "subjects": ["History"]}
        assert ada.http.patch("/api/account/professional-info", json=template).status_code == 200
        ada.http.patch(f"/api/listings/{made['id']}", json={"subjects": ["Physics"]})
        assert ada.get(f"/api/listings/{made['id']}").json()["subjects"] == ["Physics"]
        kept = ada.get("/api/account/professional-info", params={"role_type": "tutor"}).json()
        assert kept["subjects"] == ["History"]
