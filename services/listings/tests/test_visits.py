"""Views and inquiries: who counts, how often, and what is remembered of them (docs/spec/domain.md 6.8)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from cas_listings.domain.visits import Counted, Visit
from cas_listings.models import ListingMark, ServiceListing, VisitorKey
from cas_listings.operations import visits
from cas_listings.operations.visits import VisitorKeys, count_view, forget_visits

from .conftest import NOW, PUBLISHABLE

PATH = "/api/listings"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def visit(**fields):
    return Visit(**{"user_id": None, "address": "192.0.2.1", "user_agent": BROWSER, **fields})


@pytest.fixture
def published(ada):
    answer = ada.post(PATH, json=PUBLISHABLE | {"status": "published"})
    return answer.json()["id"]


@pytest.fixture
def view(database, published):
    """Look at the published listing: `view(now=..., address=...)` says whether that counted."""
    keys = VisitorKeys(database)

    def look(*, now=NOW, **fields):
        return count_view(database, keys, listing_id=UUID(published), visit=visit(**fields), now=now).counted

    return look


def count(database, table):
    with database.autocommit() as connection:
        return connection.scalar(select(func.count()).select_from(table))


class TestVisitor:
    @pytest.mark.parametrize("phone", ["CUBOT_X19", "Pixel 9"])
    def test_on_a_phone_is_a_persons(self, phone):
        assert visit(
            user_agent=f"Mozilla/5.0 (Linux; Android 14; {phone}) Chrome/140.0 Mobile"
        ).is_by_a_person

    @pytest.mark.parametrize(
        "user_agent",
        ["", "  ", "Googlebot/2.1", "curl/8", "python-httpx/0.28", "HeadlessChrome/126", "WhatsApp/2"],
    )
    def test_that_is_a_program_is_no_person(self, user_agent):
        assert not visit(user_agent=user_agent).is_by_a_person

    @pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", " Prefetch"])
    def test_that_only_prepares_for_a_click_is_no_person(self, purpose):
        assert visit().is_by_a_person
        assert not visit(purpose=purpose).is_by_a_person

    def test_is_told_from_others_but_not_known(self):
        key, other = b"k" * 32, b"o" * 32
        marks = {visit().mark(key), visit(address="192.0.2.2").mark(key), visit(user_agent="x").mark(key)}
        assert len(marks) == 3
        assert visit().mark(key) != visit().mark(other)
        assert b"192.0.2.1" not in visit().mark(key)


class TestViews:
    def test_count_once_a_day(self, view):
        assert [view(), view(), view(now=NOW + timedelta(days=1))] == [True, False, True]

    def test_count_for_each_visitor(self, view):
        user_id = uuid4()
        assert view()
        assert view(address="192.0.2.2")
        assert view(user_agent=f"{BROWSER} other")
        assert view(user_id=user_id)
        assert not view(user_id=user_id, address="192.0.2.9")

    def test_of_the_owner_bots_and_prefetches_do_not_count(self, view, owner, database):
        assert not view(user_id=owner.user_id)
        assert not view(user_agent="Googlebot")
        assert not view(purpose="prefetch")
        assert count(database, ListingMark) == 0

    def test_change_neither_version_nor_update(self, view, ada, published):
        before = ada.get(f"{PATH}/{published}").json()
        view()
        after = ada.get(f"{PATH}/{published}").json()
        assert after == before | {"view_count": 1}

    def test_at_once_lose_nothing_and_count_nobody_twice(self, view, ada, published):
        with ThreadPoolExecutor(12) as threads:
            counted = list(threads.map(lambda n: view(address=f"192.0.2.{n % 6}"), range(24)))
        assert counted.count(True) == 6
        assert ada.get(f"{PATH}/{published}").json()["view_count"] == 6

    def test_have_one_key_a_day_in_every_process(self, database):
        keys = [VisitorKeys(database) for _ in range(4)]
        with ThreadPoolExecutor(4) as threads:
            found = set(threads.map(lambda each: each.of(NOW.date()), keys))
        assert len(found) == 1
        assert keys[0].of(NOW.date() + timedelta(days=1)) not in found


class TestForgetting:
    def test_keeps_marks_for_ninety_days_and_counts_for_ever(self, view, database, ada, published):
        view()
        forget_visits(database, now=NOW + timedelta(days=90))
        assert count(database, ListingMark) == 1
        forget_visits(database, now=NOW + timedelta(days=91))
        assert count(database, ListingMark) == 0
        assert ada.get(f"{PATH}/{published}").json()["view_count"] == 1

    def test_removes_the_key_when_the_day_is_over(self, view, database):
        view()
        forget_visits(database, now=NOW + timedelta(days=1))
        assert count(database, VisitorKey) == 1
        forget_visits(database, now=NOW + timedelta(days=2))
        assert count(database, VisitorKey) == 0

    def test_goes_in_small_steps(self, database, published, monkeypatch):
        monkeypatch.setattr(visits, "BATCH", 2)
        with database.transaction() as session:
            for n in range(5):
                mark = ListingMark(
                    listing_id=UUID(published),
                    counted=Counted.VIEW,
                    day=date(2020, 1, 1),
                    visitor=bytes([n]),
                )
                session.add(mark)
        forget_visits(database, now=NOW)
        assert count(database, ListingMark) == 0


class TestOverHttp:
    def test_a_view_is_counted_for_anybody(self, client, ada, published):
        headers = {"User-Agent": BROWSER}
        first, again = (client.post(f"{PATH}/{published}/views", headers=headers) for _ in range(2))
        assert (first.status_code, first.json()) == (200, {"counted": True, "view_count": 1})
        assert again.json() == {"counted": False, "view_count": 1}
        own = ada.post(f"{PATH}/{published}/views", headers=headers)
        assert own.json() == {"counted": False, "view_count": 1}

    @pytest.mark.parametrize("header", ["Purpose", "Sec-Purpose"])
    def test_a_prefetch_is_not(self, client, published, header):
        answer = client.post(f"{PATH}/{published}/views", headers={"User-Agent": BROWSER, header: "prefetch"})
        assert answer.json()["counted"] is False

    def test_a_view_of_what_is_not_published_is_404(self, client, ada):
        draft = ada.post(PATH, json={}).json()["id"]
        for somebody in (client, ada):
            assert somebody.post(f"{PATH}/{draft}/views").status_code == 404

    def test_a_bad_token_is_401(self, client, published):
        answer = client.post(f"{PATH}/{published}/views", headers={"Authorization": "Bearer x.y.z"})
        assert answer.status_code == 401

    def test_an_inquiry_needs_a_person_who_is_not_the_owner(self, client, grace, ada, published):
        assert client.post(f"{PATH}/{published}/inquiries").status_code == 401
        refused = ada.post(f"{PATH}/{published}/inquiries")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        headers = {"User-Agent": BROWSER}
        first, again = (
            grace.post(f"{PATH}/{published}/inquiries", headers=headers, json={"message": "Hello"})
            for _ in range(2)
        )
        assert first.json() == {"counted": True, "inquiry_count": 1}
        assert again.json() == {"counted": False, "inquiry_count": 1}

    def test_both_are_rate_limited(self, app, client, grace, published):
        dependencies = app.state.dependencies
        strict = dependencies.settings.model_copy(
            update={"view_limit": "2/minute", "inquiry_limit": "2/minute"}
        )
        object.__setattr__(dependencies, "settings", strict)
        for somebody, path in ((client, "views"), (grace, "inquiries")):
            answers = [somebody.post(f"{PATH}/{published}/{path}") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]
            assert int(answers[-1].headers["Retry-After"]) > 0


def test_no_address_is_stored(client, published, database):
    client.post(
        f"{PATH}/{published}/views", headers={"User-Agent": BROWSER, "X-Forwarded-For": "203.0.113.77"}
    )
    with database.autocommit() as connection:
        stored = connection.execute(select(ListingMark.__table__)).one()
        listing = connection.execute(select(ServiceListing.__table__)).one()
    assert "203.0.113.77" not in f"{stored} {listing}"
    assert len(stored.visitor) == 32
