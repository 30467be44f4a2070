"""A listing's fields: reading them, merging them, and what publishing demands (docs/spec/domain.md 6.1 to 6.3)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import cas_taxonomy
from cas_fields import availability_formats as formats
from cas_fields.availability import Availability
from cas_fields.money import to_major
from cas_fields.reading import Json, Refused, is_blank
from cas_kit.errors import DomainError, FieldProblem, Kind, ValidationFailed
from cas_listings.domain.fields import DESCRIPTION, FIELDS, KINDS, LOCATIONS_WITH_A_CITY, MONEY, TITLE
from cas_listings.domain.roles import Role, role_named
from cas_listings.domain.states import Status, status_named

Fields: TypeAlias = dict[str, Json]
"""Values by field name, as they are stored; amounts of money in minor units."""

SHORTEST_TITLE = 10
SHORTEST_DESCRIPTION = 50
DEFAULT_TRIAL = 30  # minutes
COPY = " (copy)"
EXPERIENCE_ALIAS = "years_of_experience"

# What a client may send back as it was answered, without an effect.
_ANSWERED_ONLY = frozenset(
    {
        "id",
        "profile_id",
        "created_as_role",
        "availability_windows",
        "availability_slots",
        "image_details",
        "location_postcode_area",
        "slug",
        "view_count",
        "inquiry_count",
        "booking_count",
        "created_from_template",
        "prefilled_fields",
        "unresolved",
        "ignored_fields",
        "owner",
        "owner_display_name",
        "owner_avatar_url",
        "allowed_actions",
        "publish_problems",
        "version",
        "created_at",
        "updated_at",
        "published_at",
        "last_published_at",
        "archived_at",
        "deletable_at",
    }
)


class ListingNotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "listing-not-found"
    sentence = "There is no such listing."


class TooManyIds(ValidationFailed):
    code = "too-many-ids"
    sentence = "Ask for at most 500 listings at once."


@dataclass(frozen=True, slots=True)
class Changes:
    """What a request says: `values` by field name, None to clear; `ignored` are the names nobody knows.

    :param images: addresses of pictures, in the order they are to have; None when it says nothing of them.
    """

    values: Fields
    status: Status | None = None
    role: Role | None = None
    ignored: tuple[str, ...] = ()
    images: tuple[str, ...] | None = None


# ---- reading ----


def read_changes(document: Json) -> Changes:
    """The changes that a request body asks for.

    :raises ValidationFailed: a field cannot be accepted; names all that cannot, in field order.
    """
    if not isinstance(document, dict):
        raise ValidationFailed.of([FieldProblem("body", "must be a JSON object")])
    values, problems = read_fields(document)
    status = role = None
    try:
        status = None if is_blank(document.get("status")) else status_named(document["status"])
    except ValidationFailed as error:
        problems += error.problems
    try:
        asked = document.get("created_as_role")
        role = None if is_blank(asked) else role_named(asked, field="created_as_role")
    except ValidationFailed as error:
        problems += error.problems
    if problems:
        raise ValidationFailed.of(problems)
    known = FIELDS.keys() | _ANSWERED_ONLY | {"status", "images", EXPERIENCE_ALIAS}
    ignored = tuple(name for name in document if name not in known)
    return Changes(values, status, role, ignored, _images(document.get("images")))


def _images(said: Json) -> tuple[str, ...] | None:
    """Whatever a client posts here: only addresses of pictures that are there have an effect."""
    return tuple(each for each in said if isinstance(each, str)) if isinstance(said, list) else None


def read_fields(document: Mapping[str, Json]) -> tuple[Fields, list[FieldProblem]]:
    """The fields present in `document`, and what is wrong with the others, in field order."""
    if EXPERIENCE_ALIAS in document and is_blank(document.get("teaching_experience")):
        document = {**document, "teaching_experience": document[EXPERIENCE_ALIAS]}
    values: Fields = {}
    problems: list[FieldProblem] = []
    for name, field in FIELDS.items():
        if name not in document:
            continue
        try:
            values[name] = None if is_blank(document[name]) else field.read(document[name])
        except Refused as refusal:
            whole = refusal.within(name)
            problems.append(FieldProblem(whole.path, whole.message, whole.code))
    return values, problems


def copied_title(title: str) -> str:
    """The title of a copy, cut to fit."""
    return f"{title[: TITLE - len(COPY)].rstrip()}{COPY}".strip()


# ---- merging ----


def new_fields(values: Fields) -> Fields:
    """The fields of a new listing; what was cleared is as what was not said.

    :raises ValidationFailed: bounds are out of order.
    """
    said: Fields = {name: value for name, value in values.items() if value is not None}
    return merge({name: field.default for name, field in FIELDS.items()}, said)


def merge(saved: Fields, values: Fields) -> Fields:
    """All fields after `values` were written over `saved`, those that follow from others included.

    :raises ValidationFailed: bounds are out of order.
    """
    written = {
        name: FIELDS[name].cleared if value in (None, "", [], {}) else value for name, value in values.items()
    }
    merged = saved | written
    merged |= _rate(saved, written, merged) | _trial(merged)
    if problems := list(_disorder(merged)):
        raise ValidationFailed.of(problems)
    return merged


def _rate(saved: Fields, written: Fields, merged: Fields) -> Fields:
    """A range without a rate brings its minimum along; a rate that came so follows the minimum."""
    lowest = merged["hourly_rate_min"]
    followed = "hourly_rate" not in written and saved["hourly_rate"] == saved["hourly_rate_min"]
    if lowest is None or not (merged["hourly_rate"] is None or followed):
        return {}
    return {"hourly_rate": lowest}


def _trial(merged: Fields) -> Fields:
    if not merged["free_trial"]:
        return {"trial_duration_minutes": None}
    return {"trial_duration_minutes": merged["trial_duration_minutes"] or DEFAULT_TRIAL}


def _disorder(fields: Fields) -> Iterator[FieldProblem]:
    lowest, highest = fields["hourly_rate_min"], fields["hourly_rate_max"]
    if isinstance(lowest, int) and isinstance(highest, int) and lowest > highest:
        yield FieldProblem("hourly_rate_min", "must not be above hourly_rate_max", "out-of-order")


def beside(fields: Fields) -> Fields:
    """What is stored beside the fields: taxonomy ids of their texts, and when there is time, in canonical form."""
    ids: Fields = {}
    for name, field in KINDS.items():
        value = fields[name]
        texts = value if isinstance(value, list) else [value]
        found = [_entry_id(str(field.kind), text) for text in texts]
        ids[field.ids] = [*found] if isinstance(value, list) else found[0]
    return ids | _availability(fields)


def _entry_id(kind: str, text: Json) -> str | None:
    entry = cas_taxonomy.resolve(kind, text) if isinstance(text, str) else None
    return entry.id if entry else None


def _availability(fields: Fields) -> Fields:
    said = formats.parse(fields["availability"])
    absences = formats.parse_exceptions(fields["unavailability"])
    said = Availability(said.windows, (*said.exceptions, *absences))
    if said == Availability():
        return {"availability_windows": None, "availability_slots": []}
    return {
        "availability_windows": said.canonical(timezone=str(fields["timezone"])),
        "availability_slots": [*said.slots()],
    }


# ---- answering ----


def answered(fields: Fields) -> Fields:
    """The fields as they are answered: money in major units, no list that is null."""
    shown = {name: _major(fields[name]) for name in MONEY}
    packages = fields["pricing_packages"]
    priced: list[Json] = [_priced(package) for package in packages] if isinstance(packages, list) else []
    return fields | shown | {"pricing_packages": priced, "unavailability": fields["unavailability"] or []}


def _major(amount: Json) -> Json:
    return to_major(amount) if isinstance(amount, int) else None


def _priced(package: Json) -> Json:
    return package | {"price": _major(package["price"])} if isinstance(package, dict) else None


# ---- publishing ----


def publish_problems(fields: Fields) -> list[FieldProblem]:
    """What keeps a listing with these fields from being published, in field order (docs/spec/domain.md 6.2)."""
    return [*_too_short(fields), *_missing(fields)]


def check_publishable(fields: Fields) -> None:
    """Hold fields against the rules of publishing.

    :raises ValidationFailed: names everything that keeps the listing from being published.
    """
    if problems := publish_problems(fields):
        raise ValidationFailed.of(problems)


def _too_short(fields: Fields) -> Iterator[FieldProblem]:
    for name, shortest, longest in (
        ("title", SHORTEST_TITLE, TITLE),
        ("description", SHORTEST_DESCRIPTION, DESCRIPTION),
    ):
        if len(str(fields[name])) < shortest:
            yield FieldProblem(name, f"must have {shortest} to {longest} characters", "too-short")


def _missing(fields: Fields) -> Iterator[FieldProblem]:
    for name, what in (("subjects", "subject"), ("levels", "level")):
        if not fields[name]:
            yield FieldProblem(name, f"must name at least one {what}", "missing")
    if fields["location_type"] in LOCATIONS_WITH_A_CITY and not fields["location_city"]:
        yield FieldProblem("location_city", "is needed for lessons in person", "missing")
