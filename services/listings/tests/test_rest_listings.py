"""/api/listings over HTTP."""

import jsonschema_rs
import pytest

from cas_listings.domain.fields import FIELDS
from cas_listings.models import ServiceListing

from .conftest import PUBLISHABLE

PATH = "/api/listings"
PRIVATE = ("location_address", "location_postcode")
OWNERS = (
    *PRIVATE,
    "created_from_template",
    "allowed_actions",
    "publish_problems",
    "archived_at",
    "deletable_at",
)


def make(client, **fields):
    answer = client.post(PATH, json=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


class TestRoundTrip:
    @pytest.mark.parametrize("name", FIELDS)
    def test_every_field_comes_back(self, ada, examples, name):
        """Prevents: specializations, methods, qualifications dropped by a fixed column list."""
        needed = {"free_trial": True} if name == "trial_duration_minutes" else {}
        made = make(ada, **{name: examples[name]}, **needed)
        assert made[name] == examples[name]
        found = ada.get(f"{PATH}/{made['id']}").json()
        assert found[name] == examples[name]
        changed = ada.patch(f"{PATH}/{make(ada)['id']}", json={name: examples[name], **needed})
        assert changed.json()[name] == examples[name]

    def test_all_fields_together_come_back(self, ada, examples):
        made = make(ada, **examples)
        found = ada.get(f"{PATH}/{made['id']}").json()
        assert {name: found[name] for name in examples} == examples

    def test_what_was_read_can_be_saved_again_without_a_change(self, ada, examples):
        made = make(ada, **examples)
        found = ada.get(f"{PATH}/{made['id']}").json()
        answer = ada.patch(f"{PATH}/{made['id']}", json=found)
        assert answer.json() == found | {"ignored_fields": []}

    def test_by_the_document_what_was_read_can_be_sent_back(self, ada, app, examples):
        patched = app.openapi()["paths"][f"{PATH}/{{listing_id}}"]["patch"]
        described = jsonschema_rs.validator_for(
            patched["requestBody"]["content"]["application/json"]["schema"]
        )
        for made in (make(ada), make(ada, **examples)):
            described.validate(ada.get(f"{PATH}/{made['id']}").json())

    def test_examples_name_every_field(self, examples):
        assert examples.keys() == FIELDS.keys()


class TestWhatNobodyMaySay:
    def test_pictures_are_not_made_by_naming_them(self, ada):
        made = make(ada, images=["blob:https://cas.example/1", "https://elsewhere.example/cat.png"])
        assert (made["images"], made["image_details"], made["ignored_fields"]) == ([], [], [])

    @pytest.mark.parametrize("method", ["POST", "PATCH"])
    def test_no_column_is_written_by_its_name(self, ada, method):
        columns = {column.name for column in ServiceListing.__table__.columns}
        hidden = columns - FIELDS.keys() - {"status", "created_as_role"}
        body = dict.fromkeys(hidden, "intruder") | {"title": "Mine"}
        path = PATH if method == "POST" else f"{PATH}/{make(ada)['id']}"
        answer = ada.request(method, path, json=body)
        assert answer.is_success
        written = answer.json()
        assert "intruder" not in str({name: written[name] for name in written if name != "ignored_fields"})
        assert (written["view_count"], written["status"], written["title"]) == (0, "draft", "Mine")


class TestMaking:
    def test_needs_nothing(self, ada, owner):
        answer = ada.post(PATH, json={})
        made = answer.json()
        assert (answer.status_code, made["status"], made["title"]) == (201, "draft", "")
        assert answer.headers["Location"] == f"{PATH}/{made['id']}"
        assert answer.headers["ETag"] == '"1"'
        assert made["owner"] == {
            "id": str(owner.user_id),
            "display_name": "Ada Lovelace",
            "avatar_url": "https://pictures.example/ada.webp",
            "role": "tutor",
        }
        assert (made["languages"], made["location_country"], made["currency"]) == (
            ["English"],
            "United Kingdom",
            "GBP",
        )

    def test_without_a_token_is_401(self, client):
        assert client.post(PATH, json={}).status_code == 401

    def test_names_what_it_does_not_know(self, ada):
        assert make(ada, shoe_size=43, title="x")["ignored_fields"] == ["shoe_size"]

    def test_can_publish_at_once(self, ada, client):
        made = make(ada, **PUBLISHABLE, status="published")
        assert (made["status"], made["version"]) == ("published", 1)
        assert client.get(f"{PATH}/{made['id']}").status_code == 200

    def test_publishes_completely_or_makes_nothing(self, ada):
        answer = ada.post(PATH, json={"status": "published"})
        assert answer.status_code == 422
        fields = [problem["field"] for problem in answer.json()["errors"]]
        assert fields == ["title", "description", "subjects", "levels"]


class TestWhoSeesWhat:
    def test_a_draft_is_its_owners(self, ada, grace, client):
        made = make(ada)
        for path in (f"{PATH}/{made['id']}", f"{PATH}/slug/{made['slug']}"):
            assert ada.get(path).status_code == 200
            for somebody in (grace, client):
                answer = somebody.get(path)
                assert (answer.status_code, answer.json()["code"]) == (404, "listing-not-found")

    def test_the_public_sees_no_address(self, ada, grace, client, examples):
        made = make(ada, **examples | PUBLISHABLE, status="published")
        for somebody in (grace, client):
            shown = somebody.get(f"{PATH}/{made['id']}").json()
            assert shown.keys().isdisjoint(OWNERS)
            assert shown["location_postcode_area"] == "SW1A"
            assert "1AA" not in str(shown)
        assert set(OWNERS) <= ada.get(f"{PATH}/{made['id']}").json().keys()

    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    def test_nobody_changes_anothers(self, ada, grace, method):
        made = make(ada, **PUBLISHABLE, status="published")
        assert grace.request(method, f"{PATH}/{made['id']}", json={}).status_code == 404
        for action in ("publish", "unpublish", "pause", "archive"):
            assert grace.post(f"{PATH}/{made['id']}/{action}").status_code == 404

    @pytest.mark.parametrize("ident", ["00000000-0000-4000-8000-000000000000", "not-an-id"])
    def test_what_is_not_there_is_404(self, ada, ident):
        assert ada.get(f"{PATH}/{ident}").status_code == 404
        assert ada.patch(f"{PATH}/{ident}", json={}).status_code == 404
        assert ada.delete(f"{PATH}/{ident}").status_code == 404
        assert ada.get(f"{PATH}/slug/{ident}").status_code == 404

    def test_a_bad_token_is_401_even_where_none_is_needed(self, ada, client):
        made = make(ada, **PUBLISHABLE, status="published")
        answer = client.get(f"{PATH}/{made['id']}", headers={"Authorization": "Bearer x.y.z"})
        assert answer.status_code == 401
