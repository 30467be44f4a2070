"""No text, however strange, makes searching, suggesting or reading a sentence fail (docs/spec/domain.md 7.2).

*Prevents*: texts that the database's own query language chokes on (33 hyphens and a letter).
"""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from services.listings.tests.hostile import HOSTILE, TEXTS
from services.listings.tests.market import offers, store

from cas_kit.errors import ValidationFailed
from cas_kit.testing.plugin import empty_tables
from cas_listings.domain.parse_query import parse_query
from cas_listings.domain.search.reading import read_search
from cas_listings.domain.search.suggestions import read_suggest_request
from cas_listings.operations.search import SearchLimits, find_listings
from cas_listings.operations.suggestions import suggest

TIMEOUT = timedelta(seconds=20)
LIMITS = SearchLimits(timeout=TIMEOUT, exact_total=10_000)
CITIES = ("Leeds", *HOSTILE.values())
THOROUGH = 10 if settings.get_current_profile_name() == "thorough" else 1


def examples(count: int):
    """Five thousand in all; most of them sentences, which need no database."""
    fixture = [HealthCheck.function_scoped_fixture]
    return settings(max_examples=count * THOROUGH, deadline=None, suppress_health_check=fixture)


@pytest.fixture(scope="module")
def market(listings_database):
    """A market that nobody changes; few listings, so that advice is sought for nearly every text."""
    store(listings_database, offers(60, seed=7))
    yield listings_database
    empty_tables(listings_database)


def search(market, **parameters) -> None:
    with market.transaction() as session:
        find_listings(session, search=read_search(parameters), limits=LIMITS)


def suggest_for(market, text: str) -> None:
    with market.transaction() as session:
        suggest(session, request=read_suggest_request({"q": text}), timeout=TIMEOUT)


@pytest.mark.fuzz
@pytest.mark.timeout(900)
class TestAnyText:
    @examples(800)
    @given(text=TEXTS)
    def test_is_searched_for(self, market, text):
        search(market, q=text[:200], facets=False)

    @examples(600)
    @given(text=TEXTS)
    def test_has_suggestions(self, market, text):
        try:
            suggest_for(market, text[:100])
        except ValidationFailed:
            assert not text[:100].strip()

    @examples(3600)
    @given(text=TEXTS)
    def test_is_read_as_a_sentence(self, text):
        assert parse_query(text, cities=CITIES).sentence


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
class TestHostileTexts:
    def test_are_searched_for_in_every_parameter(self, market, text):
        search(market, q=text[:200])
        search(market, city=text[:100], subjects=text[:100].replace(",", ""), tags=[text[:30]])
