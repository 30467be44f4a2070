"""The fields of a template: what each accepts, for whom it is, which kind is behind it (docs/spec/domain.md 4.3).

This table is the only list of them: reading, storing, answering, completeness and the OpenAPI document follow it.
"""

from dataclasses import dataclass

from cas_account.domain.levels import LEVELS, SkillLevels
from cas_account.domain.roles import Role
from cas_fields.availability_formats import AvailabilityReader, UnavailabilityReader
from cas_fields.money import Budget, Money, MoneyRange
from cas_fields.reading import (
    CHOICE,
    Flag,
    Json,
    Number,
    NumberList,
    NumberRange,
    Percent,
    Reader,
    Text,
    TextList,
    WebAddress,
)

TUTOR, CLIENT, AGENT = Role


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a template.

    :param kind: the taxonomy kind whose ids are kept beside the texts.
    :param required: roles whose template is incomplete without it.
    :param optional: roles whose form has it too.
    :param later: roles that will have it in a form; until then it is stored and answered, never recommended.
    :param free: texts outside the kind are as good as texts of it.
    """

    name: str
    read: Reader
    kind: str | None = None
    required: tuple[Role, ...] = ()
    optional: tuple[Role, ...] = ()
    later: tuple[Role, ...] = ()
    free: bool = False

    @property
    def unset(self) -> Json:
        """What GET answers while nothing is saved."""
        return [] if isinstance(self.read, TextList | NumberList | UnavailabilityReader) else None

    def belongs_to(self, role: Role) -> bool:
        """Whether GET answers it for this role even while nothing is saved."""
        return role in (*self.required, *self.optional, *self.later)


def _list(name: str, kind: str, *, required: tuple[Role, ...] = (), optional: tuple[Role, ...] = ()) -> Field:
    return Field(name, TextList(kind), kind, required=required, optional=optional)


def _choice(
    name: str, kind: str, *, required: tuple[Role, ...] = (), optional: tuple[Role, ...] = ()
) -> Field:
    return Field(name, Text(CHOICE), kind, required=required, optional=optional)


_FIELDS = (
    _list("subjects", "subjects", required=(TUTOR, CLIENT)),
    _list("levels", LEVELS, required=(TUTOR,)),
    Field("skill_levels", SkillLevels(), later=(TUTOR,)),
    _choice("teaching_experience", "experience-bands", required=(TUTOR,)),
    Field("hourly_rate", Money(), optional=(TUTOR,)),
    Field("hourly_rate_range", MoneyRange(), optional=(TUTOR,)),
    Field("qualifications", TextList(), optional=(TUTOR,)),
    _list("teaching_methods", "teaching-methods", optional=(TUTOR,)),
    Field("availability", AvailabilityReader(), optional=(TUTOR, CLIENT)),
    Field("unavailability", UnavailabilityReader(), later=(TUTOR, CLIENT)),
    _list("specializations", "specializations", optional=(TUTOR,)),
    _list("session_types", "session-types", optional=(TUTOR,)),
    Field("bio", Text(5000, lines=True), optional=(TUTOR,)),
    _choice("education_level", LEVELS, required=(CLIENT,)),
    _list("learning_goals", "learning-goals", required=(CLIENT,)),
    _list("learning_preferences", "learning-preferences", optional=(CLIENT,)),
    Field("budget_range", Budget(), optional=(CLIENT,)),
    _choice("sessions_per_week", "sessions-per-week", optional=(CLIENT,)),
    _choice("session_duration", "session-lengths", optional=(CLIENT,)),
    Field("special_needs", TextList(), optional=(CLIENT,)),
    Field("additional_info", Text(1000, lines=True), optional=(CLIENT,)),
    Field("agency_name", Text(120), required=(AGENT,)),
    _list("services", "agency-services", required=(AGENT,)),
    _list("subject_specializations", "subjects", required=(AGENT,)),
    _list("education_levels", LEVELS, required=(AGENT,)),
    _list("coverage_areas", "coverage-areas", required=(AGENT,)),
    _choice("years_in_business", "years-in-business", required=(AGENT,)),
    _choice("number_of_tutors", "number-of-tutors", optional=(AGENT,)),
    _choice("student_capacity", "student-capacities", optional=(AGENT,)),
    Field("commission_rate", Percent(), optional=(AGENT,)),
    Field("certifications", TextList(), "certifications", optional=(TUTOR, AGENT), free=True),
    Field("website_url", WebAddress(), optional=(AGENT,)),
    Field("description", Text(5000, lines=True), required=(AGENT,)),
    Field("max_students_per_week", Number(), later=(TUTOR,)),
    Field("travel_radius_km", Number(), later=(TUTOR,)),
    Field("willing_to_travel", Flag(), later=(TUTOR,)),
    Field("preferred_student_age_range", NumberRange(), later=(TUTOR,)),
    Field("student_ages", NumberList(), later=(CLIENT,)),
    Field("preferred_session_length", Text(CHOICE), later=(CLIENT,)),
    Field("preferred_session_frequency", Text(CHOICE), later=(CLIENT,)),
    Field(
        "preferred_delivery_format",
        TextList("delivery-modes", closed=True),
        "delivery-modes",
        later=(CLIENT,),
    ),
    Field("tutor_network_size", Text(CHOICE), later=(AGENT,)),
    Field("agency_size", Text(CHOICE), later=(AGENT,)),
    Field("online_service_available", Flag(), later=(AGENT,)),
)
FIELDS = {field.name: field for field in _FIELDS}
