"""What each reader takes, and in which words it refuses the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_fields.reading import (
    Flag,
    Number,
    NumberList,
    NumberRange,
    Percent,
    Refused,
    Text,
    TextList,
    WebAddress,
    clean,
    identity,
)


def refusal(read, value):
    with pytest.raises(Refused) as raised:
        read(value)
    return raised.value


class TestClean:
    @given(st.text(), st.booleans())
    def test_twice_is_once(self, text, lines):
        assert clean(clean(text, lines=lines), lines=lines) == clean(text, lines=lines)

    def test_keeps_line_breaks_only_where_they_are_allowed(self):
        assert clean("a\r\nb\tc\x07", lines=True) == "a\nb c"
        assert clean("a\r\nb\tc\x07") == "a b c"

    def test_composes_letters(self):
        assert clean("Zoe\u0308") == "Zo\u00eb"


class TestText:
    def test_counts_after_trimming(self):
        assert Text(3)("  abc  ") == "abc"
        assert refusal(Text(3), "abcd").message == "must have at most 3 characters"

    def test_refuses_what_is_too_short_but_not_what_is_empty(self):
        assert refusal(Text(9, shortest=2), "a").code == "too-short"
        assert Text(9, shortest=2)("\x00 ") == ""

    @pytest.mark.parametrize("value", [1, True, [], {}])
    def test_refuses_other_types(self, value):
        assert refusal(Text(9), value).message == "must be a text"


class TestWebAddress:
    @pytest.mark.parametrize("address", ["http://a.example", "https://a.example/x?y=1"])
    def test_takes_absolute_addresses(self, address):
        assert WebAddress()(address) == address

    @pytest.mark.parametrize(
        "address", ["a.example", "javascript:alert(1)", "https://", "https://[", "ftp://a", "https://a b"]
    )
    def test_refuses_others(self, address):
        assert "must be a web address" in refusal(WebAddress(), address).message

    def test_takes_what_lies_below_our_own(self):
        read = WebAddress(schemes=("https",), own_prefix="http://localhost/media/")
        assert read("http://localhost/media/a.webp") == "http://localhost/media/a.webp"
        assert refusal(read, "http://localhost/other").message.endswith("https://")


class TestTextList:
    def test_drops_blanks_and_repetitions_and_keeps_the_first_spelling(self):
        assert TextList("subjects")(["Maths", " ", None, "mathematics", "Juggling", "JUGGLING"]) == [
            "Maths",
            "Juggling",
        ]

    def test_lets_only_known_texts_be_long(self):
        long = "Special Educational Needs (SEN), all of them"
        assert TextList("specializations")(["English as Second Language (ESL)"])
        found = refusal(TextList("subjects"), ["Maths", long])
        assert (found.path, found.message) == ("1", "must have at most 32 characters")

    def test_takes_up_to_fifty(self):
        assert len(TextList()([f"text {n}" for n in range(50)])) == 50
        assert refusal(TextList(), [f"text {n}" for n in range(51)]).code == "too-many"

    def test_may_have_limits_of_its_own(self):
        read = TextList(most=2, longest=3)
        assert read(["abc", "def", "ABC"]) == ["abc", "def"]
        assert refusal(read, ["a", "b", "c"]).message == "may have at most 2 items"
        assert refusal(read, ["abcd"]).path == "0"

    @pytest.mark.parametrize(
        ("value", "path"), [("Maths", ""), ({"a": 1}, ""), ([1], "0"), (["a", ["b"]], "1")]
    )
    def test_names_the_item_of_a_wrong_type(self, value, path):
        assert refusal(TextList(), value).path == path

    def test_of_a_closed_kind_takes_its_texts_only(self):
        read = TextList("delivery-modes", closed=True)
        assert read(["in_person", "Face to face", "online"]) == ["in_person", "online"]
        found = refusal(read, ["by pigeon"])
        assert (found.code, found.message) == ("unknown-option", "must be one of online, in_person, hybrid")

    def test_tells_symbols_apart_that_normalise_to_nothing(self):
        assert identity("!", kind=None) != identity("?", kind=None)


class TestNumbers:
    def test_numbers_are_kept_as_sent(self):
        assert [Number()(value) for value in (0, 2.5, 7)] == [0, 2.5, 7]
        assert NumberList()([9, 10, 9]) == [9, 10]

    @pytest.mark.parametrize("value", [True, "5", None, float("inf"), float("nan")])
    def test_refuses_what_is_no_number(self, value):
        assert refusal(Number(), value).code == "not-a-number"

    def test_refuses_negative_ones(self):
        assert refusal(Number(), -1).message == "must be 0 or more"
        assert refusal(NumberList(), [1, -1]).path == "1"

    def test_ranges_may_be_open_and_must_be_in_order(self):
        assert NumberRange()({"min": 5}) == {"min": 5, "max": None}
        assert NumberRange()({"min": None, "max": ""}) == {}
        assert refusal(NumberRange(), {"min": 9, "max": 5}).code == "out-of-order"
        assert refusal(NumberRange(), {"min": 9, "max": "x"}).path == "max"
        assert refusal(NumberRange(), [5, 9]).message == "must be an object"

    @pytest.mark.parametrize(("value", "percent"), [(0, 0), ("12.5", 12.5), (100, 100), (15.0, 15)])
    def test_percent_in_steps_of_a_half(self, value, percent):
        assert Percent()(value) == percent

    @pytest.mark.parametrize("value", [-0.5, 100.5, 12.25, "12%", "1e1", "", "Infinity", "٣", True, "9" * 40])
    def test_percent_refuses_others(self, value):
        refusal(Percent(), value)

    def test_flags_are_true_or_false(self):
        assert Flag()(False) is False
        assert refusal(Flag(), 0).message == "must be true or false"
