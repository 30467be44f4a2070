"""Searching on a real database, against a search in plain Python (docs/spec/domain.md 7.1-7.3)."""

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from services.listings.tests import market as asking
from services.listings.tests.market import Offer, found_by, ids, in_order, offers, store

from cas_kit.errors import Unavailable, ValidationFailed
from cas_kit.testing.plugin import empty_tables
from cas_listings.domain.search.cursor import write_cursor
from cas_listings.domain.search.reading import read_search
from cas_listings.domain.search.request import SortField
from cas_listings.operations.search import SearchLimits, find_listings
from cas_listings.operations.search_advice import Relaxation

LIMITS = SearchLimits(timeout=timedelta(seconds=20), exact_total=10_000)
SORTS = ("newest", "price_asc", "price_desc", "popular", "recently_updated", "created_at_asc")
MARKET = offers(1500, seed=7)
NOBODY = "12345678-1234-4234-8234-123456789012"
WANTED = {
    "subjects": [
        ["Maths"],
        ["mfl"],
        ["arts", "physics"],
        ["chess"],
        ["Sports", "Juggling"],
        ["nothing such"],
    ],
    "levels": [["secondary"], ["University"], ["IB", "GCSE"]],
    "languages": [["zh"], ["klingon"], ["English", "French"]],
    "tags": [["exam"], ["SATS", "holiday"]],
    "location_type": ["online", "in_person", "hybrid"],
    "city": ["leeds", "LEED", "zurich", "st albans", "Nowhere"],
    "min_price": [0, 20, 25.01],
    "max_price": [0, 19.99, 40],
    "free_trial": [True],
    "role": ["tutor", "agent"],
    "q": [
        "maths",
        "patient",
        "cafe",
        "numeracy oxbridge",
        "lovelace",
        "leeds chess",
        "painting",
        "naïve nunez",
    ],
}


@pytest.fixture(scope="module")
def market(listings_database):
    """A market that nobody changes; other tests of this module must not take `database`."""
    store(listings_database, MARKET)
    yield listings_database
    empty_tables(listings_database)


found = partial(asking.found, limits=LIMITS)
all_pages = partial(asking.all_pages, limits=LIMITS)


def some_wishes(count: int, *, seed: int) -> list[dict[str, object]]:
    luck = random.Random(seed)
    wishes = []
    for _ in range(count):
        names = luck.sample(sorted(WANTED), luck.choice((0, 1, 1, 2, 2, 3, 4)))
        wish = {name: luck.choice(WANTED[name]) for name in names}
        if wish.get("min_price", 0) <= wish.get("max_price", 10**6):
            wishes.append(wish)
    return wishes


def exactly(wish: dict[str, object]) -> list[Offer]:
    """What passes the filters and has all the words as they are spelt."""
    return [offer for offer in MARKET if found_by(offer, **wish)]


SOME = some_wishes(160, seed=3)
# Where a text finds few, words that are only spelt alike are looked for too.
FEW_EXACT = [wish for wish in SOME if "q" in wish and len(exactly(wish)) < 5]
WISHES = [wish for wish in SOME if wish not in FEW_EXACT]


class TestAgainstPlainPython:
    @pytest.mark.parametrize("number", range(len(WISHES)))
    def test_finds_what_passes_the_filters_in_order_and_counts_it(self, market, number):
        wish = WISHES[number]
        sort = SORTS[number % len(SORTS)]
        expected = in_order(exactly(wish), sort)
        result = found(market, **wish, sort=sort, limit=100)
        assert ids(result) == [offer.id for offer in expected[:100]]
        assert (result.total, result.total_is_exact) == (len(expected), True)

    @pytest.mark.parametrize("wish", FEW_EXACT)
    def test_adds_what_is_spelt_alike_to_few_exact_results_and_loses_none(self, market, wish):
        result = found(market, **wish, limit=100)
        assert {offer.id for offer in exactly(wish)} <= set(ids(result))
        without_words = {name: value for name, value in wish.items() if name != "q"}
        assert set(ids(result)) <= {offer.id for offer in exactly(without_words)}

    @pytest.mark.parametrize("wish", WISHES[::4])
    def test_counts_each_facet_without_its_own_filter(self, market, wish):
        facets = found(market, **wish).facets
        for kind in ("subjects", "levels", "languages"):
            expected = Counter(each for offer in left(wish, kind) for each in offer.ids(kind))
            assert counts(facets[kind], known=expected) == expected
        for name, values in (
            ("location_type", ("online", "in_person", "hybrid")),
            ("free_trial", ("true", "false")),
        ):
            rest = left(wish, name)
            assert counts(facets[name]) == {
                value: sum(has(offer, name, value) for offer in rest) for value in values
            }

    @pytest.mark.parametrize("wish", WISHES[1::8])
    def test_counts_prices_in_bands(self, market, wish):
        wanted = {name: value for name, value in wish.items() if name not in {"min_price", "max_price"}}
        rest = exactly(wanted)
        bands = found(market, **wish).facets["price"]
        assert [(band["from"], band["to"]) for band in bands][::7] == [(15, 20), (100, None)]
        for band in bands:
            low, high = band["from"] * 100, (band["to"] or 10**6) * 100
            reached = [o for o in rest if o.interval and o.interval[1] >= low and o.interval[0] < high]
            assert band["count"] == len(reached)

    def test_counts_cities_under_one_name(self, market):
        facet = found(market).facets["city"]
        expected = sum(offer.city in {"Leeds", "leeds"} and found_by(offer) for offer in MARKET)
        assert {"id": "leeds", "label": "Leeds", "count": expected} in facet
        assert {value["id"] for value in facet} == {"leeds", "bradford", "london", "zurich", "st albans"}

    @pytest.mark.parametrize("name", ["subjects", "levels", "languages", "tags", "city"])
    def test_finds_nothing_for_symbols_that_no_listing_has(self, market, name):
        result = found(market, **{name: "!!!"})
        assert result.total == 0
        assert name == "tags" or {"id": "!!!", "label": "!!!", "count": 0} in result.facets[name]

    @pytest.mark.parametrize("city", ["lee", "LEEDS", "a"])
    def test_counts_the_searched_city_as_it_is_searched(self, market, city):
        result = found(market, city=city)
        assert result.total
        assert [each["count"] for each in result.facets["city"] if each["id"] == city.lower()] == [
            result.total
        ]

    def test_advises_to_drop_what_keeps_misspelt_words_from_being_found(self, market):
        patient = replace(LIMITS, guessing=LIMITS.timeout)
        misspelt = asking.found(market, limits=patient, q="mathmatics")
        nowhere = asking.found(market, limits=patient, q="mathmatics", city="Nowhere")
        assert nowhere.advice.relax == [Relaxation("city", misspelt.total)]

    def test_lists_what_is_chosen_even_at_nothing(self, market):
        facets = found(market, subjects="Korean,Origami", city="Nowhere", max_price=0).facets
        assert {"korean": 0, "origami": 0}.items() <= counts(facets["subjects"]).items()
        assert counts(facets["city"])["nowhere"] == 0


def left(wish: dict[str, object], facet: str) -> list[Offer]:
    others = {name: value for name, value in wish.items() if name != facet}
    return [offer for offer in MARKET if found_by(offer, **others)]


def has(offer: Offer, name: str, value: str) -> bool:
    if name == "free_trial":
        return offer.free_trial is (value == "true")
    return found_by(offer, location_type=value)


def counts(facet, *, known=None) -> dict[str, int]:
    """Its counts by id; with `known`, without what is listed only because it is chosen."""
    return {value["id"]: value["count"] for value in facet if known is None or value["id"] in known}


class TestPaging:
    @pytest.mark.parametrize("sort", SORTS)
    def test_by_cursor_shows_everything_once_in_order(self, market, sort):
        expected = [offer.id for offer in in_order([o for o in MARKET if found_by(o, levels=["GCSE"])], sort)]
        assert all_pages(market, levels="GCSE", sort=sort, limit=37) == expected

    @pytest.mark.parametrize("q", ["patient", "maths", "for all", "exam or chess"])
    def test_by_cursor_shows_everything_once_by_relevance(self, market, q):
        """Also beyond those that are ranked."""
        paged = all_pages(market, q=q, limit=33)
        total = found(market, q=q).total
        assert len(paged) == len(set(paged)) == total

    def test_by_offset_shows_the_same_as_by_cursor(self, market):
        for parameters in ({"q": "for all"}, {"sort": "price_desc"}):
            by_offset = [
                each
                for start in range(0, 450, 50)
                for each in ids(found(market, **parameters, offset=start, limit=50))
            ]
            assert by_offset == all_pages(market, **parameters, limit=30)[:450]

    def test_repeats_itself(self, market):
        assert ids(found(market, q="patient", limit=100)) == ids(found(market, q="patient", limit=100))

    def test_counts_no_further_than_the_cap(self, market):
        for cap, exact in ((50, False), (len(MARKET), True)):
            with market.transaction() as session:
                limits = SearchLimits(timeout=LIMITS.timeout, exact_total=cap)
                result = find_listings(session, search=read_search({}), limits=limits)
            published = sum(found_by(offer) for offer in MARKET)
            assert (result.total, result.total_is_exact) == (min(cap, published), exact)

    def test_that_takes_too_long_ends(self, market):
        limits = SearchLimits(timeout=timedelta(milliseconds=1), exact_total=10)
        with pytest.raises(Unavailable), market.transaction() as session:
            find_listings(session, search=read_search({"q": "for all"}), limits=limits)

    def test_goes_on_where_a_cursor_of_the_same_kind_is_made_up(self, market):
        for sort, value in (
            ("newest", "0001-01-01T00:00:00+23:59"),
            ("price_asc", 2**63 - 1),
            ("popular", None),
        ):
            cursor = write_cursor(read_search({"sort": sort}), [False, value, NOBODY])
            found(market, sort=sort, cursor=cursor)

    @pytest.mark.parametrize("field", [each for each in SortField if each is not SortField.RELEVANCE])
    @pytest.mark.parametrize("value", ["abc", "", "\x00", "2026-01-01", "2026-01-01T00:00:00", True, 1.5, -1])
    def test_refuses_a_made_up_cursor_of_no_value_of_its_column(self, market, field, value):
        """*Prevents*: a 500 for a cursor that somebody put together."""
        self.refuses(market, [False, value, NOBODY], sort=field.value)

    @pytest.mark.parametrize(
        ("sort", "value"), [("newest", None), ("newest", 1), ("price_asc", 2**63), ("popular", -(10**30))]
    )
    def test_refuses_a_made_up_cursor_beyond_its_column(self, market, sort, value):
        self.refuses(market, [False, value, NOBODY], sort=sort)

    @pytest.mark.parametrize(
        "change", [{"published_at": "2026-01-01T00:00:00"}, {"rank": None}, {"tier": "x"}, {"id": "x"}]
    )
    def test_refuses_a_made_up_cursor_of_no_result_of_a_text(self, market, change):
        result = {"tier": 0, "rank": 0.5, "published_at": "2026-01-01T00:00:00Z", "id": NOBODY}
        for position in ([result | change, None, None], [result, result, result | change]):
            self.refuses(market, [False, *position, 0], q="patient")

    def refuses(self, market, position, **parameters):
        cursor = write_cursor(read_search(parameters), position)
        with pytest.raises(ValidationFailed, match="cursor"):
            found(market, **parameters, cursor=cursor)
