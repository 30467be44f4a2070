"""From the answers of a finished wizard to the professional info of that role (docs/spec/domain.md 5.5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, ValidationError, ValidationInfo, field_validator

from cas_kit.errors import FieldProblem, ValidationFailed
from cas_kit.sentences import sentence
from cas_onboarding.domain.answers import (
    LONGEST_LIST,
    AgencyService,
    Answer,
    Certification,
    CoverageArea,
    Education,
    Experience,
    Group,
    LearningGoal,
    LearningPreference,
    Level,
    Line,
    Listed,
    NumberOfTutors,
    Paragraphs,
    Percent,
    Rate,
    Section,
    SessionLength,
    SessionsPerWeek,
    SessionType,
    Slot,
    StudentCapacity,
    Subject,
    YearsInBusiness,
    at_most,
    distinct,
    no_longer_than,
)
from cas_onboarding.domain.progress import StepData
from cas_onboarding.domain.roles import Role
from cas_taxonomy import rate_range, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRange:
    """Pounds per hour; a `max` of None is open."""

    min: int
    max: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfessionalInfo:
    """What a wizard found out, in the words of the template form; None and empty lists were not answered."""

    subjects: tuple[str, ...] = ()
    teaching_experience: str | None = None
    hourly_rate: Decimal | None = None
    hourly_rate_range: RateRange | None = None
    qualifications: tuple[str, ...] = ()
    certifications: tuple[str, ...] = ()
    availability: tuple[str, ...] = ()
    session_types: tuple[str, ...] = ()
    bio: str | None = None
    education_level: str | None = None
    learning_goals: tuple[str, ...] = ()
    learning_preferences: tuple[str, ...] = ()
    budget_range: str | None = None
    sessions_per_week: str | None = None
    session_duration: str | None = None
    additional_info: str | None = None
    agency_name: str | None = None
    services: tuple[str, ...] = ()
    coverage_areas: tuple[str, ...] = ()
    years_in_business: str | None = None
    number_of_tutors: str | None = None
    student_capacity: str | None = None
    commission_rate: Decimal | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedOnboarding:
    """All that another service has to know of a finished wizard."""

    user_id: UUID
    role: Role
    completed_at: datetime
    professional_info: ProfessionalInfo


def professional_info(role: Role, data: StepData) -> ProfessionalInfo:
    """What the finished wizard of this role says.

    :raises ValidationFailed: an answer has the wrong type or exceeds a limit; missing ones are no fault.
    """
    try:
        return _WIZARDS[role].model_validate(data).professional_info()
    except ValidationError as error:
        raise ValidationFailed.of([_problem(found) for found in error.errors()]) from None


def missing_answers(role: Role, data: StepData) -> list[str]:
    """The step fields that a complete wizard answers and this one does not, in step order."""
    return [path for path, least in _REQUIRED[role].items() if not _is_answered(_at(path, data), least)]


# ---- the three wizards ----


class _TutorQualifications(Section):
    experience: Answer[Experience] = None
    education: Answer[Education] = None
    # One less than the template's, because the education joins them in its `qualifications`.
    certifications: Annotated[Listed[Certification], AfterValidator(at_most(LONGEST_LIST - 1))] = ()
    bio: Answer[Annotated[Paragraphs, AfterValidator(no_longer_than(5000))]] = None


class _TutorAvailability(Section):
    hourly_rate: Answer[Rate] = None
    availability: Listed[Slot] = ()
    session_types: Listed[SessionType] = ()


class _TutorWizard(Section):
    subjects: Listed[Subject] = ()
    qualifications: Group[_TutorQualifications] = _TutorQualifications()
    availability: Group[_TutorAvailability] = _TutorAvailability()

    def professional_info(self) -> ProfessionalInfo:
        held = tuple(text for text in self.qualifications.certifications if not _is_none_yet(text))
        education = self.qualifications.education or ""
        return ProfessionalInfo(
            subjects=self.subjects,
            teaching_experience=self.qualifications.experience,
            qualifications=distinct((education, *held)),
            certifications=held,
            bio=self.qualifications.bio,
            hourly_rate=self.availability.hourly_rate,
            hourly_rate_range=_range_behind(self.availability.hourly_rate),
            availability=self.availability.availability,
            session_types=self.availability.session_types,
        )


class _ClientPreferences(Section):
    education_level: Answer[Level] = None
    learning_goals: Listed[LearningGoal] = ()
    learning_preferences: Listed[LearningPreference] = ()
    budget_min: Answer[Rate] = None
    budget_max: Answer[Rate] = None
    sessions_per_week: Answer[SessionsPerWeek] = None
    session_duration: Answer[SessionLength] = None
    additional_info: Answer[Annotated[Paragraphs, AfterValidator(no_longer_than(1000))]] = None

    @field_validator("budget_max")
    @classmethod
    def _not_below_the_minimum(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        lowest = info.data.get("budget_min")
        if value is not None and lowest is not None and value < lowest:
            raise ValueError("must not be below budgetMin")
        return value


class _ClientWizard(Section):
    subjects: Listed[Subject] = ()
    preferences: Group[_ClientPreferences] = _ClientPreferences()
    availability: Listed[Slot] = ()

    def professional_info(self) -> ProfessionalInfo:
        preferences = self.preferences
        return ProfessionalInfo(
            subjects=self.subjects,
            education_level=preferences.education_level,
            learning_goals=preferences.learning_goals,
            learning_preferences=preferences.learning_preferences,
            budget_range=_budget(preferences.budget_min, preferences.budget_max),
            sessions_per_week=preferences.sessions_per_week,
            session_duration=preferences.session_duration,
            additional_info=preferences.additional_info,
            availability=self.availability,
        )


class _AgencyDetails(Section):
    agency_name: Answer[Annotated[Line, AfterValidator(no_longer_than(120))]] = None
    agency_size: Answer[NumberOfTutors] = None
    years_in_business: Answer[YearsInBusiness] = None
    description: Answer[Annotated[Paragraphs, AfterValidator(no_longer_than(5000))]] = None


class _AgencyCapacity(Section):
    commission_rate: Answer[Percent] = None
    service_areas: Listed[CoverageArea] = ()
    student_capacity: Answer[StudentCapacity] = None


class _AgentWizard(Section):
    services: Listed[AgencyService] = ()
    agency_details: Group[_AgencyDetails] = _AgencyDetails()
    capacity: Group[_AgencyCapacity] = _AgencyCapacity()

    def professional_info(self) -> ProfessionalInfo:
        details, capacity = self.agency_details, self.capacity
        return ProfessionalInfo(
            services=self.services,
            agency_name=details.agency_name,
            number_of_tutors=details.agency_size,
            years_in_business=details.years_in_business,
            description=details.description,
            commission_rate=capacity.commission_rate,
            coverage_areas=capacity.service_areas,
            student_capacity=capacity.student_capacity,
        )


_WIZARDS: Mapping[Role, type[_TutorWizard | _ClientWizard | _AgentWizard]] = {
    Role.TUTOR: _TutorWizard,
    Role.CLIENT: _ClientWizard,
    Role.AGENT: _AgentWizard,
}

# Step fields a complete wizard answers, with the least length of a text or list.
_REQUIRED: Mapping[Role, Mapping[str, int]] = {
    Role.TUTOR: {
        "subjects": 1,
        "qualifications.experience": 1,
        "qualifications.education": 1,
        "qualifications.bio": 50,
        "availability.hourlyRate": 1,
        "availability.availability": 1,
        "availability.sessionTypes": 1,
    },
    Role.CLIENT: {"subjects": 1, "preferences.educationLevel": 1, "preferences.learningGoals": 1},
    Role.AGENT: {
        "services": 1,
        "agencyDetails.agencyName": 1,
        "agencyDetails.agencySize": 1,
        "agencyDetails.yearsInBusiness": 1,
        "agencyDetails.description": 50,
        "capacity.commissionRate": 1,
        "capacity.serviceAreas": 1,
        "capacity.studentCapacity": 1,
    },
}


def _is_none_yet(text: str) -> bool:
    entry = resolve("certifications", text)
    return entry is not None and entry.id == "none-yet"


def _range_behind(rate: Decimal | None) -> RateRange | None:
    band = rate_range(rate) if rate is not None else None
    return RateRange(min=band.min, max=band.max) if band and band.min is not None else None


def _budget(lowest: Decimal | None, highest: Decimal | None) -> str | None:
    if lowest is None or highest is None:
        return None
    return f"{lowest.normalize():f}-{highest.normalize():f}"


def _at(path: str, data: StepData) -> Any:
    found: Any = data
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _is_answered(value: Any, least: int) -> bool:
    match value:
        case str():
            return len(value.strip()) >= least
        case list():
            return sum(_is_answered(item, 1) for item in value) >= least
    return isinstance(value, int | float)


def _problem(found: Any) -> FieldProblem:
    path = ".".join(str(part) for part in ("data", *found["loc"]))
    return FieldProblem(path, sentence(found), found["type"].replace("_", "-"))
