"""The formats in which availability arrives: slots, a day map, periods (docs/spec/domain.md 4.5)."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TypeVar

import cas_taxonomy
from cas_fields.availability import SLOTS, Absence, Availability, Recurrence, Window, recurring
from cas_fields.clock import MIDNIGHT, minutes
from cas_fields.reading import Json, Refused, Schema, Text, is_blank, read_object

MAX_WINDOWS = 100
MAX_EXCEPTIONS = 100

_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS = {name[:length]: day for day, name in enumerate(_NAMES, start=1) for length in (3, len(name))}
_EVERY_DAY = tuple(range(1, 8))
_WEEKEND = (6, 7)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PARTS = ("availability", "unavailability")
_PERIOD = frozenset({"type", "days", "fromDate", "toDate", "startTime", "endTime"})
_HOURS = frozenset({"start", "end"})
_ID = "id"
_text = Text(64)
_LARGEST_NUMBER = 2**63

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class AvailabilityReader:
    """Takes each of the formats and keeps what it says as sent; what names no time at all is empty."""

    @property
    def schema(self) -> Schema:
        return {"type": ["array", "object"], "description": "Slots, a day map or periods."}

    def __call__(self, value: Json) -> Json:
        return _said(value) if parse(value) != Availability() else []


@dataclass(frozen=True, slots=True)
class UnavailabilityReader:
    """Takes the days off as a list of `{fromDate, toDate}` and keeps what it says as sent."""

    @property
    def schema(self) -> Schema:
        return {"type": "array", "items": {"type": "object"}, "maxItems": MAX_EXCEPTIONS}

    def __call__(self, value: Json) -> Json:
        parse_exceptions(value)
        return _said(value)


def parse(value: Json) -> Availability:
    """What a value of any format says. A list where an object was expected, or the reverse, is no error by itself.

    :raises Refused: an unknown slot, day or format, a period that contradicts itself, or too many of them.
    """
    if is_blank(value):
        return Availability()
    if isinstance(value, dict) and any(part in value for part in _PARTS):
        return _parts(value)
    windows = tuple(_windows(value))
    if len(windows) > MAX_WINDOWS:
        raise Refused(f"may have at most {MAX_WINDOWS} times", code="too-many")
    return Availability(windows)


def parse_exceptions(value: Json) -> tuple[Absence, ...]:
    """The days off: pairs of first and last day.

    :raises Refused: a date is missing or wrong, the dates are out of order, or there are too many.
    """
    if is_blank(value) or value == {}:
        return ()
    items = value if isinstance(value, list) else [value]
    return _limited(tuple(_each(items, _exception)))


def _parts(value: Mapping[str, Json]) -> Availability:
    times = value.get("availability")
    if isinstance(times, dict) and any(part in times for part in _PARTS):
        raise Refused("must be a list of slots or periods, or a map of days", path="availability")
    said = _read_within("availability", partial(parse, times))
    exceptions = _read_within("unavailability", partial(parse_exceptions, value.get("unavailability")))
    return Availability(said.windows, exceptions)


def _read_within(part: str | int, read: Callable[[], Found]) -> Found:
    try:
        return read()
    except Refused as refusal:
        raise refusal.within(part) from refusal


def _limited(exceptions: tuple[Absence, ...]) -> tuple[Absence, ...]:
    if len(exceptions) > MAX_EXCEPTIONS:
        raise Refused(f"may have at most {MAX_EXCEPTIONS} absences", code="too-many")
    return exceptions


def _windows(value: Json) -> Iterator[Window]:
    match value:
        case list():
            yield from (window for found in _each(value, _item) for window in found)
        case dict() if not _PERIOD.isdisjoint(value):
            yield _period(value)
        case dict() if value and all(isinstance(chosen, bool) for chosen in value.values()):
            yield from (_slot(name) for name, chosen in value.items() if chosen)
        case dict():
            yield from _day_map(value)
        case _:
            raise Refused("must be a list of slots, a map of days or a list of periods")


def _item(item: Json) -> list[Window]:
    if is_blank(item):
        return []
    return [_slot(item) if isinstance(item, str) else _period(item)]


def _slot(name: str) -> Window:
    entry = cas_taxonomy.resolve(SLOTS, name)
    if entry is None or entry.window is None:
        known = ", ".join(entry.wire for entry in cas_taxonomy.entries(SLOTS))
        raise Refused(f"has an unknown time of the week; choose from {known}", code="unknown-option")
    return recurring(entry.window)


def _day_map(value: Mapping[str, Json]) -> Iterator[Window]:
    for name, times in value.items():
        yield from _read_within(name, partial(_day_windows, times, day=_day(name)))


def _day_windows(times: Json, *, day: int) -> list[Window]:
    items = times if isinstance(times, list) else [times]
    return [window for found in _each(items, partial(_hours, day=day)) for window in found]


def _hours(item: Json, *, day: int) -> list[Window]:
    if is_blank(item) or item == {}:
        return []
    if isinstance(item, str):
        slot = _slot(f"{'weekend' if day in _WEEKEND else 'weekday'} {item}")
        return [Window(Recurrence.RECURRING, (day,), slot.start, slot.end)]
    start, end = _times(read_object(item), "start", "end")
    return [Window(Recurrence.RECURRING, (day,), start, end)]


def _period(item: Json) -> Window:
    period = read_object(item)
    start, end = _times(period, "startTime", "endTime")
    first, last = _date(period, "fromDate"), _date(period, "toDate")
    if first and last and last < first:
        raise Refused("must not be before fromDate", path="toDate", code="out-of-order")
    match str(period.get("type", "")).strip().lower().replace("-", "_"):
        case Recurrence.RECURRING:
            return Window(Recurrence.RECURRING, _period_days(period), start, end, first, last)
        case Recurrence.ONE_TIME if first:
            last = last or first
            return Window(Recurrence.ONE_TIME, _weekdays(first, last), start, end, first, last)
        case Recurrence.ONE_TIME:
            raise Refused("is needed for a one-time period", path="fromDate", code="missing")
    raise Refused("must be recurring or one-time", path="type", code="unknown-option")


def _period_days(period: Mapping[str, Json]) -> tuple[int, ...]:
    given = period.get("days")
    names = given if isinstance(given, list) else [given]
    days = {_day(name) for name in names if not is_blank(name)}
    if not days:
        raise Refused("needs at least one day for a recurring period", path="days", code="missing")
    return tuple(sorted(days))


def _weekdays(first: date, last: date) -> tuple[int, ...]:
    if (last - first).days >= len(_EVERY_DAY) - 1:
        return _EVERY_DAY
    return tuple(
        sorted((first + timedelta(offset)).isoweekday() for offset in range((last - first).days + 1))
    )


def _exception(item: Json) -> Absence:
    period = read_object(item)
    first, last = _date(period, "fromDate"), _date(period, "toDate")
    if first is None or last is None:
        raise Refused("is needed for an absence", path="toDate" if first else "fromDate", code="missing")
    if last < first:
        raise Refused("must not be before fromDate", path="toDate", code="out-of-order")
    return Absence(first, last)


def _said(value: Json) -> Json:
    """A value that was understood, without blanks and without what is no part of its format: others will be shown it.

    :raises Refused: a text is too long.
    """
    match value:
        case str():
            return _text(value)
        case list():
            return [_said(item) for item in value if not is_blank(item) and item != {}]
        case dict():
            return {_text(name): _said(each) for name, each in value.items() if _is_part(name, each)}
    return value


def _is_part(name: str, value: Json) -> bool:
    if name == _ID:
        return isinstance(value, str) or (isinstance(value, int) and abs(value) < _LARGEST_NUMBER)
    is_member = name in _PERIOD or name in _HOURS or name in _PARTS
    return is_member or name.strip().lower() in _DAYS or cas_taxonomy.resolve(SLOTS, name) is not None


# ---- the parts ----


def _day(name: Json) -> int:
    day = _DAYS.get(name.strip().lower()) if isinstance(name, str) else None
    if day is None:
        raise Refused('has an unknown day; write "monday" or "mon"', code="unknown-option")
    return day


def _times(given: Mapping[str, Json], start_name: str, end_name: str) -> tuple[int, int]:
    start, end = _time(given, start_name), _time(given, end_name)
    end = end or MIDNIGHT
    if end <= start:
        raise Refused(f"must be after {start_name}", path=end_name, code="out-of-order")
    return start, end


def _time(given: Mapping[str, Json], name: str) -> int:
    try:
        return minutes(given.get(name))
    except ValueError as error:
        raise Refused('must be a time such as "09:30" or "9:30 AM"', path=name) from error


def _date(given: Mapping[str, Json], name: str) -> date | None:
    value = given.get(name)
    if is_blank(value):
        return None
    try:
        if not isinstance(value, str) or not _DATE.fullmatch(value):
            raise ValueError(value)
        return date.fromisoformat(value)
    except ValueError as error:
        raise Refused("must be a date such as 2026-01-31", path=name) from error


def _each(items: Iterable[Json], read: Callable[[Json], Found]) -> Iterator[Found]:
    for index, item in enumerate(items):
        yield _read_within(index, partial(read, item))
