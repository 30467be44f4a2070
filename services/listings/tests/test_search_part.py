"""Searching where there are more results than anybody looks at (docs/adr/0031)."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from services.listings.tests import market as asking
from services.listings.tests.market import BEGINNING, found_by, ids, in_order, offers, store
from sqlalchemy import text

from cas_kit.testing.plugin import empty_tables
from cas_listings.domain.states import Status
from cas_listings.operations.search import SearchLimits

# Small enough for a small market to have too many results.
LIMITS = SearchLimits(timeout=timedelta(seconds=20), exact_total=20, arranged=10)
_OFFERS = offers(1500, seed=17)
SPELT_BRITISH = replace(
    _OFFERS[0], title="To practise", published_at=BEGINNING - timedelta(days=9), status=Status.PUBLISHED
)
MARKET = [SPELT_BRITISH, *_OFFERS[1:]]


@pytest.fixture(scope="module")
def market(listings_database):
    """A market that nobody changes and PostgreSQL knows; other tests here must not take `database`."""
    store(listings_database, MARKET)
    with listings_database.transaction() as session:
        session.execute(text("ANALYZE listing_search"))
    yield listings_database
    empty_tables(listings_database)


found = partial(asking.found, limits=LIMITS)
all_pages = partial(asking.all_pages, limits=LIMITS)


def newest_first(**wanted) -> list[UUID]:
    return [offer.id for offer in in_order([o for o in MARKET if found_by(o, **wanted)], "newest")]


class TestVeryMany:
    @pytest.mark.parametrize("wanted", [{}, {"q": "patient"}, {"q": "maths"}, {"location_type": "online"}])
    def test_are_said_to_be_at_least_as_many_as_are_counted(self, market, wanted):
        result = found(market, **wanted)
        assert (result.total, result.total_is_exact) == (20, False)

    @pytest.mark.parametrize("wanted", [{}, {"q": "patient"}, {"location_type": "online"}])
    def test_have_facets_of_about_their_number(self, market, wanted):
        facets = found(market, **wanted).facets
        estimated = sum(value["count"] for value in facets["free_trial"])
        everything = sum(found_by(offer, **wanted) for offer in MARKET)
        assert everything / 3 < estimated < everything * 3

    def test_have_estimates_only_where_there_are_very_many(self, market):
        """A facet is counted without its own filter: the others find many, this city's listings are few."""
        exactly = SearchLimits(timeout=LIMITS.timeout, exact_total=10_000)
        wanted = {"city": "zurich", "levels": ["KS3"], "free_trial": True, "role": "agent"}
        assert found(market, **wanted).facets == found(market, limits=exactly, **wanted).facets

    @pytest.mark.parametrize("q", ["patient", "maths", "-maths", "lessons -maths"])
    def test_are_arranged_as_far_as_the_newest_and_then_by_age(self, market, q):
        words = {"q": "lessons"} if q.startswith("lessons") else {} if q.startswith("-") else {"q": q}
        expected = newest_first(**words)
        if "-" in q:
            mathematical = set(newest_first(q="maths"))
            expected = [each for each in expected if each not in mathematical]
        shown = all_pages(market, q=q, limit=7)
        assert set(shown[:10]) == set(expected[:10])
        assert shown[10:] == expected[10:]

    def test_are_the_same_by_offset_as_by_cursor(self, market):
        shown = all_pages(market, q="patient", limit=9)
        for offset in (0, 4, 8, 12, 100):
            page = found(market, q="patient", offset=offset, limit=15)
            assert ids(page) == shown[offset : offset + 15]

    def test_that_are_spelt_alike_come_after_what_is_spelt_so_however_old(self, market):
        """*Prevents*: the one listing somebody looks for lost among newer ones that resemble it."""
        shown = all_pages(market, q="practise", limit=6)
        assert shown[0] == SPELT_BRITISH.id
        assert len(shown) == len(set(shown)) > LIMITS.arranged
