"""Bands between forms that cut them differently."""

from decimal import Decimal

import pytest

from cas_taxonomy import (
    COMMISSION_CHOICES,
    Surface,
    convert_band,
    entries,
    offered,
    rate_range,
    relabel,
    resolve,
)

BANDS = (
    "experience-bands",
    "years-in-business",
    "number-of-tutors",
    "student-capacities",
    "sessions-per-week",
)


class TestConvertBand:
    @pytest.mark.parametrize(
        ("kind", "source", "label"),
        [
            ("experience-bands", "beginner", "0-1 years"),
            ("experience-bands", "experienced", "3-5 years"),
            ("experience-bands", "expert", "5-10 years"),
            ("years-in-business", "startup", "0-1 years"),
            ("years-in-business", "established", "3-5 years"),
            ("years-in-business", "mature", "10-20 years"),
            ("number-of-tutors", "solo", "1-5"),
            ("number-of-tutors", "small", "1-5"),
            ("number-of-tutors", "medium", "6-10"),
            ("number-of-tutors", "large", "11-25"),
            ("student-capacities", "enterprise", "500+"),
            ("sessions-per-week", "4+", "4"),
        ],
    )
    def test_a_wizard_answer_becomes_a_band_of_the_template_form(self, kind, source, label):
        assert convert_band(kind, source, Surface.TEMPLATE).label == label

    @pytest.mark.parametrize(
        ("kind", "source", "entry_id"),
        [
            ("experience-bands", "10+ years", "5-plus-years"),
            ("years-in-business", "5-10 years", "3-10-years"),
            ("number-of-tutors", "51-100", "20-plus"),
            ("sessions-per-week", "5+", "4-plus"),
        ],
    )
    def test_a_template_value_becomes_an_answer_of_the_wizard(self, kind, source, entry_id):
        assert convert_band(kind, source, Surface.WIZARD).id == entry_id

    @pytest.mark.parametrize("kind", BANDS)
    @pytest.mark.parametrize("surface", Surface)
    def test_never_overstates_and_always_ends_in_the_form(self, kind, surface):
        for entry in entries(kind):
            band = convert_band(kind, entry, surface)
            assert band in offered(kind, surface)
            assert band.min <= entry.min

    @pytest.mark.parametrize("kind", BANDS)
    @pytest.mark.parametrize("surface", Surface)
    def test_what_the_form_offers_stays(self, kind, surface):
        for entry in offered(kind, surface):
            assert convert_band(kind, entry, surface) is entry

    def test_takes_an_entry_of_another_kind_in_the_same_unit(self):
        years = resolve("years-in-business", "mature")
        assert convert_band("experience-bands", years, Surface.LISTING).id == "10-plus-years"

    def test_answers_none_for_unknown_text_and_where_nothing_fits(self):
        assert convert_band("experience-bands", "ages", Surface.TEMPLATE) is None
        assert convert_band("rate-bands", "15-20", Surface.WIZARD) is None


class TestRelabel:
    @pytest.mark.parametrize(
        ("kind", "text", "surface", "written"),
        [
            ("subjects", "computer_science", Surface.TEMPLATE, "Computer Science"),
            ("subjects", "test_prep", Surface.TEMPLATE, "Exam Preparation"),
            ("levels", "Primary (KS1-KS2)", Surface.LISTING, "Primary (KS1 & KS2)"),
            ("experience-bands", "expert", Surface.TEMPLATE, "5-10 years"),
            ("experience-bands", "expert", Surface.LISTING, "5-10"),
            ("specializations", "  Chess openings ", Surface.LISTING, "Chess openings"),
        ],
    )
    def test_writes_a_value_as_the_target_form_does(self, kind, text, surface, written):
        assert relabel(kind, text, surface) == written


class TestRateRange:
    @pytest.mark.parametrize(
        ("number", "minimum", "maximum"),
        [(25, 25, 35), (40, 40, 50), (60, 60, 75), (80, 80, 100), (100, 100, None)],
    )
    def test_knows_the_five_numbers_of_the_tutor_wizard(self, number, minimum, maximum):
        for spelled in (number, float(number), Decimal(number)):
            band = rate_range(spelled)
            assert (band.min, band.max) == (minimum, maximum)

    @pytest.mark.parametrize("number", [0, 20, 30, 35, 45, 85, 25.5, -40])
    def test_no_other_number_becomes_a_band(self, number):
        assert rate_range(number) is None


def test_the_agent_wizard_offers_five_commission_rates():
    assert COMMISSION_CHOICES == (10, 15, 20, 25, 30)
