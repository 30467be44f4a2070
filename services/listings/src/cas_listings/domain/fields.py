"""The fields of a listing that its owner writes (docs/spec/domain.md 6.1).

This table is the only list of them: reading, storing, answering and the OpenAPI document follow it.
"""

from dataclasses import dataclass

from cas_fields.availability_formats import AvailabilityReader, UnavailabilityReader
from cas_fields.money import CURRENCY, Money
from cas_fields.reading import Flag, Json, Reader, Text, TextList, WebAddress
from cas_fields.zones import DEFAULT_TIMEZONE, Timezone
from cas_listings.domain.values import Currency, Option, Packages, Whole

TITLE = 200
DESCRIPTION = 2000
LISTED = 20
LANGUAGES = 12
TAG = 32
LONGEST_TRIAL = 240  # minutes


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a listing.

    :param cleared: what null and blank texts make of it.
    :param default: what it is in a new listing that does not say; as `cleared` when absent.
    :param kind: the taxonomy kind whose ids are kept beside the texts, in the column `ids`.
    :param private: only the owner sees it.
    :param money: stored in minor units.
    """

    name: str
    read: Reader
    cleared: Json = None
    default: Json = None
    kind: str | None = None
    ids: str = ""
    private: bool = False
    money: bool = False


def _texts(
    name: str, kind: str, ids: str, *, most: int = LISTED, closed: bool = False, default: Json = None
) -> Field:
    return Field(
        name, TextList(kind, closed=closed, most=most), cleared=[], default=default or [], kind=kind, ids=ids
    )


def _free_texts(name: str, *, longest: int) -> Field:
    return Field(name, TextList(most=LISTED, longest=longest), cleared=[], default=[])


def _fixed(name: str, read: Reader, default: Json) -> Field:
    return Field(name, read, cleared=default, default=default)


_FIELDS = (
    _fixed("title", Text(TITLE), ""),
    _fixed("description", Text(DESCRIPTION, lines=True), ""),
    _texts("subjects", "subjects", "subject_ids"),
    _texts("levels", "levels", "level_ids", closed=True),
    _texts("languages", "languages", "language_ids", most=LANGUAGES, default=["English"]),
    _texts("specializations", "specializations", "specialization_ids"),
    _texts("teaching_methods", "teaching-methods", "teaching_method_ids"),
    _free_texts("qualifications", longest=200),
    _free_texts("academic_qualifications", longest=200),
    _free_texts("professional_qualifications", longest=200),
    Field("teaching_experience", Text(100), kind="experience-bands", ids="teaching_experience_id"),
    Field("hourly_rate", Money(), money=True),
    Field("hourly_rate_min", Money(), money=True),
    Field("hourly_rate_max", Money(), money=True),
    _fixed("currency", Currency(), CURRENCY),
    _fixed("pricing_packages", Packages(), []),
    _fixed("free_trial", Flag(), default=False),
    Field("trial_duration_minutes", Whole(1, LONGEST_TRIAL)),
    _fixed("location_type", Option("delivery-modes"), "online"),
    Field("location_address", Text(300), private=True),
    Field("location_city", Text(100)),
    Field("location_country", Text(100), default="United Kingdom"),
    Field("location_postcode", Text(20), private=True),
    _fixed("timezone", Timezone(), DEFAULT_TIMEZONE),
    Field("availability", AvailabilityReader()),
    Field("unavailability", UnavailabilityReader()),
    Field("video_url", WebAddress(("https",))),
    _free_texts("tags", longest=TAG),
    Field("response_time", Text(50)),
)
FIELDS = {field.name: field for field in _FIELDS}
KINDS = {field.name: field for field in _FIELDS if field.kind}
MONEY = frozenset(field.name for field in _FIELDS if field.money)
LOCATIONS_WITH_A_CITY = frozenset({"in_person", "hybrid"})
