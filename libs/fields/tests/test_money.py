"""Pounds on the wire, pence inside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_fields.money import Budget, Money, MoneyRange, contains, midpoint, to_major
from cas_fields.reading import Refused

amounts = st.integers(0, 10_000_00)


class TestMoney:
    @given(amounts)
    def test_survives_the_round_trip_as_number_and_as_text(self, pence):
        assert Money()(to_major(pence)) == pence
        assert Money()(str(to_major(pence))) == pence

    @pytest.mark.parametrize(
        "value", [-1, 10_000.01, "ten", True, None, [], "1.234", 0.001, "9" * 40, "1_000", "£5"]
    )
    def test_refuses_others(self, value):
        with pytest.raises(Refused):
            Money()(value)

    def test_shows_whole_pounds_as_whole_numbers(self):
        assert (repr(to_major(4500)), repr(to_major(4550))) == ("45", "45.5")


class TestRange:
    @given(amounts, amounts)
    def test_contains_its_midpoint(self, one, other):
        low, high = sorted((one, other))
        assert contains({"min": low, "max": high}, midpoint(low, high))

    @pytest.mark.parametrize(
        ("low", "high", "middle"), [(40_00, 50_00, 45_00), (1, 2, 2), (None, 7, 7), (7, None, 7)]
    )
    def test_has_a_midpoint_or_its_only_bound(self, low, high, middle):
        assert midpoint(low, high) == middle

    def test_may_be_open(self):
        assert MoneyRange()({"min": "40"}) == {"min": 40_00, "max": None}
        assert contains({"min": 40_00, "max": None}, 10_000_00)
        assert not contains({"min": None, "max": 40_00}, 40_01)
        assert MoneyRange()({"min": None, "max": None}) == {}

    @pytest.mark.parametrize("value", [{"min": 5, "max": 4}, {"min": -1}, [4, 5], "4-5"])
    def test_refuses_others(self, value):
        with pytest.raises(Refused):
            MoneyRange()(value)


class TestBudget:
    @given(amounts, amounts)
    def test_is_one_text_however_it_was_sent(self, one, other):
        low, high = sorted((to_major(one), to_major(other)))
        text = f"{low}-{high}"
        assert Budget()(text) == Budget()({"min": low, "max": high, "currency": "GBP"}) == text

    @pytest.mark.parametrize("currency", ["USD", "gbp", 1, ["GBP"]])
    def test_is_in_pounds(self, currency):
        with pytest.raises(Refused, match="must be GBP") as refused:
            Budget()({"min": 20, "max": 40, "currency": currency})
        assert refused.value.path == "currency"

    @pytest.mark.parametrize("text", [" 20 - 40 ", "20.00-40.0", "20\u201340"])
    def test_forgives_spelling(self, text):
        assert Budget()(text) == "20-40"

    def test_is_empty_without_bounds(self):
        assert Budget()({"min": None, "max": None}) == ""

    @pytest.mark.parametrize(
        "value", ["40-20", "20", "20-", "-20", "cheap", {"min": 20}, {"max": 5}, 20, ["20-40"]]
    )
    def test_refuses_others(self, value):
        with pytest.raises(Refused):
            Budget()(value)
