"""What a data file may say, key by key, and how each value is read."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cas_taxonomy.entry import Surface, Window
from cas_taxonomy.errors import TaxonomyDataInvalid

T = TypeVar("T")
Readers = Mapping[str, Callable[[object], Any]]

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")


def read_file(place: str, data: dict[str, object]) -> dict[str, Any]:
    """Read the top level of a data file; its entries stay tables, for `read_entry`.

    :raises TaxonomyDataInvalid: for a key or value that does not belong there, or when entries are missing.
    """
    return _read(place, data, _FILE, required="entries")


def read_entry(place: str, data: dict[str, object]) -> dict[str, Any]:
    """Read one entry into the keyword arguments of :class:`Entry`.

    :raises TaxonomyDataInvalid: for a key or value that does not belong there, or when the label is missing.
    """
    return _read(place, data, _ENTRY, required="label")


def _read(place: str, data: dict[str, object], readers: Readers, *, required: str) -> dict[str, Any]:
    values = {}
    for key, value in data.items():
        if key not in readers:
            raise TaxonomyDataInvalid(f"{place}: unknown key {key!r}")
        try:
            values[key] = readers[key](value)
        except ValueError as error:
            raise TaxonomyDataInvalid(f"{place}: {key}: {error}") from error
    if required not in values:
        raise TaxonomyDataInvalid(f"{place}: {required!r} is missing")
    return values


def _exactly(expected: type[T]) -> Callable[[object], T]:
    def read(value: object) -> T:
        if type(value) is not expected:  # isinstance would let True pass for a number
            raise ValueError(f"{value!r} is no {expected.__name__}")
        return value

    return read


_flag = _exactly(bool)
_list = _exactly(list)
_number = _exactly(int)
_table = _exactly(dict)
_text = _exactly(str)


def _tables(value: object) -> dict[str, dict[str, object]]:
    return {key: _table(item) for key, item in _table(value).items()}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(item) for item in _list(value))


def _per_surface(read: Callable[[object], T]) -> Callable[[object], Mapping[Surface, T]]:
    def read_all(value: object) -> Mapping[Surface, T]:
        return {Surface(key): read(item) for key, item in _table(value).items()}

    return read_all


def _window(value: object) -> Window:
    given = _table(value)
    if set(given) != {"days", "start", "end"}:
        raise ValueError("needs days, start and end")
    days = tuple(_number(day) for day in _list(given["days"]))
    start, end = _text(given["start"]), _text(given["end"])
    if not days or not all(1 <= day <= 7 for day in days):  # noqa: PLR2004  # ISO weekdays
        raise ValueError("days run from 1 to 7")
    if not (_TIME.fullmatch(start) and _TIME.fullmatch(end) and start < end):
        raise ValueError("start and end are HH:MM, in order")
    return Window(days, start, end)


_FILE: Readers = {"default": _text, "offered": _per_surface(_texts), "entries": _tables}
_ENTRY: Readers = {
    "label": _text,
    "labels": _per_surface(_text),
    "aliases": _texts,
    "parents": _texts,
    "related": _texts,
    "satisfies": _texts,
    "min": _number,
    "max": _number,
    "sends": _per_surface(_number),
    "window": _window,
    "deprecated": _flag,
    "replaced_by": _text,
}
