"""Reading, merging and answering templates, without a database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_account.domain.professional_info import (
    answered,
    completeness,
    entry_ids,
    merge,
    read_changes,
    read_fields,
    unresolved,
)
from cas_account.domain.professional_info_fields import FIELDS
from cas_account.domain.roles import AskedRole, Role
from cas_kit.errors import ValidationFailed

RANGE = {"min": 40, "max": 50}
ABSENCE = {"fromDate": "2026-08-01", "toDate": "2026-08-14"}


def saved(document, before=None):
    values, problems = read_fields(document)
    assert problems == []
    return merge(before or {}, values, timezone="Europe/London")


def shown(document, before=None, role=Role.TUTOR):
    return answered(role, saved(document, before))


class TestReadChanges:
    def test_reports_all_bad_fields_in_field_order(self):
        with pytest.raises(ValidationFailed) as raised:
            read_changes({"bio": 1, "subjects": "Maths", "role_type": "king", "hourly_rate": -5})
        assert [problem.field for problem in raised.value.problems] == [
            "role_type",
            "subjects",
            "hourly_rate",
            "bio",
        ]
        assert raised.value.detail.startswith("role_type: must be tutor")

    def test_names_what_nobody_knows_and_passes_over_what_is_only_answered(self):
        changes = read_changes({"role_type": "Provider", "completeness": {}, "version": 3, "shoe_size": 43})
        assert changes.ignored == ("shoe_size",)
        assert changes.role == AskedRole(Role.TUTOR, "Provider")

    def test_tells_fields_from_bodies_that_are_none(self):
        for body in (None, [], "x"):
            with pytest.raises(ValidationFailed, match="body: must be a JSON object"):
                read_changes(body)

    @pytest.mark.parametrize("blank", [None, "", "  "])
    def test_blanks_clear_every_field(self, blank):
        values, problems = read_fields(dict.fromkeys(FIELDS, blank))
        assert problems == []
        assert set(values.values()) == {None}


class TestMerge:
    def test_keeps_what_is_absent_and_removes_what_is_cleared(self):
        before = saved({"bio": "Hello", "subjects": ["Maths"], "hourly_rate": 0, "willing_to_travel": False})
        assert saved({"bio": None, "subjects": []}, before) == {"hourly_rate": 0, "willing_to_travel": False}

    @given(st.sampled_from(sorted(FIELDS)), st.sampled_from(sorted(FIELDS)))
    def test_writing_one_field_never_touches_an_unrelated_one(self, examples, one, other):
        before = saved({other: examples[other]})
        after = saved({one: examples[one]}, before)
        related = (
            {"levels", "skill_levels"},
            {"hourly_rate", "hourly_rate_range"},
            {"availability", "unavailability"},
        )
        if one != other and not any({one, other} <= group for group in related):
            assert {name: after[name] for name in before} == before

    @given(st.sampled_from(sorted(FIELDS)))
    def test_writing_what_is_answered_changes_nothing(self, examples, name):
        before = saved({name: examples[name]})
        sent_back = {key: value for key, value in answered(Role.TUTOR, before).items() if key in FIELDS}
        assert saved(sent_back, before) == before


class TestLevels:
    def test_are_two_views_of_one_list(self):
        assert shown({"levels": ["GCSE", "A-Level"]})["skill_levels"] == {"GCSE": True, "A-Level": True}
        assert shown({"skill_levels": {"GCSE": 3, "IB": True, "KS3": False, "A-Level": None}}) | {} == shown(
            {"levels": ["GCSE", "IB"], "skill_levels": {"GCSE": 3}}
        )

    def test_of_both_views_the_list_decides(self):
        found = shown({"levels": ["A Level", "IB"], "skill_levels": {"A-Level": 4, "GCSE": 2}})
        assert found["levels"] == ["A Level", "IB"]
        assert found["skill_levels"] == {"A Level": 4, "IB": True}

    @pytest.mark.parametrize(
        "cleared", [{"levels": []}, {"levels": None}, {"skill_levels": {}}, {"skill_levels": None}]
    )
    def test_clearing_one_view_clears_both(self, cleared):
        before = saved({"skill_levels": {"GCSE": 3}})
        assert saved(cleared, before) == {}
        assert shown(cleared, before)["levels"] == []

    @pytest.mark.parametrize("grade", [0, 6, "good", 2.5, []])
    def test_grades_run_from_one_to_five(self, grade):
        _, problems = read_fields({"skill_levels": {"GCSE": grade}})
        assert [problem.field for problem in problems] == ["skill_levels.GCSE"]

    @pytest.mark.parametrize("label", ["Juggling for absolute beginners 1", "x" * 201])
    def test_a_level_that_cannot_be_kept_is_named_and_not_counted(self, label):
        _, problems = read_fields({"skill_levels": {"KS3": False, "GCSE": True, label: True}})
        assert [(problem.field, problem.code) for problem in problems] == [
            (f"skill_levels.{label}", "too-long")
        ]

    def test_are_at_most_fifty(self):
        _, problems = read_fields({"skill_levels": {f"Year {number}": True for number in range(51)}})
        assert [(problem.field, problem.code) for problem in problems] == [("skill_levels", "too-many")]

    def test_two_spellings_of_one_level_are_one(self):
        assert shown({"skill_levels": {"A Level": 2, "A-Level": 3}})["levels"] == ["A Level"]


class TestRates:
    def test_a_range_alone_brings_its_midpoint(self):
        found = shown({"hourly_rate_range": RANGE})
        assert (found["hourly_rate"], found["hourly_rate_range"]) == (45, RANGE)
        assert shown({"hourly_rate_range": {"min": 100}})["hourly_rate"] == 100

    @pytest.mark.parametrize(("rate", "kept"), [(40, True), (50, True), (39.99, False), (50.01, False)])
    def test_a_rate_alone_keeps_a_range_that_contains_it(self, rate, kept):
        found = shown({"hourly_rate": rate}, saved({"hourly_rate_range": RANGE}))
        assert (found["hourly_rate"], found["hourly_rate_range"]) == (rate, RANGE if kept else None)

    def test_both_are_stored_as_sent(self):
        found = shown({"hourly_rate": 42, "hourly_rate_range": RANGE})
        assert (found["hourly_rate"], found["hourly_rate_range"]) == (42, RANGE)

    def test_clearing_one_keeps_the_other(self):
        before = saved({"hourly_rate_range": RANGE})
        assert shown({"hourly_rate": None}, before)["hourly_rate_range"] == RANGE
        assert shown({"hourly_rate_range": None}, before)["hourly_rate"] == 45

    def test_zero_is_a_rate(self):
        assert shown({"hourly_rate": "0"})["hourly_rate"] == 0


class TestAvailability:
    def test_is_answered_as_sent_with_the_canonical_form_beside(self):
        found = shown({"availability": ["weekday_morning"], "unavailability": [ABSENCE]})
        assert found["availability"] == ["weekday_morning"]
        assert found["availability_slots"] == ["weekday_morning"]
        assert found["availability_windows"]["timezone"] == "Europe/London"
        assert found["availability_windows"]["exceptions"] == [{"from": "2026-08-01", "to": "2026-08-14"}]

    def test_leaves_nothing_behind_when_it_is_cleared(self):
        assert saved({"availability": None}, saved({"availability": ["weekday_morning"]})) == {}

    def test_keeps_the_zone_it_was_meant_in(self):
        before = saved({"availability": ["weekday_morning"]})
        values, _ = read_fields({"bio": "Moved"})
        assert (
            merge(before, values, timezone="Asia/Tokyo")["availability_windows"]["timezone"]
            == "Europe/London"
        )


class TestBesideTheTexts:
    def test_ids_stand_beside_the_texts(self):
        fields = saved(
            {"subjects": ["Maths", "Juggling"], "teaching_experience": "expert", "certifications": ["PGCE"]}
        )
        assert entry_ids(fields) == {
            "subjects": ["mathematics", None],
            "teaching_experience": "5-plus-years",
            "certifications": ["teaching-certificate"],
        }

    def test_unresolved_texts_are_named_once_where_a_kind_exists(self):
        values, _ = read_fields(
            {
                "subjects": ["Juggling", "Maths"],
                "specializations": ["Juggling"],
                "skill_levels": {"Circus school": 2},
                "teaching_experience": "for ever",
                "qualifications": ["Clown"],
                "certifications": ["Clown"],
            }
        )
        assert unresolved(values) == ["Juggling", "Circus school", "for ever"]


class TestCompleteness:
    def test_of_nothing(self):
        assert completeness(Role.TUTOR, {}) == {
            "complete": False,
            "score": 0,
            "missing": ["subjects", "levels", "teaching_experience"],
            "recommended": [
                "hourly_rate",
                "hourly_rate_range",
                "qualifications",
                "teaching_methods",
                "availability",
                "specializations",
                "session_types",
                "bio",
                "certifications",
            ],
        }

    @pytest.mark.parametrize("role", Role)
    def test_of_everything(self, examples, role):
        fields = saved(examples)
        assert completeness(role, fields) == {
            "complete": True,
            "score": 100,
            "missing": [],
            "recommended": [],
        }

    def test_is_a_rounded_share(self):
        assert completeness(Role.TUTOR, saved({"subjects": ["Maths"]}))["score"] == 33
        assert completeness(Role.AGENT, saved({"agency_name": "Ada & Co"}))["score"] == 14


class TestAnswered:
    @pytest.mark.parametrize("role", Role)
    def test_has_every_field_of_the_role_null_or_empty_while_unset(self, role):
        found = answered(role, {})
        assert {name for name, field in FIELDS.items() if field.belongs_to(role)} <= found.keys()
        assert all(value in (None, []) for value in found.values())

    def test_has_fields_of_other_roles_only_when_they_were_saved(self):
        assert "agency_name" not in shown({})
        assert shown({"agency_name": "Ada & Co"})["agency_name"] == "Ada & Co"


class TestExamples:
    def test_cover_every_field(self, examples):
        assert examples.keys() == FIELDS.keys()
