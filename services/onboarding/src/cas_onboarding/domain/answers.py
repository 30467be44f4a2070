"""What a wizard answer may be: the limits of the template it is copied into (docs/spec/domain.md 2.1, 4.3).

The account service stores what passes here, so nothing here may be laxer than the template's own rules.
"""

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from cas_taxonomy import Surface, normalise, relabel, resolve

LONGEST_LIST = 50
LONGEST_OPTION, LONGEST_CHOICE, LONGEST_LISTED = 32, 100, 200  # texts that the taxonomy does not know
HIGHEST_RATE = 10_000

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_LINE_BREAK = re.compile(r"\r\n?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINE_BREAK = re.compile(r"(?!\n)[\x00-\x1f\x7f-\x9f]")
Given = TypeVar("Given")


class Section(BaseModel):
    """A group of answers; the wizards write names in camelCase. Unknown names are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="ignore")


# ---- readers: from what was sent to what is meant ----


def _tidy(value: Any, controls: re.Pattern[str]) -> Any:
    """Text as it is stored: NFC, no control characters, trimmed."""
    if not isinstance(value, str):
        return value
    return unicodedata.normalize("NFC", controls.sub(" ", _LINE_BREAK.sub("\n", value))).strip()


def _tidy_line(value: Any) -> Any:
    return _tidy(value, _CONTROL)


def _tidy_paragraphs(value: Any) -> Any:
    return _tidy(value, _CONTROL_BUT_LINE_BREAK)


def _blank_is_none(value: Any) -> Any:
    return None if _tidy_line(value) == "" else value


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _as_decimal(value: Any) -> Decimal:
    text = str(value).strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(text)
    if isinstance(value, str) and _NUMBER.fullmatch(text):
        return Decimal(text)
    raise ValueError("must be a number")


def _in_steps_of(step: str) -> Callable[[Decimal], Decimal]:
    def check(value: Decimal) -> Decimal:
        if value % Decimal(step):
            raise ValueError(f"must be a multiple of {step}")
        return value

    return check


def _option(kind: str, *, longest: int, surface: Surface = Surface.TEMPLATE) -> Callable[[str], str]:
    """Write a text as the target form does; what the taxonomy does not know stays, up to `longest` characters."""
    check_length = no_longer_than(longest)

    def write(text: str) -> str:
        known = resolve(kind, text) is not None
        return relabel(kind, text if known else check_length(text), surface)

    return write


def _slot(text: str) -> str:
    slot = resolve("availability-slots", text)
    if slot is None:
        raise ValueError("is not a time slot such as weekday_morning")
    return slot.wire


def _object_or_nothing(value: Any) -> Any:
    if value is not None and not isinstance(value, dict):
        raise ValueError("must be an object")
    return value or {}


def _list_or_nothing(value: Any) -> Any:
    if value is not None and not isinstance(value, list):
        raise ValueError("must be a list")
    return value or []


def distinct(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The first spelling of each text, blank ones left out."""
    first: dict[str, str] = {}
    for text in filter(None, texts):
        first.setdefault(normalise(text) or text, text)
    return tuple(first.values())


def no_longer_than(characters: int) -> Callable[[str], str]:
    """A check of a text's length."""

    def check(value: str) -> str:
        if len(value) > characters:
            raise ValueError(f"must be at most {characters} characters")
        return value

    return check


def at_most(items: int) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """A check of a list's length."""

    def check(value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > items:
            raise ValueError(f"must have at most {items} items")
        return value

    return check


# ---- the types of answers ----

Answer = Annotated[Given | None, BeforeValidator(_blank_is_none)]
Listed = Annotated[
    tuple[Given, ...],
    BeforeValidator(_list_or_nothing),
    AfterValidator(distinct),
    AfterValidator(at_most(LONGEST_LIST)),
]
Group = Annotated[Given, BeforeValidator(_object_or_nothing)]

Line = Annotated[str, BeforeValidator(_tidy_line)]
Paragraphs = Annotated[str, BeforeValidator(_tidy_paragraphs)]

Rate = Annotated[
    Decimal, BeforeValidator(_as_decimal), Field(ge=0, le=HIGHEST_RATE), AfterValidator(_in_steps_of("0.01"))
]
Percent = Annotated[
    Decimal, BeforeValidator(_as_decimal), Field(ge=0, le=100), AfterValidator(_in_steps_of("0.5"))
]

Slot = Annotated[Line, AfterValidator(_slot)]
Subject = Annotated[Line, AfterValidator(_option("subjects", longest=LONGEST_OPTION))]
SessionType = Annotated[Line, AfterValidator(_option("session-types", longest=LONGEST_OPTION))]
Certification = Annotated[Line, AfterValidator(_option("certifications", longest=LONGEST_LISTED))]
LearningGoal = Annotated[Line, AfterValidator(_option("learning-goals", longest=LONGEST_OPTION))]
LearningPreference = Annotated[Line, AfterValidator(_option("learning-preferences", longest=LONGEST_OPTION))]
AgencyService = Annotated[
    Line, AfterValidator(_option("agency-services", longest=LONGEST_OPTION, surface=Surface.AGENT))
]
CoverageArea = Annotated[
    Line, AfterValidator(_option("coverage-areas", longest=LONGEST_OPTION, surface=Surface.AGENT))
]

Experience = Annotated[Line, AfterValidator(_option("experience-bands", longest=LONGEST_CHOICE))]
Education = Annotated[Line, AfterValidator(_option("education-attained", longest=LONGEST_CHOICE))]
Level = Annotated[Line, AfterValidator(_option("levels", longest=LONGEST_CHOICE))]
SessionsPerWeek = Annotated[
    Line,
    BeforeValidator(_number_as_text),
    AfterValidator(_option("sessions-per-week", longest=LONGEST_CHOICE)),
]
SessionLength = Annotated[
    Line,
    BeforeValidator(_number_as_text),
    AfterValidator(_option("session-lengths", longest=LONGEST_CHOICE)),
]
YearsInBusiness = Annotated[Line, AfterValidator(_option("years-in-business", longest=LONGEST_CHOICE))]
NumberOfTutors = Annotated[Line, AfterValidator(_option("number-of-tutors", longest=LONGEST_CHOICE))]
StudentCapacity = Annotated[Line, AfterValidator(_option("student-capacities", longest=LONGEST_CHOICE))]
