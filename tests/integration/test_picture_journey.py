"""Somebody adds pictures to a listing, publishes it, and another person looks at them."""

import pytest

from cas_kit.testing import until
from cas_kit.testing.photos import drawn, photo, tagged

LISTING = {
    "title": "GCSE Mathematics with patience",
    "description": "Ten years of teaching, one pupil at a time, and no question too small to ask.",
    "subjects": ["Mathematics"],
    "levels": ["GCSE"],
}


@pytest.fixture
def listing(ada):
    return f"/api/listings/{ada.http.post('/api/listings', json=LISTING).json()['id']}"


class TestPicturesOfAListing:
    def test_are_uploaded_processed_ordered_published_and_seen(self, ada, new_person, listing):
        grace = new_person("Grace Hopper")
        files = [
            ("files", ("wide.jpg", tagged(drawn(1600, 900), orientation=6))),
            ("files", ("small.png", photo(".png", image=drawn(200, 100)))),
            ("files", ("notes.txt", b"no picture")),
        ]
        answer = ada.http.post(f"{listing}/images", files=files)
        assert answer.status_code == 202, answer.text
        wide, small = answer.json()["images"]
        assert [each["code"] for each in answer.json()["rejected"]] == ["unsupported-image-type"]

        def states():
            return {image["state"] for image in ada.get(listing).json()["image_details"]}

        until(lambda: states() == {"ready"}, within=30)
        order = {
            "images": [{"id": wide["id"], "alt_text": "My desk"}, {"id": small["id"]}],
            "cover_id": small["id"],
        }
        assert ada.http.patch(f"{listing}/images", json=order).status_code == 200
        assert ada.http.post(f"{listing}/publish").status_code == 200

        seen = grace.get(listing).json()
        assert [image["id"] for image in seen["image_details"]] == [small["id"], wide["id"]]
        assert (seen["image_details"][1]["width"], seen["image_details"][1]["height"]) == (900, 1600)
        for address in seen["images"]:
            file = grace.get(address)
            assert (file.status_code, file.headers["content-type"]) == (200, "image/webp")

    def test_of_more_than_a_body_may_have_are_refused(self, ada, listing):
        too_large = b"\x00" * (5 * 1024 * 1024 + 1)
        answer = ada.http.post(f"{listing}/images", files={"files": ("large.jpg", too_large)})
        assert (answer.status_code, answer.json()["code"]) == (413, "file-too-large")
