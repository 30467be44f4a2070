"""Professional info, the reusable template of one (user, role): reading, merging, answering (docs/spec/domain.md 4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import cas_taxonomy
from cas_account.domain.levels import both_views
from cas_account.domain.professional_info_fields import FIELDS
from cas_account.domain.roles import AskedRole, Role, UnknownRole
from cas_fields import availability_formats as formats
from cas_fields.availability import Availability
from cas_fields.money import contains, midpoint, to_major
from cas_fields.reading import Json, Refused, is_blank
from cas_kit.errors import DomainError, FieldProblem, Kind, ValidationFailed

Fields: TypeAlias = dict[str, Json]
"""Stored values by field name; money in minor units, unset fields absent."""

_ANSWERED_ONLY = frozenset(
    {
        "id",
        "profile_id",
        "role_type",
        "availability_windows",
        "availability_slots",
        "completeness",
        "version",
        "created_at",
        "updated_at",
    }
)


class NoProfessionalInfo(DomainError):
    kind = Kind.NOT_FOUND
    code = "no-professional-info"

    def __init__(self, role_as_asked: str) -> None:
        super().__init__(f"No professional info found for role: {role_as_asked}")


@dataclass(frozen=True, slots=True)
class Changes:
    """A request to save: `values` by field name, None to clear; `ignored` are the names nobody knows."""

    role: AskedRole
    values: Fields
    ignored: tuple[str, ...]


# ---- reading ----


def read_changes(document: Json) -> Changes:
    """The changes that a request body asks for.

    :raises ValidationFailed: the role or a field cannot be accepted; names all that cannot.
    """
    if not isinstance(document, dict):
        raise ValidationFailed.of([FieldProblem("body", "must be a JSON object")])
    values, problems = read_fields(document)
    try:
        role = AskedRole.read(document.get("role_type"))
    except UnknownRole as error:
        raise ValidationFailed.of([*error.problems, *problems]) from error
    if problems:
        raise ValidationFailed.of(problems)
    ignored = tuple(name for name in document if name not in FIELDS and name not in _ANSWERED_ONLY)
    return Changes(role, values, ignored)


def read_fields(document: Mapping[str, Json]) -> tuple[Fields, list[FieldProblem]]:
    """The fields present in `document`, and what is wrong with the others, in field order."""
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


# ---- merging ----


def merge(saved: Fields, values: Fields, *, timezone: str) -> Fields:
    """What is stored after `values` were written over `saved`; fields that end up empty are absent.

    :param timezone: of the owner; the zone in which new availability is meant.
    """
    merged = saved | values | both_views(values) | _rates(saved, values)
    if not values.keys().isdisjoint(("availability", "unavailability")):
        merged |= _availability_views(merged, timezone=timezone)
    return {name: value for name, value in merged.items() if value not in (None, "", [], {})}


def _rates(saved: Fields, values: Fields) -> Fields:
    """A range alone brings its midpoint along; a rate alone ends a range that does not contain it."""
    if "hourly_rate_range" in values and "hourly_rate" not in values:
        bounds = values["hourly_rate_range"]
        return {"hourly_rate": _midpoint(bounds)} if isinstance(bounds, dict) and bounds else {}
    rate, kept = values.get("hourly_rate"), saved.get("hourly_rate_range")
    if "hourly_rate_range" not in values and isinstance(rate, int) and isinstance(kept, dict):
        return {} if contains(kept, rate) else {"hourly_rate_range": None}
    return {}


def _midpoint(bounds: dict[str, Json]) -> int | None:
    low, high = bounds["min"], bounds["max"]
    return midpoint(low if isinstance(low, int) else None, high if isinstance(high, int) else None)


def _availability_views(fields: Fields, *, timezone: str) -> Fields:
    said = formats.parse(fields.get("availability"))
    absences = formats.parse_exceptions(fields.get("unavailability"))
    if not said.windows and not said.exceptions and not absences:
        return {"availability_windows": None, "availability_slots": None}
    said = Availability(said.windows, (*said.exceptions, *absences))
    return {"availability_windows": said.canonical(timezone=timezone), "availability_slots": [*said.slots()]}


# ---- beside the texts ----


def entry_ids(fields: Fields) -> Fields:
    """The taxonomy ids of the saved texts, by field: one id, or a list of them; None where the text has none."""
    return {
        name: [_entry_id(field.kind, text) for text in value]
        if isinstance(value, list)
        else _entry_id(field.kind, value)
        for name, field in FIELDS.items()
        if field.kind and (value := fields.get(name)) is not None
    }


def unresolved(values: Fields) -> list[str]:
    """The texts among `values` without a taxonomy id, where a kind would have one."""
    return list(dict.fromkeys(_unresolved(values | both_views(values))))


def _unresolved(fields: Fields) -> Iterator[str]:
    for name, field in FIELDS.items():
        if field.kind is None or field.free:
            continue
        value = fields.get(name)
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and cas_taxonomy.resolve(field.kind, text) is None:
                yield text


def _entry_id(kind: str, text: Json) -> str | None:
    entry = cas_taxonomy.resolve(kind, str(text))
    return entry.id if entry else None


# ---- answering ----

_UNSET = {
    role: {name: field.unset for name, field in FIELDS.items() if field.belongs_to(role)}
    | (
        {"availability_windows": None, "availability_slots": []}
        if FIELDS["availability"].belongs_to(role)
        else {}
    )
    for role in Role
}
_REQUIRED = {role: [name for name, field in FIELDS.items() if role in field.required] for role in Role}
_OPTIONAL = {role: [name for name, field in FIELDS.items() if role in field.optional] for role in Role}


def answered(role: Role, fields: Fields) -> Fields:
    """The fields as GET answers them: all of this role, and those of other roles that were saved."""
    return {**_UNSET[role], **fields, **_rates_in_pounds(fields)}


def completeness(role: Role, fields: Fields) -> Fields:
    """How far a template is from complete (docs/spec/domain.md 4.4)."""
    required = _REQUIRED[role]
    missing = [name for name in required if name not in fields]
    return {
        "complete": not missing,
        "score": round(100 * (len(required) - len(missing)) / len(required)),
        "missing": [*missing],
        "recommended": [name for name in _OPTIONAL[role] if name not in fields],
    }


def _rates_in_pounds(fields: Fields) -> Fields:
    shown: Fields = {}
    if isinstance(rate := fields.get("hourly_rate"), int):
        shown["hourly_rate"] = to_major(rate)
    if isinstance(bounds := fields.get("hourly_rate_range"), dict):
        shown["hourly_rate_range"] = {
            name: to_major(bound) if isinstance(bound, int) else None for name, bound in bounds.items()
        }
    return shown
