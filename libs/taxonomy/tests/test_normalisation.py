"""When two spellings are the same text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cas_taxonomy import normalise


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("  Computer   Science\n", "computer science"),
        ("computer_science", "computer science"),
        ("Exam-Focused", "exam focused"),
        ("KS1–KS2", "ks1 ks2"),  # noqa: RUF001  # the en dash is the case
        ("Games & Activities", "games and activities"),
        ("KS1&KS2", "ks1 and ks2"),
        ("Entrance Exams (11+, 13+)", "entrance exams 11+ 13+"),
        ("P.E.", "pe"),
        ("1:1 attention", "11 attention"),
        ("Bachelor's degree", "bachelors degree"),
        ("ＧＣＳＥ", "gcse"),  # noqa: RUF001  # full-width letters
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Français", "français"),
        ("Franc\u0327ais", "français"),
        ("£25-35", "25 35"),
        ("\u200bMaths\x00", "maths"),
        ("?!", ""),
    ],
)
def test_folds_case_width_punctuation_and_spacing(text, normalised):
    assert normalise(text) == normalised


@settings(max_examples=1000, deadline=None)
@given(st.text())
def test_normalising_twice_changes_nothing(text):
    once = normalise(text)
    assert normalise(once) == once


@pytest.mark.parametrize(
    "text", ["e.\u0301", "\u1e9b\u0323", "İ", "ᾳ\u0301", "\u0345\u0301a", "K\u0307-\u0323"]
)
def test_dropping_and_folding_leave_nothing_to_compose(text):
    assert normalise(normalise(text)) == normalise(text)


@settings(deadline=None)
@given(st.text())
def test_only_letters_digits_plus_and_single_spaces_remain(text):
    normalised = normalise(text)
    assert normalised == " ".join(normalised.split())
    assert not set(normalised) & set("_-–&.,:;()/'\"?!£")  # noqa: RUF001  # the en dash is meant
