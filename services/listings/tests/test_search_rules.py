"""The rules of searching that need no database: docs/spec/domain.md 7.1, 7.2."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_kit.errors import ValidationFailed
from cas_listings.domain.folding import fold, words
from cas_listings.domain.search.cursor import read_cursor, write_cursor
from cas_listings.domain.search.document import document_of, price_interval
from cas_listings.domain.search.reading import parameters_of_body, parameters_of_query, read_search
from cas_listings.domain.search.request import NEWEST, RELEVANCE, OptionFilter, Search, Sort, SortField
from cas_listings.domain.search.text import read_text


def asked(**parameters) -> Search:
    return read_search(parameters)


def refused(**parameters) -> str:
    with pytest.raises(ValidationFailed) as caught:
        read_search(parameters)
    return caught.value.detail


class TestParameters:
    def test_mean_the_same_in_both_spellings(self):
        one = asked(q="maths", city="Leeds", free_trial="true", sort="newest", subjects="MFL,Chess")
        other = asked(
            search="maths",
            location_city="Leeds",
            free_trial_only=True,
            sort_field="published_at",
            subjects=["languages", "chess"],
        )
        assert one == other

    def test_of_a_body_lie_in_its_filters(self):
        body = {
            "filters": {
                "search": "maths",
                "subjects": ["French"],
                "min_price": 0,
                "location_type": ["online"],
            },
            "sort": {"field": "hourly_rate", "order": "asc"},
            "limit": 12,
        }
        search = read_search(parameters_of_body(body))
        assert search.applied == {
            "q": "maths",
            "subjects": ["french"],
            "location_type": ["online"],
            "min_price": 0,
            "sort": "price_asc",
        }
        assert search.limit == 12

    @pytest.mark.parametrize("body", [[], "text", 3, None, {"filters": "maths"}])
    def test_of_a_body_of_another_shape_are_refused(self, body):
        with pytest.raises(ValidationFailed):
            parameters_of_body(body)

    def test_of_a_query_string_may_be_repeated_or_have_commas(self):
        values = parameters_of_query([("subjects", "Maths, French"), ("subjects", "chess"), ("q", "x")])
        assert read_search(values).applied["subjects"] == ["mathematics", "french", "chess"]

    def test_of_a_query_string_that_are_repeated_though_they_are_no_lists_say_what_the_last_says(self):
        values = parameters_of_query([("q", "maths, please"), ("q", "chess, please"), ("limit", "3")])
        assert read_search(values) == asked(q="chess, please", limit=3)

    def test_in_a_list_of_a_body_may_have_commas_in_them(self):
        filters = {"subjects": ["Basket, weaving"], "location_type": ["online"], "levels": "GCSE, KS3"}
        applied = read_search(parameters_of_body({"filters": filters})).applied
        assert applied["subjects"] == ["basket weaving"]
        assert applied["levels"] == ["gcse", "ks3"]
        assert asked(**applied).applied == applied

    def test_that_are_blank_or_unknown_say_nothing(self):
        assert (
            asked(q=" ", subjects="", city=None, min_price="", colour="red", levels=[], sort="") == Search()
        )

    @pytest.mark.parametrize("name", ["subjects", "levels", "languages", "tags", "city"])
    def test_made_of_symbols_alone_are_applied(self, name):
        """*Prevents*: a filter that is silently dropped, and everything found."""
        applied = asked(**{name: "🎸"}).applied
        assert applied[name] == ("🎸" if name == "city" else ["🎸"])

    def test_of_what_cannot_be_shown_say_nothing(self):
        assert asked(subjects=["\x00", "\ud800"], tags=" , ,", city="\x00 \ud800") == Search()

    def test_lead_to_the_same_search_again(self):
        """*applied* filters can be stored and replayed."""
        search = asked(
            q='maths -"home school"',
            subjects="MFL,chess",
            location_type="online",
            city="Leeds",
            min_price="10.5",
            max_price=0.25e2,
            free_trial="1",
            role="provider",
            sort="price_desc",
        )
        assert asked(**search.applied) == search

    def test_drop_one_by_one(self):
        search = asked(
            q="maths", levels="GCSE", city="Leeds", min_price=1, max_price=2, free_trial=True, role="agent"
        )
        assert search.filters == ("q", "levels", "city", "price", "free_trial", "role")
        for name in search.filters:
            assert set(search.without(name).filters) == set(search.filters) - {name}

    @pytest.mark.parametrize(
        ("parameters", "named"),
        [
            ({"min_price": "cheap"}, "min_price"),
            ({"max_price": "NaN"}, "max_price"),
            ({"max_price": float("inf")}, "max_price"),
            ({"min_price": "-1"}, "min_price"),
            ({"min_price": True}, "min_price"),
            ({"min_price": 30, "max_price": 20}, "min_price"),
            ({"sort": "prettiest"}, "sort"),
            ({"sort_field": "id"}, "sort_field"),
            ({"sort_order": "up"}, "sort_order"),
            ({"location_type": "moon"}, "location_type"),
            ({"location_type": "!!!"}, "location_type"),
            ({"location_type": ["online", "moon"]}, "location_type"),
            ({"role": "king"}, "role"),
            ({"free_trial": "perhaps"}, "free_trial"),
            ({"limit": "0"}, "limit"),
            ({"limit": "many"}, "limit"),
            ({"limit": 1.5}, "limit"),
            ({"offset": "-1"}, "offset"),
            ({"offset": "10001"}, "offset"),
            ({"q": "x" * 201}, "q"),
            ({"q": {"a": 1}}, "q"),
            ({"subjects": {"a": 1}}, "subjects"),
            ({"subjects": [1]}, "subjects"),
            ({"subjects": ["x"] * 51}, "subjects"),
            ({"subjects": "x" * 101}, "subjects"),
            ({"city": "x" * 101}, "city"),
        ],
    )
    def test_that_make_no_sense_are_refused_in_words(self, parameters, named):
        assert refused(**parameters).startswith(f"{named}: must ")

    def test_that_make_no_sense_are_named_together(self):
        assert refused(limit="0", sort="x", min_price="y").count("must") == 3

    @pytest.mark.parametrize(
        ("sent", "limit"), [("100", 100), ("101", 100), (10**6, 100), ("1", 1), (None, 20)]
    )
    def test_ask_for_at_most_a_hundred(self, sent, limit):
        assert asked(limit=sent).limit == limit

    @pytest.mark.parametrize(
        ("parameters", "sort"),
        [
            ({}, NEWEST),
            ({"q": "maths"}, RELEVANCE),
            ({"sort": "relevance"}, NEWEST),
            ({"q": "!!", "sort": "relevance"}, NEWEST),
            ({"sort_field": "view_count"}, Sort(SortField.VIEW_COUNT)),
            ({"sort": "popular"}, Sort(SortField.VIEW_COUNT)),
            ({"sort_field": "created_at", "sort_order": "asc"}, Sort(SortField.CREATED_AT, descending=False)),
            ({"sort": "booking_count_asc"}, Sort(SortField.BOOKING_COUNT, descending=False)),
            ({"sort": "price_asc", "sort_order": "desc"}, Sort(SortField.HOURLY_RATE, descending=False)),
        ],
    )
    def test_name_the_order(self, parameters, sort):
        assert asked(**parameters).sort == sort

    def test_count_a_price_in_pence_towards_what_it_includes(self):
        search = asked(min_price="10.001", max_price="20.009")
        assert (search.lowest, search.highest) == (1001, 2000)

    def test_ask_for_hybrid_with_either_way(self):
        assert asked(location_type="online").found_location_types == ("hybrid", "online")
        assert asked(location_type="hybrid").found_location_types == ("hybrid",)


class TestText:
    @pytest.mark.parametrize(
        ("text", "expression"),
        [
            ("leeds", "leeds"),
            ("leeds chess", "leeds & chess"),
            ('"home school" chess', "(home <-> school) & chess"),
            ("chess or leeds", "(chess) | (leeds)"),
            ("chess OR -leeds", "(chess) | (!leeds)"),
            ('-"home school"', "!(home <-> school)"),
            ("home-school", "(home <-> school)"),
            ("chess/go", "chess & go"),
            ("café", "cafe"),
            ("O'Neill", "oneill"),
            ("the chess of kings", "chess & kings"),
            ("--chess - -- 'go'", "chess & go"),
            ('"chess', "chess"),
            ('"" chess', "chess"),
            ("c++ & c#", "c & c"),
            ("chess\x00go \ud800", "(chess <-> go)"),
            ("a chess", "chess"),
        ],
    )
    def test_is_read_as_web_search(self, text, expression):
        query = read_text(text)
        assert query
        assert query.expression() == expression

    @pytest.mark.parametrize(
        "text", ["", "-", "!!", "the", "or", 'or "" or', "- -", "\x00", "a", "\U000e0001"]
    )
    def test_may_say_nothing(self, text):
        assert read_text(text) is None

    @pytest.mark.parametrize(
        ("text", "same"),
        [
            ("maths", "mathematics"),
            ("MFL", "languages"),
            ("KS4", "gcse"),
            ("Key-Stage 4", "gcse"),
            ("key stage 4 or chess", "ks4 or chess"),
            ("a level", "alevel"),
            ("art & design -a2", "painting -a-level"),
            ("11+", "eleven plus"),
        ],
    )
    def test_means_the_same_in_every_spelling_of_an_option(self, text, same):
        assert read_text(text).expression() == read_text(same).expression()

    @pytest.mark.parametrize(
        ("text", "may"), [("c", False), ("c++", False), ("qz", False), ("c-d", False), ("zyx", True)]
    )
    def test_is_misspelt_only_in_words_of_three_letters(self, text, may):
        """*Prevents*: every word with this letter taken for it."""
        assert read_text(text).may_be_misspelt is may

    def test_in_quotes_means_itself(self):
        query = read_text('"maths"')
        assert query
        assert query.expression() == "maths"

    @given(st.text(max_size=200))
    def test_of_any_kind_leaves_nothing_that_the_database_could_misread(self, text):
        query = read_text(text)
        if query:
            allowed = set("()&|!<-> ")
            assert all(char.isalnum() or char in allowed for char in query.expression())
            assert query.text.isprintable()

    @given(st.text())
    def test_folds_to_itself(self, text):
        assert fold(fold(text)) == fold(text)
        assert words(" ".join(words(text))) == words(text)


class TestCursor:
    def test_leads_back_to_its_position(self):
        search = asked(q="maths", city="Leeds")
        cursor = write_cursor(search, [1, "two", None])
        assert read_cursor(asked(q="maths", city="Leeds", cursor=cursor, limit=5), list) == [1, "two", None]

    @pytest.mark.parametrize(
        "other", [{"q": "math"}, {"q": "maths", "city": "York"}, {"q": "maths", "sort": "newest"}]
    )
    def test_belongs_to_its_filters_and_order(self, other):
        cursor = write_cursor(asked(q="maths"), [1])
        with pytest.raises(ValidationFailed, match="cursor"):
            read_cursor(asked(**other, cursor=cursor), list)

    @given(st.text(max_size=600))
    def test_of_any_kind_is_refused_in_words(self, text):
        with pytest.raises(ValidationFailed, match="cursor"):
            read_cursor(Search(cursor=text), list)


@dataclass
class Written:
    """A published listing as the index sees it."""

    title: str = "Maths and more for everybody"
    description: str = "Patient lessons."
    subjects: list[str] = field(default_factory=lambda: ["Maths"])
    levels: list[str] = field(default_factory=lambda: ["GCSE"])
    languages: list[str] = field(default_factory=lambda: ["English"])
    specializations: list[str] = field(default_factory=list)
    teaching_methods: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    hourly_rate: int | None = None
    hourly_rate_min: int | None = None
    hourly_rate_max: int | None = None
    location_type: str = "online"
    location_city: str | None = None
    free_trial: bool = False
    owner_display_name: str = ""
    id: UUID = field(default_factory=uuid4)
    version: int = 1


class TestDocument:
    def test_holds_ancestors_and_concepts(self):
        document = document_of(Written(subjects=["French", "Chess"], levels=["KS3"]))
        assert {"subjects:french", "subjects:languages", "subjects~chess", "levels:secondary"} <= {
            *document.tokens
        }
        assert document.labels == (
            "french su0french languages su0languages chess ks3 le0ks3 secondary le0secondary"
        )
        assert document.subject_ids == "french,languages"

    def test_holds_options_as_they_are_called_and_as_they_were_written(self):
        assert document_of(Written(subjects=[], levels=["KS4"])).labels == (
            "gcse le0gcse secondary le0secondary ks4 le0gcse"
        )

    def test_matches_what_a_filter_asks_for(self):
        document = document_of(Written(subjects=["CHESS "], tags=["SAT's"], languages=["zh"]))
        for option_filter, text in [
            (OptionFilter.SUBJECTS, "chess"),
            (OptionFilter.TAGS, "sats"),
            (OptionFilter.LANGUAGES, "Chinese"),
        ]:
            [(_, (choice,))] = asked(**{option_filter: text}).options
            assert choice.token in document.tokens

    @pytest.mark.parametrize("text", ["🎸", "♥", "👩‍🏫", " !!! "])
    def test_matches_a_filter_made_of_symbols_alone(self, text):
        document = document_of(Written(subjects=[text.strip()], tags=[text.strip()]))
        for option_filter in (OptionFilter.SUBJECTS, OptionFilter.TAGS):
            [(_, (choice,))] = asked(**{option_filter: text}).options
            assert choice.token in document.tokens

    def test_does_not_take_a_text_for_an_id(self):
        assert "subjects:chess" not in document_of(Written(subjects=["chess"])).tokens

    def test_holds_no_word_too_often(self):
        """*Prevents*: a listing stuffed with one word that makes ranking slow."""
        document = document_of(Written(description="maths " * 300))
        assert document.body.split().count("maths") == 8

    @pytest.mark.parametrize(
        ("rates", "interval"),
        [
            ((None, None, None), (None, None)),
            ((30, None, None), (30, 30)),
            ((30, 20, 40), (20, 40)),
            ((20, 20, None), (20, 20)),
            ((None, None, 40), (40, 40)),
            ((30, None, 40), (30, 40)),
            ((0, None, None), (0, 0)),
            ((20, 25, None), (20, 25)),
        ],
    )
    def test_has_a_price_from_the_lowest_to_the_highest(self, rates, interval):
        rate, lowest, highest = rates
        listing = Written(hourly_rate=rate, hourly_rate_min=lowest, hourly_rate_max=highest)
        assert price_interval(listing) == interval

    @pytest.mark.parametrize(
        ("lowest", "highest", "bands"),
        [
            (2000, 2000, 0b10),
            (1999, 1999, 0b1),
            (1500, 2500, 0b111),
            (15000, 15000, 0b10000000),
            (0, 1499, 0),
            (None, None, 0),
        ],
    )
    def test_reaches_into_bands(self, lowest, highest, bands):
        assert document_of(Written(hourly_rate_min=lowest, hourly_rate_max=highest)).price_bands == bands

    def test_folds_the_city(self):
        document = document_of(Written(location_city=" Saint-Dénis "))
        assert (document.city, document.city_key) == ("Saint-Dénis", "saint denis")
