"""The parameters of a search, in every spelling they come in (docs/spec/domain.md 7.1)."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import cas_taxonomy
from cas_fields.reading import Json, Refused, clean, decimal, is_blank
from cas_kit.errors import FieldProblem, ValidationFailed
from cas_listings.domain.search import text as search_text
from cas_listings.domain.search.request import (
    DEFAULT_LIMIT,
    LARGEST_LIMIT,
    LARGEST_OFFSET,
    NAMED_SORTS,
    NEWEST,
    RELEVANCE,
    Choice,
    OptionFilter,
    Search,
    Sort,
    SortField,
)
from cas_taxonomy import ROLE_NAMES, Role, find_role

T = TypeVar("T")

MOST_CHOICES = 50
LONGEST_CHOICE = 100
LONGEST_CITY = 100
HIGHEST_PRICE = 2_000_000_000  # minor units; no listing can be dearer, and the database holds it in 32 bits
_MINOR = 100
_SPELLINGS = {
    "q": ("q", "search"),
    "city": ("city", "location_city"),
    "free_trial": ("free_trial", "free_trial_only"),
    "sort": ("sort", "sort_field"),
}
_LISTS = frozenset({*(each.value for each in OptionFilter), "location_type"})
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_DIRECTIONS = {"asc": False, "desc": True}


class Parameters:
    """The values of one request by name, and what is wrong with them so far."""

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = values
        self.problems: list[FieldProblem] = []

    def read(self, name: str, reader: Callable[[Json], T], default: T) -> T:
        """The value of a parameter in any of its spellings; the default where it is absent, blank or wrong."""
        for spelling in _SPELLINGS.get(name, (name,)):
            value = self._values.get(spelling)
            if is_blank(value):
                continue
            try:
                return reader(value)
            except Refused as refusal:
                self.refuse(spelling, refusal)
                return default
        return default

    def refuse(self, name: str, refusal: Refused) -> None:
        """Note what is wrong with a parameter."""
        self.problems.append(FieldProblem(name, refusal.message, refusal.code))


def parameters_of_query(pairs: Sequence[tuple[str, str]]) -> dict[str, Json]:
    """The parameters of a query string; of one that is repeated the last, of a list all with commas between."""
    values: dict[str, Json] = {}
    for name, value in pairs:
        values[name] = f"{values[name]},{value}" if name in _LISTS and name in values else value
    return values


def parameters_of_body(body: Json) -> dict[str, Json]:
    """The parameters of a JSON body, `filters` and `sort {field, order}` laid open.

    :raises ValidationFailed: it is no object, or its `filters` are none.
    """
    if not isinstance(body, dict):
        raise ValidationFailed.of([FieldProblem("body", "must be a JSON object")])
    filters = body.get("filters") or {}
    if not isinstance(filters, dict):
        raise ValidationFailed.of([FieldProblem("filters", "must be a JSON object")])
    values = {name: value for name, value in body.items() if name != "filters"} | filters
    if isinstance(sort := body.get("sort"), dict):
        values |= {"sort": sort.get("field"), "sort_order": sort.get("order")}
    return values


def read_search(values: Mapping[str, Json]) -> Search:
    """The search that these parameters ask for; unknown ones are ignored.

    :raises ValidationFailed: names every parameter that makes no sense.
    """
    given = Parameters(values)
    text = given.read("q", _text, None)
    sort = _sort(given, default=RELEVANCE)
    search = Search(
        text=text,
        options=tuple(_options(given)),
        location_types=given.read("location_type", _location_types, ()),
        city=given.read("city", _city, None),
        lowest=given.read("min_price", _lowest, None),
        highest=given.read("max_price", _highest, None),
        free_trial=given.read("free_trial", _flag, default=False),
        role=given.read("role", _role, None),
        sort=NEWEST if sort == RELEVANCE and text is None else sort,
        limit=min(given.read("limit", at_least(1), DEFAULT_LIMIT), LARGEST_LIMIT),
        offset=given.read("offset", _offset, 0),
        cursor=given.read("cursor", single, None),
        with_facets=given.read("facets", _flag, default=True),
    )
    _check_order(given, search)
    if given.problems:
        raise ValidationFailed.of(given.problems)
    return search


def _check_order(given: Parameters, search: Search) -> None:
    if search.lowest is not None and search.highest is not None and search.lowest > search.highest:
        given.refuse("min_price", Refused("must not be above max_price", code="out-of-order"))


# ---- readers ----


def single(value: Json) -> str:
    """One text; of a repeated parameter, the last."""
    last = value[-1] if isinstance(value, list) and value else value
    if not isinstance(last, str):
        raise Refused("must be a text")
    return last.strip()


def _text(value: Json) -> search_text.TextQuery | None:
    text = single(value)
    if len(text) > search_text.LONGEST:
        raise Refused(f"must have at most {search_text.LONGEST} characters")
    return search_text.read_text(text)


def _city(value: Json) -> str | None:
    city = search_text.shown(single(value))
    if len(city) > LONGEST_CITY:
        raise Refused(f"must have at most {LONGEST_CITY} characters")
    return city or None


def _options(given: Parameters) -> Iterator[tuple[OptionFilter, tuple[Choice, ...]]]:
    nothing: tuple[str, ...] = ()
    for option_filter in OptionFilter:
        texts = given.read(option_filter.value, _texts, nothing)
        if texts:
            choices = dict.fromkeys(Choice.of(option_filter, text) for text in texts)
            yield option_filter, tuple(choices)


def _texts(value: Json) -> tuple[str, ...]:
    """The texts of a list as they are, or of a text with commas between them."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list):
        raise Refused("must be a list of texts")
    found = [text for text in map(_storable, given) if text]
    if len(found) > MOST_CHOICES:
        raise Refused(f"must name at most {MOST_CHOICES}")
    if any(len(text) > LONGEST_CHOICE for text in found):
        raise Refused(f"must have at most {LONGEST_CHOICE} characters each")
    return tuple(found)


def _storable(text: Json) -> str:
    """A text as a listing may hold it: symbols stay, broken halves of characters do not."""
    if not isinstance(text, str):
        raise Refused("must be a list of texts")
    return clean(text.encode("utf-8", "ignore").decode())


def _location_types(value: Json) -> tuple[str, ...]:
    found = []
    for text in _texts(value):
        entry = cas_taxonomy.resolve("delivery-modes", text)
        if entry is None:
            options = ", ".join(each.wire for each in cas_taxonomy.entries("delivery-modes"))
            raise Refused(f"must be one of {options}")
        found.append(entry.wire)
    return tuple(dict.fromkeys(found))


def _role(value: Json) -> Role:
    role = find_role(single(value))
    if role is None:
        raise Refused(f"must be one of {', '.join(ROLE_NAMES)}")
    return role


def _flag(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    flag = _FLAGS.get(str(value[-1] if isinstance(value, list) and value else value).strip().lower())
    if flag is None:
        raise Refused("must be true or false")
    return flag


def _lowest(value: Json) -> int:
    return _minor(value, math.ceil)


def _highest(value: Json) -> int:
    return _minor(value, math.floor)


def _minor(value: Json, to_whole: Callable[[Decimal], int]) -> int:
    amount = _number(value)
    if amount < 0:
        raise Refused("must not be negative")
    return to_whole(min(amount * _MINOR, Decimal(HIGHEST_PRICE)))


def _number(value: Json) -> Decimal:
    return decimal(value[-1] if isinstance(value, list) and value else value)


def _whole(value: Json) -> int:
    number = _number(value)
    if number != number.to_integral_value():
        raise Refused("must be a whole number")
    return int(number)


def at_least(least: int) -> Callable[[Json], int]:
    """Reads a whole number from `least` on."""

    def read(value: Json) -> int:
        number = _whole(value)
        if number < least:
            raise Refused(f"must be at least {least}")
        return number

    return read


def _offset(value: Json) -> int:
    offset = at_least(0)(value)
    if offset > LARGEST_OFFSET:
        raise Refused(f"must be at most {LARGEST_OFFSET}; use the cursor to go on")
    return offset


# ---- order ----


def _sort(given: Parameters, *, default: Sort) -> Sort:
    descending = given.read("sort_order", _direction, default=True)
    return given.read("sort", lambda value: _named_sort(value, descending=descending), default)


def _direction(value: Json) -> bool:
    direction = _DIRECTIONS.get(single(value).lower())
    if direction is None:
        raise Refused("must be asc or desc")
    return direction


def _named_sort(value: Json, *, descending: bool) -> Sort:
    """A named order, or a field; only a field has a direction of its own."""
    name = single(value).lower()
    if name in NAMED_SORTS:
        return NAMED_SORTS[name]
    base, _, suffix = name.rpartition("_")
    if suffix in _DIRECTIONS and base in _SORTED_FIELDS:
        return Sort(SortField(base), _DIRECTIONS[suffix])
    if name not in _SORTED_FIELDS:
        raise Refused(f"must be one of {', '.join((*NAMED_SORTS, *_SORTED_FIELDS))}")
    return Sort(SortField(name), descending)


_SORTED_FIELDS = tuple(field.value for field in SortField if field is not SortField.RELEVANCE)
