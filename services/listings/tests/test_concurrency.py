"""Many at once: one effect, never a mixed state."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import func, select

from cas_kit.testing.photos import drawn, photo
from cas_listings.models import AuditEntry, ServiceListing

from .conftest import PUBLISHABLE

PATH = "/api/listings"


def all_at_once(app, requests):
    """The answers to requests that are under way together."""

    async def send():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://listings") as client:
            return await asyncio.gather(*(client.request(**request) for request in requests))

    return asyncio.run(send())


@pytest.fixture
def headers(issuer, owner):
    return issuer.bearer(owner.user_id)


@pytest.fixture
def listing(ada):
    return ada.post(PATH, json=PUBLISHABLE | {"status": "published"}).json()


def count(database, table, *where):
    with database.autocommit() as connection:
        return connection.scalar(select(func.count()).select_from(table).where(*where))


class TestTransitions:
    def test_of_one_kind_happen_once(self, app, database, headers, listing):
        url = f"{PATH}/{listing['id']}/unpublish"
        answers = all_at_once(app, [{"method": "POST", "url": url, "headers": headers}] * 8)
        assert {(answer.status_code, answer.json()["version"]) for answer in answers} == {(200, 2)}
        assert count(database, AuditEntry, AuditEntry.action == "listing_unpublished") == 1

    def test_of_two_kinds_leave_one_of_their_states(self, app, ada, headers):
        """Publish and archive a draft: either it is published, or archived and was never seen."""
        for _ in range(5):
            draft = ada.post(PATH, json=PUBLISHABLE).json()
            answers = all_at_once(
                app,
                [
                    {"method": "POST", "url": f"{PATH}/{draft['id']}/{action}", "headers": headers}
                    for action in ("publish", "archive")
                ],
            )
            assert sorted(answer.status_code for answer in answers) == [200, 409]
            found = ada.get(f"{PATH}/{draft['id']}").json()
            assert (found["published_at"] is None) is (found["status"] == "archived")

    def test_and_a_deletion_never_both_happen(self, app, ada, headers):
        draft = ada.post(PATH, json=PUBLISHABLE).json()
        answers = all_at_once(
            app,
            [
                {"method": "POST", "url": f"{PATH}/{draft['id']}/publish", "headers": headers},
                {"method": "DELETE", "url": f"{PATH}/{draft['id']}", "headers": headers},
            ],
        )
        statuses = [answer.status_code for answer in answers]
        assert statuses in ([200, 409], [404, 204])


class TestOneVersion:
    def test_is_written_by_one_of_many(self, app, headers, listing):
        requests = [
            {
                "method": "PATCH",
                "url": f"{PATH}/{listing['id']}",
                "headers": {**headers, "If-Match": '"1"'},
                "json": {"title": f"Mathematics, number {n}"},
            }
            for n in range(8)
        ]
        statuses = sorted(answer.status_code for answer in all_at_once(app, requests))
        assert statuses == [200] + [412] * 7

    def test_loses_no_field_of_two_forms(self, app, ada, headers, listing):
        fields = {"hourly_rate": 40, "location_city": "Leeds", "response_time": "soon", "tags": ["calm"]}
        requests = [
            {
                "method": "PATCH",
                "url": f"{PATH}/{listing['id']}",
                "headers": headers,
                "json": {name: value},
            }
            for name, value in fields.items()
        ]
        versions = {answer.json()["version"] for answer in all_at_once(app, requests)}
        assert versions == {2, 3, 4, 5}
        found = ada.get(f"{PATH}/{listing['id']}").json()
        assert {name: found[name] for name in fields} == fields


class TestOneKey:
    def test_makes_one_listing(self, app, database, headers):
        request = {
            "method": "POST",
            "url": PATH,
            "headers": {**headers, "Idempotency-Key": "same"},
            "json": {"title": "x"},
        }
        answers = all_at_once(app, [request] * 6)
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert count(database, ServiceListing) == 1


class TestCountingAndEditing:
    def test_lose_nothing_of_each_other(self, ada, client, listing):
        def view(n):
            return client.post(f"{PATH}/{listing['id']}/views", headers={"User-Agent": f"Firefox {n}"})

        def edit(n):
            return ada.patch(f"{PATH}/{listing['id']}", json={"response_time": f"{n} minutes"})

        with ThreadPoolExecutor(8) as threads:
            answers = [threads.submit(work, n) for n in range(8) for work in (view, edit)]
            assert {answer.result().status_code for answer in answers} == {200}
        found = ada.get(f"{PATH}/{listing['id']}").json()
        assert (found["view_count"], found["version"]) == (8, 9)


class TestUploads:
    def test_at_once_never_exceed_the_limit(self, app, ada, headers, listing):
        """Of ten requests with a picture each, six have room beside the four that are there, whichever they are."""
        url = f"{PATH}/{listing['id']}/images"
        requests = [
            {
                "method": "POST",
                "url": url,
                "headers": headers,
                "files": {"files": photo(".png", image=drawn(30 + n, 20))},
            }
            for n in range(14)
        ]
        for request in requests[:4]:
            assert all_at_once(app, [request])[0].status_code == 202
        statuses = sorted(answer.status_code for answer in all_at_once(app, requests[4:]))
        assert statuses == [202] * 6 + [409] * 4
        positions = [
            image["position"] for image in ada.get(f"{PATH}/{listing['id']}").json()["image_details"]
        ]
        assert positions == list(range(10))

    def test_of_one_file_make_one_picture(self, app, ada, headers, listing):
        request = {
            "method": "POST",
            "url": f"{PATH}/{listing['id']}/images",
            "headers": headers,
            "files": {"files": photo(image=drawn(30, 20))},
        }
        answers = all_at_once(app, [request] * 8)
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["images"][0]["id"] for answer in answers}) == 1
