"""What a finished wizard becomes: docs/spec/domain.md 5.5, field by field."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_kit.errors import ValidationFailed
from cas_onboarding.domain.completion import (
    ProfessionalInfo,
    RateRange,
    missing_answers,
    professional_info,
)
from cas_onboarding.domain.roles import Role

BIO = "I have taught mathematics in two schools for more than twenty years."
TUTOR = {
    "subjects": ["computer_science", "test_prep", "business"],
    "qualifications": {
        "experience": "expert",
        "education": "masters",
        "certifications": ["PGCE", "none", "Swimming teacher"],
        "bio": BIO,
    },
    "availability": {
        "hourlyRate": 40,
        "availability": ["weekday_morning", "weekend_evening"],
        "sessionTypes": ["one_on_one", "online"],
    },
}
CLIENT = {
    "subjects": ["languages"],
    "preferences": {
        "educationLevel": "gcse",
        "learningGoals": ["college_prep", "catch up"],
        "learningPreferences": ["step-by-step"],
        "budgetMin": "20",
        "budgetMax": 40,
        "sessionsPerWeek": "4+",
        "sessionDuration": "90 minutes",
        "additionalInfo": "Left-handed.",
    },
    "availability": ["Weekend morning"],
}
AGENT = {
    "services": ["stem_tutoring", "test_prep"],
    "agencyDetails": {
        "agencyName": "Ada & Co",
        "agencySize": "medium",
        "yearsInBusiness": "established",
        "description": "Tutors for every subject and every age, all over the country.",
    },
    "capacity": {"commissionRate": "12.5", "serviceAreas": ["local", "Leeds"], "studentCapacity": "large"},
}


def tutor(**sections: object) -> ProfessionalInfo:
    return professional_info(Role.TUTOR, sections)


def client(**preferences: object) -> ProfessionalInfo:
    return professional_info(Role.CLIENT, {"preferences": preferences})


def problems(role: Role, data: dict[str, object]) -> dict[str, str]:
    with pytest.raises(ValidationFailed) as refused:
        professional_info(role, data)
    return {problem.field: problem.message for problem in refused.value.problems}


class TestMapping:
    def test_of_every_tutor_answer(self):
        assert professional_info(Role.TUTOR, TUTOR) == ProfessionalInfo(
            subjects=("Computer Science", "Exam Preparation", "Business Studies"),
            teaching_experience="5-10 years",
            qualifications=("Master's degree", "Teaching Certificate", "Swimming teacher"),
            certifications=("Teaching Certificate", "Swimming teacher"),
            bio=BIO,
            hourly_rate=Decimal(40),
            hourly_rate_range=RateRange(min=40, max=50),
            availability=("weekday_morning", "weekend_evening"),
            session_types=("One-on-one", "Online"),
        )

    def test_of_every_client_answer(self):
        assert professional_info(Role.CLIENT, CLIENT) == ProfessionalInfo(
            subjects=("Languages",),
            education_level="GCSE",
            learning_goals=("University preparation", "Catch up with curriculum"),
            learning_preferences=("Step-by-step guidance",),
            budget_range="20-40",
            sessions_per_week="4",
            session_duration="1.5 hours",
            additional_info="Left-handed.",
            availability=("weekend_morning",),
        )

    def test_of_every_agent_answer(self):
        assert professional_info(Role.AGENT, AGENT) == ProfessionalInfo(
            services=("STEM tutoring", "Test preparation"),
            agency_name="Ada & Co",
            number_of_tutors="6-10",
            years_in_business="3-5 years",
            description="Tutors for every subject and every age, all over the country.",
            commission_rate=Decimal("12.5"),
            coverage_areas=("Local area", "Leeds"),
            student_capacity="100-500",
        )

    @pytest.mark.parametrize("role", list(Role))
    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"subjects": None, "services": [], "qualifications": None, "preferences": {}},
            {"qualifications": {"bio": " ", "experience": "", "certifications": ["none"]}},
            {
                "preferences": {"budgetMin": "", "learningGoals": ["", "  "]},
                "agencyDetails": {"agencyName": ""},
            },
            {"welcome": {"seen": True}, "another": 1},
        ],
    )
    def test_of_no_answers_is_nothing(self, role, data):
        assert professional_info(role, data) == ProfessionalInfo()

    @pytest.mark.parametrize(
        ("number", "bounds"),
        [
            (25, RateRange(min=25, max=35)),
            ("40", RateRange(min=40, max=50)),
            (60.0, RateRange(min=60, max=75)),
            (80, RateRange(min=80, max=100)),
            (100, RateRange(min=100, max=None)),
            (30, None),
            (0, None),
        ],
    )
    def test_only_the_wizards_own_rates_stand_for_a_range(self, number, bounds):
        info = tutor(availability={"hourlyRate": number})
        assert (info.hourly_rate, info.hourly_rate_range) == (Decimal(str(number)), bounds)

    @pytest.mark.parametrize(
        ("wizard", "template"),
        [
            ("beginner", "0-1 years"),
            ("intermediate", "1-3 years"),
            ("experienced", "3-5 years"),
            ("37", "37"),
        ],
    )
    def test_of_experience_never_overstates(self, wizard, template):
        assert tutor(qualifications={"experience": wizard}).teaching_experience == template

    @pytest.mark.parametrize(
        ("wizard", "template"), [("solo", "1-5"), ("small", "1-5"), ("medium", "6-10"), ("large", "11-25")]
    )
    def test_of_agency_size(self, wizard, template):
        info = professional_info(Role.AGENT, {"agencyDetails": {"agencySize": wizard}})
        assert info.number_of_tutors == template

    def test_of_business_age(self):
        info = professional_info(Role.AGENT, {"agencyDetails": {"yearsInBusiness": "mature"}})
        assert info.years_in_business == "10-20 years"

    @pytest.mark.parametrize(
        ("lowest", "highest", "text"),
        [(20, None, None), (None, "40", None), ("0", 0, "0-0"), (20.5, 1000, "20.5-1000")],
    )
    def test_of_a_budget_needs_both_ends(self, lowest, highest, text):
        assert client(budgetMin=lowest, budgetMax=highest).budget_range == text

    def test_of_numbers_where_a_choice_is_a_text(self):
        info = client(sessionsPerWeek=2, sessionDuration=60)
        assert (info.sessions_per_week, info.session_duration) == ("2", "1 hour")

    def test_keeps_the_first_spelling_of_one_value(self):
        assert tutor(subjects=["Maths", "mathematics", "Sewing", "sewing ", ""]).subjects == (
            "Mathematics",
            "Sewing",
        )

    def test_names_a_qualification_once(self):
        info = tutor(qualifications={"education": "Diploma", "certifications": ["diploma", "PGCE"]})
        assert info.qualifications == ("Diploma", "Teaching Certificate")

    def test_tidies_texts(self):
        info = tutor(subjects=["Se\x07wing\n"], qualifications={"bio": " First.\r\n Second\x00third.\n "})
        assert info.subjects == ("Se wing",)
        assert info.bio == "First.\n Second third."


class TestLimits:
    @pytest.mark.parametrize(
        ("data", "field"),
        [
            ({"subjects": "maths"}, "data.subjects"),
            ({"subjects": {"maths": True}}, "data.subjects"),
            ({"subjects": ["maths", 5]}, "data.subjects.1"),
            ({"subjects": ["x" * 33]}, "data.subjects.0"),
            ({"subjects": [f"subject {n}" for n in range(51)]}, "data.subjects"),
            ({"qualifications": []}, "data.qualifications"),
            ({"qualifications": {"experience": 5}}, "data.qualifications.experience"),
            ({"qualifications": {"experience": "x" * 101}}, "data.qualifications.experience"),
            ({"qualifications": {"education": "x" * 101}}, "data.qualifications.education"),
            ({"qualifications": {"certifications": ["x" * 201]}}, "data.qualifications.certifications.0"),
            (
                {"qualifications": {"certifications": [f"c{n}" for n in range(50)]}},
                "data.qualifications.certifications",
            ),
            ({"qualifications": {"bio": "x" * 5001}}, "data.qualifications.bio"),
            ({"availability": "always"}, "data.availability"),
            ({"availability": {"hourlyRate": True}}, "data.availability.hourlyRate"),
            ({"availability": {"hourlyRate": "forty"}}, "data.availability.hourlyRate"),
            ({"availability": {"hourlyRate": "NaN"}}, "data.availability.hourlyRate"),
            ({"availability": {"hourlyRate": -1}}, "data.availability.hourlyRate"),
            ({"availability": {"hourlyRate": 10000.01}}, "data.availability.hourlyRate"),
            ({"availability": {"hourlyRate": 1e300}}, "data.availability.hourlyRate"),
            ({"availability": {"hourlyRate": 10.005}}, "data.availability.hourlyRate"),
            ({"availability": {"availability": ["noon"]}}, "data.availability.availability.0"),
            ({"availability": {"availability": {"monday": []}}}, "data.availability.availability"),
            ({"availability": {"sessionTypes": ["x" * 33]}}, "data.availability.sessionTypes.0"),
        ],
    )
    def test_of_tutor_answers(self, data, field):
        assert list(problems(Role.TUTOR, data)) == [field]

    @pytest.mark.parametrize(
        ("preferences", "field"),
        [
            ({"educationLevel": []}, "educationLevel"),
            ({"educationLevel": "x" * 101}, "educationLevel"),
            ({"learningGoals": ["x" * 33]}, "learningGoals.0"),
            ({"learningPreferences": ["x" * 33]}, "learningPreferences.0"),
            ({"budgetMin": "cheap", "budgetMax": 5}, "budgetMin"),
            ({"budgetMin": 30, "budgetMax": "20"}, "budgetMax"),
            ({"sessionsPerWeek": True}, "sessionsPerWeek"),
            ({"sessionDuration": "x" * 101}, "sessionDuration"),
            ({"additionalInfo": "x" * 1001}, "additionalInfo"),
        ],
    )
    def test_of_client_answers(self, preferences, field):
        assert list(problems(Role.CLIENT, {"preferences": preferences})) == [f"data.preferences.{field}"]

    @pytest.mark.parametrize(
        ("data", "field"),
        [
            ({"services": ["x" * 33]}, "services.0"),
            ({"agencyDetails": {"agencyName": "x" * 121}}, "agencyDetails.agencyName"),
            ({"agencyDetails": {"agencySize": 5}}, "agencyDetails.agencySize"),
            ({"agencyDetails": {"yearsInBusiness": "x" * 101}}, "agencyDetails.yearsInBusiness"),
            ({"agencyDetails": {"description": "x" * 5001}}, "agencyDetails.description"),
            ({"capacity": {"commissionRate": 100.5}}, "capacity.commissionRate"),
            ({"capacity": {"commissionRate": "12.25"}}, "capacity.commissionRate"),
            ({"capacity": {"serviceAreas": ["x" * 33]}}, "capacity.serviceAreas.0"),
            ({"capacity": {"studentCapacity": "x" * 101}}, "capacity.studentCapacity"),
        ],
    )
    def test_of_agent_answers(self, data, field):
        assert list(problems(Role.AGENT, data)) == [f"data.{field}"]

    @pytest.mark.parametrize(
        ("role", "data"),
        [
            (Role.AGENT, {"agencyDetails": {"agencyName": "x" * 121}}),
            (Role.AGENT, {"agencyDetails": {"yearsInBusiness": "x" * 101}}),
            (Role.CLIENT, {"preferences": {"additionalInfo": "x" * 1001}}),
        ],
    )
    def test_of_texts_are_told_in_characters(self, role, data):
        [message] = problems(role, data).values()
        assert re.fullmatch(r"must be at most [0-9]+ characters", message)

    def test_are_inclusive(self):
        info = tutor(
            subjects=["x" * 32, *(f"subject {n}" for n in range(49))],
            qualifications={
                "experience": "x" * 100,
                "education": "phd",
                "certifications": [f"{n}".ljust(200, "x") for n in range(49)],
                "bio": "x" * 5000,
            },
            availability={"hourlyRate": 10_000},
        )
        assert (len(info.subjects), len(info.qualifications)) == (50, 50)

    def test_name_every_bad_field_in_order(self):
        found = problems(Role.TUTOR, {"subjects": 1, "qualifications": {"bio": 2}, "availability": 3})
        assert found == {
            "data.subjects": "must be a list",
            "data.qualifications.bio": "must be a text",
            "data.availability": "must be an object",
        }

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "subjects",
                            "qualifications",
                            "availability",
                            "hourlyRate",
                            "preferences",
                            "budgetMin",
                        ]
                    ),
                    inner,
                )
            ),
        ).map(
            lambda value: {
                "subjects": value,
                "qualifications": value,
                "availability": value,
                "preferences": value,
            }
        ),
        st.sampled_from(list(Role)),
    )
    def test_whatever_was_saved_is_mapped_or_refused(self, data, role):
        outcome: ProfessionalInfo | ValidationFailed
        try:
            outcome = professional_info(role, data)
        except ValidationFailed as refused:
            outcome = refused
        assert isinstance(outcome, ProfessionalInfo) or outcome.problems
        assert set(missing_answers(role, data)) <= set(missing_answers(role, {}))


class TestMissingAnswers:
    @pytest.mark.parametrize(
        ("role", "data"), [(Role.TUTOR, TUTOR), (Role.CLIENT, CLIENT), (Role.AGENT, AGENT)]
    )
    def test_are_none_in_a_complete_wizard(self, role, data):
        assert missing_answers(role, data) == []

    @pytest.mark.parametrize(
        ("role", "expected"),
        [
            (
                Role.TUTOR,
                [
                    "subjects",
                    "qualifications.experience",
                    "qualifications.education",
                    "qualifications.bio",
                    "availability.hourlyRate",
                    "availability.availability",
                    "availability.sessionTypes",
                ],
            ),
            (Role.CLIENT, ["subjects", "preferences.educationLevel", "preferences.learningGoals"]),
            (
                Role.AGENT,
                [
                    "services",
                    "agencyDetails.agencyName",
                    "agencyDetails.agencySize",
                    "agencyDetails.yearsInBusiness",
                    "agencyDetails.description",
                    "capacity.commissionRate",
                    "capacity.serviceAreas",
                    "capacity.studentCapacity",
                ],
            ),
        ],
    )
    def test_are_all_of_them_when_everything_was_skipped(self, role, expected):
        assert missing_answers(role, {}) == expected

    def test_include_what_is_blank_too_short_or_of_another_type(self):
        data = {
            "subjects": [" "],
            "qualifications": {**TUTOR["qualifications"], "bio": "Too short.", "education": {}},
            "availability": TUTOR["availability"],
        }
        assert missing_answers(Role.TUTOR, data) == [
            "subjects",
            "qualifications.education",
            "qualifications.bio",
        ]

    def test_do_not_include_a_rate_of_nothing(self):
        data = {**TUTOR, "availability": {**TUTOR["availability"], "hourlyRate": 0}}
        assert missing_answers(Role.TUTOR, data) == []
