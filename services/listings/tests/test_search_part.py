"""Searching where there are more results than anybody looks at (docs/adr/0031)."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from services.listings.tests import market as asking
from services.listings.tests.market import BEGINNING, found_by, ids, in_order, offers, store
from sqlalchemy import func, text
from sqlalchemy.exc import ProgrammingError

from cas_kit.testing.plugin import empty_tables
from cas_listings.domain.search.request import Search
from cas_listings.domain.search.text import read_text
from cas_listings.domain.states import Status
from cas_listings.operations import search as searching
from cas_listings.operations import search_advice
from cas_listings.operations.search import SearchLimits
from cas_listings.repository.search import begin, clauses_of, within
from cas_listings.repository.spelling import spelling_of

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
        assert "free_trial" in found(market, **wanted).estimated_facets

    def test_have_estimates_only_where_there_are_very_many(self, market):
        """A facet is counted without its own filter: the others find many, this city's listings are few."""
        exactly = SearchLimits(timeout=LIMITS.timeout, exact_total=10_000)
        wanted = {"city": "zurich", "levels": ["KS3"], "free_trial": True, "role": "agent"}
        assert found(market, **wanted).facets == found(market, limits=exactly, **wanted).facets
        assert found(market, **wanted).estimated_facets == []

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

    @pytest.mark.parametrize("sort", ["newest", "price_asc", "price_desc", "popular", "created_at_asc"])
    def test_are_in_the_order_of_any_column(self, market, sort):
        expected = in_order([offer for offer in MARKET if found_by(offer, levels=["GCSE"])], sort)
        assert len(expected) > LIMITS.exact_total
        assert all_pages(market, levels="GCSE", sort=sort, limit=40) == [offer.id for offer in expected]


class TestMisspeltWords:
    def test_stand_for_those_that_many_listings_use(self, market):
        with market.transaction() as session:
            spelling = spelling_of(session, read_text("pateint maths xylophonist"))
        assert "patient" in spelling["pateint"]
        assert spelling["xylophonist"] == []
        assert "maths" not in spelling

    def test_stand_for_words_and_not_for_concepts(self, market):
        with market.transaction() as session:
            spelling = spelling_of(session, read_text("mathematcs sumathematics"))
        assert "mathematics" in spelling["mathematcs"]
        assert not [word for words in spelling.values() for word in words if "0" in word]

    def test_stand_for_nothing_else_when_many_use_them(self, market):
        with market.transaction() as session:
            assert spelling_of(session, read_text("patient")) == {"patient": ["patient"]}

    def test_find_what_is_meant(self, market):
        assert set(all_pages(market, q="pateint", limit=50)) >= set(newest_first(q="patient"))

    def test_beyond_the_first_eight_are_as_they_are_written(self, market):
        words = [f"pateint{letter}" for letter in "abcdefghij"]
        with market.transaction() as session:
            spelling = spelling_of(session, read_text(" ".join(words)))
        assert list(spelling) == words[:8]


class TestGuessing:
    """What takes too long to look for is left out; the search itself does not fail."""

    @pytest.fixture
    def slow(self, monkeypatch):
        """Every look at the listings that is not for what was asked takes a minute."""
        forever = {"q": func.pg_sleep(60).is_not(None)}

        def slow_when_guessing(_, *, spelling=None):
            return clauses_of(Search(text=read_text("xylophonist"))) if spelling is None else forever

        monkeypatch.setattr(searching, "clauses_of", slow_when_guessing)
        monkeypatch.setattr(search_advice, "clauses_of", lambda _: forever)

    def test_gives_up_what_was_meant_and_what_to_try_instead(self, market, slow):
        impatient = replace(LIMITS, guessing=timedelta(milliseconds=50))
        result = found(market, limits=impatient, q="xylophonist", city="leeds", levels=["GCSE"])
        assert (result.total, ids(result)) == (0, [])
        assert result.advice == search_advice.Advice(did_you_mean=None, relax=[], nearby=[])


class TestWithin:
    def test_gives_up_what_takes_too_long_and_goes_on(self, market):
        with market.transaction() as session:
            begin(session, timeout=LIMITS.timeout)
            before = session.scalar(text("SELECT current_setting('statement_timeout')"))
            asleep = text("SELECT pg_sleep(60)")
            assert within(session, timedelta(milliseconds=1), lambda: session.scalar(asleep)) is None
            assert within(session, LIMITS.timeout, lambda: session.scalar(text("SELECT 7"))) == 7
            assert session.scalar(text("SELECT current_setting('statement_timeout')")) == before

    def test_hides_no_other_failure(self, market):
        with market.transaction() as session, pytest.raises(ProgrammingError):
            within(session, LIMITS.timeout, lambda: session.scalar(text("SELECT nothing_such")))
