"""Taking everything along, and leaving nothing behind (docs/spec/domain.md 8.2, 8.3)."""

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from cas_listings.domain.fields import FIELDS
from cas_listings.models import Base, ErasedUser, ServiceListing
from cas_listings.operations.erasure import erase_user
from cas_listings.operations.export import export_user
from cas_listings.operations.search_index import index_later

from .conftest import NOW, PUBLISHABLE

PATH = "/api/listings"
BROWSER = {"User-Agent": "Firefox"}


@pytest.fixture
def erase(database):
    def forget(user_id):
        with database.transaction() as session:
            return erase_user(session, user_id=user_id, now=NOW)

    return forget


@pytest.fixture
def exported(database):
    def export(user_id):
        with database.transaction() as session:
            return [
                (item.section, json.loads(item.document))
                for item in export_user(session, user_id=user_id, link=str)
            ]

    return export


def rows(database):
    """How many rows each table has, empty ones aside."""
    with database.autocommit() as connection:
        counts = {
            table.name: connection.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
        }
    return {name: count for name, count in counts.items() if count}


def mentions(database, *words):
    """The tables in which one of the words stands, as it is or in bytes."""
    signs = [f"%{sign}%" for word in words for sign in (word, word.encode().hex())]
    query = "SELECT EXISTS (SELECT FROM {} AS t WHERE row_to_json(t)::text LIKE ANY (:signs))"
    with database.autocommit() as connection:
        return {
            table.name
            for table in Base.metadata.sorted_tables
            if connection.execute(text(query.format(table.name)), {"signs": signs}).scalar()
        }


class TestExport:
    def test_holds_every_field_as_it_was_saved(self, ada, examples, exported, owner):
        ada.post(PATH, json=examples | {"title": PUBLISHABLE["title"]})
        [listing] = [document for section, document in exported(owner.user_id) if section == "listings"]
        for name in FIELDS.keys() - {"title"}:
            assert listing[name] == examples[name]
        assert (listing["status"], listing["slugs"]) == ("draft", [])

    def test_tells_what_happened(self, ada, grace, client, exported, owner):
        made = ada.post(PATH, json=PUBLISHABLE | {"status": "published"}).json()
        theirs = grace.post(PATH, json=PUBLISHABLE | {"status": "published"}).json()
        ada.post(f"{PATH}/{theirs['id']}/views", headers=BROWSER)
        grace.post(f"{PATH}/{made['id']}/views", headers=BROWSER)
        found = exported(owner.user_id)
        activity = [document for section, document in found if section == "activity"]
        actions = [entry["action"] for entry in activity]
        assert sorted(actions) == ["listing_created", "listing_published", "view_counted"]
        assert {entry["service"] for entry in activity} == {"listings"}
        assert activity[-1]["thing"] == f"listing/{theirs['id']}"
        [listing] = [document for section, document in found if section == "listings"]
        assert listing["slugs"] == [made["slug"]]

    def test_of_nobody_is_empty(self, exported, database):
        assert exported(uuid4()) == []


class TestErasure:
    def test_leaves_nothing_but_ids_and_instants(self, ada, grace, client, database, erase, owner, examples):
        listing = examples | PUBLISHABLE | {"status": "published"}
        made = ada.post(PATH, json=listing, headers={"Idempotency-Key": "k"}).json()
        theirs = grace.post(PATH, json=PUBLISHABLE | {"status": "published"}).json()
        for somebody in (grace, client):
            somebody.post(f"{PATH}/{made['id']}/views", headers=BROWSER)
        ada.post(f"{PATH}/{theirs['id']}/inquiries", headers=BROWSER)
        with database.transaction() as session:
            index_later(session, owner=owner.user_id)
        ids = (str(owner.user_id), owner.user_id.hex, made["id"])
        assert mentions(database, *ids, "Juggling", "St James") >= {
            "service_listings",
            "listing_slugs",
            "listing_marks",
            "listing_search",
            "outbox_messages",
            "idempotency_keys",
        }
        assert erase(owner.user_id) >= 6
        assert mentions(database, *ids) == {"audit_log", "erased_users"}
        assert mentions(database, "Juggling", "St James", "Lovelace") == set()
        assert client.get(f"{PATH}/{made['id']}").status_code == 404
        assert client.get(f"{PATH}/slug/{made['slug']}").status_code == 404
        assert grace.get(f"{PATH}/{theirs['id']}").json()["inquiry_count"] == 1

    def test_can_be_repeated(self, ada, erase, owner, database):
        ada.post(PATH, json={})
        assert erase(owner.user_id) > 0
        before = rows(database)
        assert erase(owner.user_id) == 0
        assert rows(database) == before

    def test_lets_nothing_be_made_again(self, ada, client, grace, erase, owner):
        theirs = grace.post(PATH, json=PUBLISHABLE | {"status": "published"}).json()
        made = ada.post(PATH, json={}).json()
        erase(owner.user_id)
        answers = [
            ada.post(PATH, json={}),
            ada.post(f"{PATH}/from-template", json={"role_type": "tutor"}),
            ada.patch(f"{PATH}/{made['id']}", json={"title": "x"}),
            ada.post(f"{PATH}/{theirs['id']}/inquiries"),
            ada.post(f"{PATH}/{theirs['id']}/views", headers=BROWSER),
            ada.get(f"{PATH}/mine"),
        ]
        assert {answer.status_code for answer in answers} == {401}

    def test_and_saving_at_once_leave_nothing(self, app, issuer, owner, ada, erase, database):
        def make(n):
            return ada.post(PATH, json={"title": f"number {n}"}).status_code

        with ThreadPoolExecutor(8) as threads:
            made = [threads.submit(make, n) for n in range(6)]
            erased = threads.submit(erase, owner.user_id)
            made += [threads.submit(make, n) for n in range(6)]
            erased.result()
            assert {answer.result() for answer in made} <= {201, 401}
        with database.autocommit() as connection:
            assert connection.scalar(select(func.count()).select_from(ServiceListing)) == 0
            assert connection.scalar(select(func.count()).select_from(ErasedUser)) == 1
