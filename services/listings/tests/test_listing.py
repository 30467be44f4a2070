"""The rules of a listing's fields, without I/O."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_kit.errors import ValidationFailed
from cas_listings.domain.fields import FIELDS
from cas_listings.domain.listing import (
    beside,
    copied_title,
    merge,
    new_fields,
    publish_problems,
    read_changes,
)
from cas_listings.domain.roles import Role
from cas_listings.domain.states import Status

from .conftest import PUBLISHABLE


def read(**document):
    return read_changes(document)


def problems(**document):
    with pytest.raises(ValidationFailed) as refused:
        new_fields(read(**document).values)
    return [(problem.field, problem.code) for problem in refused.value.problems]


def made(**document):
    return new_fields(read(**document).values)


def changed(fields, **document):
    return merge(fields, read(**document).values)


class TestReading:
    @pytest.mark.parametrize("document", [[], None, "x", 5])
    def test_needs_an_object(self, document):
        with pytest.raises(ValidationFailed, match="must be a JSON object"):
            read_changes(document)

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("title", "x" * 201, "too-long"),
            ("title", 5, "invalid"),
            ("description", "x" * 2001, "too-long"),
            ("subjects", [f"subject {n}" for n in range(21)], "too-many"),
            ("languages", [f"language {n}" for n in range(13)], "too-many"),
            ("tags", [f"tag {n}" for n in range(21)], "too-many"),
            ("response_time", "x" * 51, "too-long"),
            ("teaching_experience", "x" * 101, "too-long"),
            ("hourly_rate", -1, "out-of-range"),
            ("hourly_rate", 10_000.01, "out-of-range"),
            ("hourly_rate", 1.005, "invalid"),
            ("hourly_rate", "dear", "not-a-number"),
            ("hourly_rate_min", True, "not-a-number"),
            ("currency", "POUND", "too-long"),
            ("currency", "ZZZ", "unknown-option"),
            ("free_trial", "yes", "invalid"),
            ("trial_duration_minutes", 0, "out-of-range"),
            ("trial_duration_minutes", 241, "out-of-range"),
            ("trial_duration_minutes", 30.5, "invalid"),
            ("location_type", "on the moon", "unknown-option"),
            ("location_type", 5, "unknown-option"),
            ("location_address", "x" * 301, "too-long"),
            ("location_city", "x" * 101, "too-long"),
            ("location_postcode", "x" * 21, "too-long"),
            ("timezone", "Mars/Olympus", "invalid"),
            ("video_url", "http://videos.example/ada", "invalid"),
            ("video_url", "javascript:alert(1)", "invalid"),
        ],
        ids=lambda value: value if isinstance(value, str) and len(value) < 30 else None,
    )
    def test_holds_the_limits(self, name, value, code):
        found = problems(**{name: value})
        assert [(path.split(".")[0], found_code) for path, found_code in found] == [(name, code)]

    @pytest.mark.parametrize(
        ("name", "value", "path"),
        [
            ("subjects", ["Maths", "x" * 33], "subjects.1"),
            ("levels", ["GCSE", "Nursery"], "levels.1"),
            ("tags", ["x" * 33], "tags.0"),
            ("qualifications", ["x" * 201], "qualifications.0"),
            ("availability", ["weekday_night"], "availability.0"),
            ("availability", {"monday": [{"start": "12:00", "end": "09:00"}]}, "availability.monday.0.end"),
        ],
    )
    def test_says_which_part_is_wrong(self, name, value, path):
        assert [field for field, _ in problems(**{name: value})] == [path]

    def test_names_all_bad_fields_in_their_order(self):
        found = problems(status="gone", levels=["Nursery"], title=5, created_as_role="king")
        assert [field for field, _ in found] == ["title", "levels.0", "status", "created_as_role"]

    def test_a_level_is_never_free_text(self):
        assert problems(levels=["Nursery"]) == [("levels.0", "unknown-option")]
        assert made(levels=["KS4", "gcse"])["levels"] == ["KS4"]

    def test_names_what_nobody_knows_and_overlooks_what_was_answered(self):
        changes = read(shoe_size=43, version=9, owner={}, images=["blob:x"], status="paused")
        assert changes.ignored == ("shoe_size",)
        assert (changes.values, changes.status) == ({}, Status.UNPUBLISHED)

    def test_knows_roles_by_their_aliases(self):
        assert read(created_as_role=" Provider ").role is Role.TUTOR

    @pytest.mark.parametrize("location", ["in_person", "In person", "face to face"])
    def test_stores_a_location_as_the_api_spells_it(self, location):
        assert made(location_type=location)["location_type"] == "in_person"

    def test_experience_has_two_names(self):
        assert made(years_of_experience="3-5")["teaching_experience"] == "3-5"
        assert made(years_of_experience="3-5", teaching_experience="10+")["teaching_experience"] == "10+"
        assert made(years_of_experience="3-5", teaching_experience="")["teaching_experience"] == "3-5"

    def test_keeps_the_typed_text_in_place_of_other(self):
        fields = made(subjects=["Other", "Juggling"])
        assert fields["subjects"] == ["Other", "Juggling"]
        assert beside(fields)["subject_ids"] == ["other", None]


class TestDefaults:
    def test_of_a_new_listing(self):
        fields = made()
        assert fields.keys() == FIELDS.keys()
        expected = {
            "title": "",
            "languages": ["English"],
            "currency": "GBP",
            "free_trial": False,
            "location_type": "online",
            "location_country": "United Kingdom",
            "timezone": "Europe/London",
        }
        assert {name: fields[name] for name in expected} == expected
        assert fields["subjects"] == []
        assert fields["hourly_rate"] is None

    def test_stand_in_for_what_a_new_listing_clears(self):
        assert made(**dict.fromkeys(FIELDS)) == made()

    @pytest.mark.parametrize("name", FIELDS)
    def test_null_and_blank_clear(self, name, examples):
        fields = changed(made(), **{"free_trial": True, name: examples[name]})
        cleared = FIELDS[name].cleared
        for nothing in (None, "  "):
            after = changed(fields, **{"free_trial": False, name: nothing})
            assert after[name] == cleared


class TestPrice:
    def test_a_range_without_a_rate_brings_its_minimum_along(self):
        fields = made(hourly_rate_min=40, hourly_rate_max=60)
        assert fields["hourly_rate"] == 40_00
        assert changed(fields, hourly_rate_min=45)["hourly_rate"] == 45_00

    def test_a_rate_of_its_own_stays(self):
        fields = made(hourly_rate=50, hourly_rate_min=40)
        assert fields["hourly_rate"] == 50_00
        assert changed(fields, hourly_rate_min=45)["hourly_rate"] == 50_00

    def test_zero_is_a_price(self):
        assert made(hourly_rate=0)["hourly_rate"] == 0
        assert made(hourly_rate_min=0, hourly_rate_max=20)["hourly_rate"] == 0

    def test_bounds_have_an_order(self):
        assert problems(hourly_rate_min=50, hourly_rate_max=40) == [("hourly_rate_min", "out-of-order")]
        with pytest.raises(ValidationFailed):
            changed(made(hourly_rate_max=40), hourly_rate_min=50)

    @given(st.integers(0, 10_000_00), st.integers(0, 10_000_00))
    def test_any_two_amounts_make_a_range_in_one_order(self, one, other):
        low, high = sorted((one, other))
        fields = made(hourly_rate_min=low / 100, hourly_rate_max=high / 100)
        assert (fields["hourly_rate_min"], fields["hourly_rate_max"]) == (low, high)
        assert fields["hourly_rate"] == low


class TestTrial:
    def test_lasts_half_an_hour_unless_it_says_otherwise(self):
        assert made(free_trial=True)["trial_duration_minutes"] == 30
        assert made(free_trial=True, trial_duration_minutes=15)["trial_duration_minutes"] == 15

    def test_without_one_there_is_no_duration(self):
        fields = made(free_trial=True, trial_duration_minutes=60)
        assert changed(fields, free_trial=False)["trial_duration_minutes"] is None
        assert made(trial_duration_minutes=60)["trial_duration_minutes"] is None


class TestPackages:
    def test_are_stored_in_minor_units(self):
        packages = made(pricing_packages=[{"sessions": "5", "price": "99.99", "discount": "", "name": " "}])
        assert packages["pricing_packages"] == [{"sessions": 5, "price": 99_99}]

    @pytest.mark.parametrize(
        ("packages", "path", "code"),
        [
            ({}, "pricing_packages", "invalid"),
            ([5], "pricing_packages.0", "invalid"),
            ([{"price": 5}], "pricing_packages.0.sessions", "missing"),
            ([{"sessions": 5}], "pricing_packages.0.price", "missing"),
            ([{"sessions": 0, "price": 5}], "pricing_packages.0.sessions", "out-of-range"),
            ([{"sessions": 101, "price": 5}], "pricing_packages.0.sessions", "out-of-range"),
            ([{"sessions": 5, "price": -5}], "pricing_packages.0.price", "out-of-range"),
            (
                [{"sessions": 5, "price": 5, "discount": 101}],
                "pricing_packages.0.discount",
                "out-of-range",
            ),
            ([{"sessions": 5, "price": 5, "name": "x" * 61}], "pricing_packages.0.name", "too-long"),
            ([{"sessions": 5, "price": 5}, {"sessions": 5, "price": 6}], "pricing_packages.1", "repeated"),
            ([{"sessions": 5, "price": 5}] * 11, "pricing_packages", "too-many"),
        ],
    )
    def test_hold_their_limits(self, packages, path, code):
        if isinstance(packages, dict):
            packages = {"sessions": 5}
        assert problems(pricing_packages=packages) == [(path, code)]

    def test_with_names_of_their_own_may_be_equally_long(self):
        packages = [{"sessions": 5, "price": 50, "name": name} for name in ("Weekday", "Weekend")]
        assert len(made(pricing_packages=packages)["pricing_packages"]) == 2


class TestPublishing:
    def test_an_empty_draft_has_exactly_four_problems(self):
        assert [problem.field for problem in publish_problems(made())] == [
            "title",
            "description",
            "subjects",
            "levels",
        ]

    def test_needs_no_price(self):
        assert publish_problems(made(**PUBLISHABLE)) == []

    @pytest.mark.parametrize("length", [9, 10, 200])
    def test_counts_the_title_after_trimming(self, length):
        fields = made(**PUBLISHABLE | {"title": f"  {'x' * length}  "})
        assert bool(publish_problems(fields)) is (length < 10)

    @pytest.mark.parametrize("length", [49, 50, 2000])
    def test_counts_the_description(self, length):
        fields = made(**PUBLISHABLE | {"description": "x" * length})
        assert bool(publish_problems(fields)) is (length < 50)

    @pytest.mark.parametrize("location", ["in_person", "hybrid", "online"])
    def test_lessons_in_person_need_a_city(self, location):
        found = publish_problems(made(**PUBLISHABLE, location_type=location))
        assert [problem.field for problem in found] == ([] if location == "online" else ["location_city"])
        assert publish_problems(made(**PUBLISHABLE, location_type=location, location_city="Leeds")) == []


class TestBeside:
    def test_are_the_ids_of_the_texts(self):
        found = beside(made(subjects=["Maths", "Juggling"], levels=["KS4"], teaching_experience="5-10"))
        assert (found["subject_ids"], found["level_ids"]) == (["mathematics", None], ["gcse"])
        assert (found["language_ids"], found["teaching_experience_id"]) == (["english"], "5-10-years")

    def test_is_the_canonical_availability(self):
        found = beside(
            made(
                availability=["weekday_morning"],
                unavailability=[{"fromDate": "2026-08-01", "toDate": "2026-08-02"}],
                timezone="Asia/Tokyo",
            )
        )
        assert found["availability_slots"] == ["weekday_morning"]
        assert found["availability_windows"]["timezone"] == "Asia/Tokyo"
        assert found["availability_windows"]["exceptions"] == [{"from": "2026-08-01", "to": "2026-08-02"}]
        assert beside(made())["availability_windows"] is None


class TestCopiedTitle:
    @given(st.text(alphabet="ab ", max_size=200).map(str.strip))
    def test_fits_and_says_that_it_is_a_copy(self, title):
        copied = copied_title(title)
        assert len(copied) <= 200
        assert copied.endswith("(copy)")
        assert copied.startswith(title[:100].strip())
