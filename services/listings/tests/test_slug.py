"""Readable addresses, and postcodes as far as the public sees them."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_listings.domain.postcode import postcode_area
from cas_listings.domain.slug import slug_name, slugs

ID = UUID("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")


class TestSlug:
    @pytest.mark.parametrize(
        ("title", "name"),
        [
            ("GCSE Maths & Physics!", "gcse-maths-physics"),
            ("  --Édith's café--  ", "edith-s-cafe"),
            ("Straße, Ærø, Łódź", "strasse-aero-lodz"),
            ("Математика", "matematika"),
            ("ﬁne ①", "fine-1"),
            ("", "listing"),
            ("!!! ???", "listing"),
        ],
    )
    def test_follows_the_title(self, title, name):
        assert slug_name(title) == name
        assert next(slugs(title, ID)) == f"{name}-0f1e2d3c"

    def test_is_cut_at_a_word(self):
        assert slug_name("x" * 79 + " word") == "x" * 79
        assert slug_name("x" * 75 + " word") == "x" * 75 + "-word"
        assert slug_name("x" * 300) == "x" * 80

    def test_has_longer_forms_for_when_it_belongs_to_another(self):
        assert list(slugs("A", ID)) == ["a-0f1e2d3c", "a-0f1e2d3c4b5a", "a-0f1e2d3c4b5a69788796a5b4c3d2e1f0"]

    @given(st.text(max_size=200))
    def test_is_always_an_address(self, title):
        name = slug_name(title)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert len(name) <= 80
        assert slug_name(name) == name


class TestPostcodeArea:
    @pytest.mark.parametrize(
        ("postcode", "area"),
        [
            ("SW1A 1AA", "SW1A"),
            ("sw1a1aa", "SW1A"),
            ("M1 1AE", "M1"),
            ("m11ae", "M1"),
            ("CR2 6XH", "CR2"),
            ("DN55 1PT", "DN55"),
            ("SW1A", "SW1A"),
            ("M1", "M1"),
            (None, None),
            ("", None),
            ("10115", None),
            ("12 High Street", None),
            ("LEEDS", None),
        ],
    )
    def test_is_the_outward_part(self, postcode, area):
        assert postcode_area(postcode) == area

    @given(st.text(max_size=20))
    def test_never_shows_a_whole_postcode(self, postcode):
        area = postcode_area(postcode)
        assert area is None or len(area) <= 4
