"""What a listing takes over from a template: the table of docs/spec/domain.md 6.7, row by row."""

import pytest

from cas_listings.domain.listing import new_fields
from cas_listings.domain.roles import Role
from cas_listings.domain.template import Template, cut_at_word, prefill


def copied(role, rates=(None, None, None), **answers):
    rate, lowest, highest = rates
    template = Template(answers=answers, hourly_rate=rate, lowest_rate=lowest, highest_rate=highest)
    return prefill(role, template)


class TestATutors:
    def test_fields_come_along_in_the_words_of_the_listing_form(self):
        found = copied(
            Role.TUTOR,
            (4500, 4000, 5000),
            subjects=["Maths", "Juggling"],
            levels=["Primary (KS1-KS2)", "Adult Education"],
            teaching_experience="5-10 years",
            teaching_methods=["Interactive", "Exam-focused"],
            specializations=["Dyslexia Support"],
            qualifications=["MSc Mathematics"],
            availability=["weekday_morning"],
            session_types=["One-on-one", "Online"],
            bio="Not for listings",
        )
        assert found.values == {
            "subjects": ["Mathematics", "Juggling"],
            "levels": ["Primary (KS1 & KS2)", "Adult Learning"],
            "teaching_experience": "5-10",
            "teaching_methods": ["Interactive Learning", "Exam-Focused"],
            "specializations": ["Dyslexia Support"],
            "qualifications": ["MSc Mathematics"],
            "availability": ["weekday_morning"],
            "hourly_rate": 4500,
            "hourly_rate_min": 4000,
            "hourly_rate_max": 5000,
            "location_type": "online",
        }
        assert found.unresolved == ()

    @pytest.mark.parametrize(
        ("session_types", "location"),
        [
            (["Online", "In person"], "hybrid"),
            (["online"], "online"),
            (["in_person", "Group"], "in_person"),
            (["Group"], None),
            ([], None),
        ],
    )
    def test_session_types_say_where(self, session_types, location):
        values = copied(Role.TUTOR, session_types=session_types).values
        assert values.get("location_type") == location

    def test_levels_that_are_no_options_are_named(self):
        found = copied(Role.TUTOR, levels=["GCSE", "Nursery", "Nursery"])
        assert (found.values["levels"], found.unresolved) == (["GCSE"], ("Nursery",))

    def test_subjects_outside_the_list_stay_when_they_fit(self):
        found = copied(Role.TUTOR, subjects=["Bee keeping", "x" * 33])
        assert (found.values["subjects"], found.unresolved) == (["Bee keeping"], ("x" * 33,))

    def test_long_lists_are_cut_to_what_a_listing_holds(self):
        found = copied(Role.TUTOR, subjects=[f"subject {n}" for n in range(50)])
        assert len(found.values["subjects"]) == 20

    def test_empty_answers_are_not_copied(self):
        assert copied(Role.TUTOR, subjects=[], teaching_experience="", availability=[]).values == {}


class TestAClients:
    def test_wishes_become_a_demand(self):
        found = copied(
            Role.CLIENT,
            subjects=["French"],
            education_level="GCSE",
            budget_range="20-40.5",
            learning_preferences=["Visual learning", "Step-by-step guidance", "Fast-paced"],
            learning_goals=["Improve grades"],
            additional_info="Evenings only.",
            availability={"monday": ["evening"]},
        )
        assert found.values == {
            "subjects": ["French"],
            "levels": ["GCSE"],
            "hourly_rate_min": 2000,
            "hourly_rate_max": 4050,
            "teaching_methods": ["Visual Learning", "Structured Lessons", "Fast-paced"],
            "tags": ["Improve grades"],
            "description": "Evenings only.",
            "availability": {"monday": ["evening"]},
        }

    def test_education_that_is_no_level_is_named(self):
        assert copied(Role.CLIENT, education_level="Bachelor's degree").unresolved == ("Bachelor's degree",)

    @pytest.mark.parametrize("budget", ["", "cheap", "-", "5"])
    def test_budget_that_says_nothing_is_left_out(self, budget):
        assert "hourly_rate_max" not in copied(Role.CLIENT, budget_range=budget).values


class TestAnAgents:
    def test_agency_becomes_an_offer(self):
        found = copied(
            Role.AGENT,
            subject_specializations=["Sciences"],
            education_levels=["GCSE", "Adult Education"],
            services=["Tutor placement", "x" * 33],
            coverage_areas=["London"],
            description="word " * 500,
            years_in_business="3-10 years",
        )
        assert found.values["subjects"] == ["Sciences"]
        assert found.values["levels"] == ["GCSE", "Adult Learning"]
        assert found.values["tags"] == ["Tutor placement", "London"]
        assert found.values["description"] == ("word " * 400).strip()
        assert found.values["teaching_experience"] == "3-5"
        assert found.unresolved == ("x" * 33,)

    def test_years_outside_the_bands_stay_as_they_are(self):
        values = copied(Role.AGENT, years_in_business="since the war").values
        assert values["teaching_experience"] == "since the war"


@pytest.mark.parametrize("role", Role)
def test_every_copy_makes_a_listing(role):
    found = copied(role, (4500, 4000, 5000), subjects=["Maths"], budget_range="20-40")
    assert new_fields(found.values)["title"] == ""


class TestCutAtWord:
    def test_keeps_what_fits(self):
        assert cut_at_word("x" * 2000) == "x" * 2000

    def test_cuts_at_the_end_of_a_word(self):
        assert cut_at_word("x" * 1999 + " y z") == "x" * 1999
        assert cut_at_word("x" * 2000 + " y") == "x" * 2000
        assert cut_at_word("x" * 2001) == "x" * 2000
