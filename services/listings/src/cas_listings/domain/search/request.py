"""One search, every part of it understood (docs/spec/domain.md 7.1)."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

import cas_taxonomy
from cas_fields.reading import identity
from cas_listings.domain.folding import folded_line
from cas_listings.domain.search.text import TextQuery
from cas_taxonomy import Role

Applied: TypeAlias = dict[str, "str | int | float | bool | list[str]"]

DEFAULT_LIMIT, LARGEST_LIMIT = 20, 100
LARGEST_OFFSET = 10_000
_MINOR = 100  # pence in a pound


class OptionFilter(StrEnum):
    """The filters on what lists hold: any of the chosen options. The value is the parameter's name."""

    SUBJECTS = "subjects"
    LEVELS = "levels"
    LANGUAGES = "languages"
    TAGS = "tags"
    SPECIALIZATIONS = "specializations"
    TEACHING_METHODS = "teaching_methods"

    @property
    def kind(self) -> str | None:
        """The taxonomy kind behind it; tags have none."""
        return None if self is OptionFilter.TAGS else self.value.replace("_", "-")


class SortField(StrEnum):
    """What results can be ordered by."""

    RELEVANCE = "relevance"
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    PUBLISHED_AT = "published_at"
    HOURLY_RATE = "hourly_rate"
    VIEW_COUNT = "view_count"
    BOOKING_COUNT = "booking_count"


@dataclass(frozen=True, slots=True)
class Sort:
    """An order; what has no value comes last either way, and equals are in the order of their ids."""

    field: SortField
    descending: bool = True

    @property
    def name(self) -> str:
        """As the parameter `sort` spells it."""
        return _NAMES.get(self) or f"{self.field}_{'desc' if self.descending else 'asc'}"


NEWEST, RELEVANCE = Sort(SortField.PUBLISHED_AT), Sort(SortField.RELEVANCE)
NAMED_SORTS = {
    "relevance": RELEVANCE,
    "newest": NEWEST,
    "price_asc": Sort(SortField.HOURLY_RATE, descending=False),
    "price_desc": Sort(SortField.HOURLY_RATE),
    "popular": Sort(SortField.VIEW_COUNT),
    "recently_updated": Sort(SortField.UPDATED_AT),
}
_NAMES = {sort: name for name, sort in NAMED_SORTS.items()}


@dataclass(frozen=True, slots=True)
class Choice:
    """An option somebody filters by: the id of an entry, or a text that no list knows.

    :param token: what the index holds of a listing that matches.
    """

    value: str
    token: str
    is_entry: bool

    @classmethod
    def of(cls, option_filter: OptionFilter, text: str) -> "Choice":
        """The choice that a text means: an id, a label, an alias, or itself."""
        entry = cas_taxonomy.resolve(option_filter.kind, text) if option_filter.kind else None
        value = entry.id if entry else identity(text, kind=None)
        is_entry = entry is not None
        return cls(value, option_token(option_filter, value, is_entry=is_entry), is_entry)


def option_token(option_filter: OptionFilter, value: str, *, is_entry: bool) -> str:
    """What the index holds of a listing with this option; texts of people are told from ids."""
    return value_token(option_filter, value) if is_entry else f"{option_filter}~{value}"


def value_token(name: str, value: str) -> str:
    """What the index holds of a listing with this value, of those that a filter or a field of this name has."""
    return f"{name}:{value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to find, in which order, and which part of it.

    :param lowest: of the price in minor units, as `highest`; both included.
    :param location_types: those asked for; `found_location_types` adds the hybrid ones.
    """

    text: TextQuery | None = None
    options: tuple[tuple[OptionFilter, tuple[Choice, ...]], ...] = ()
    location_types: tuple[str, ...] = ()
    city: str | None = None
    lowest: int | None = None
    highest: int | None = None
    free_trial: bool = False
    role: Role | None = None
    sort: Sort = NEWEST
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: str | None = None
    with_facets: bool = True

    def choices(self, option_filter: OptionFilter) -> tuple[Choice, ...]:
        """What is chosen of one list; empty: everything."""
        return dict(self.options).get(option_filter, ())

    @property
    def city_key(self) -> str:
        """What the folded city has to contain; when empty, no city has it."""
        return folded_line(self.city or "")

    @property
    def found_location_types(self) -> tuple[str, ...]:
        """Whoever gives lessons both ways gives them online, and in person."""
        return tuple(sorted({*self.location_types, "hybrid"})) if self.location_types else ()

    @property
    def filters(self) -> tuple[str, ...]:
        """The names of the filters in use, as `without` takes them; the two bounds of a price are one."""
        names = ("price" if name in {"min_price", "max_price"} else name for name in self.applied)
        return tuple(name for name in dict.fromkeys(names) if name != "sort")

    def without(self, name: str) -> "Search":  # noqa: PLR0911  one for each filter
        """The same search with one filter dropped."""
        match name:
            case "q":
                return replace(self, text=None, sort=NEWEST if self.sort == RELEVANCE else self.sort)
            case "location_type":
                return replace(self, location_types=())
            case "city":
                return replace(self, city=None)
            case "role":
                return replace(self, role=None)
            case "price":
                return replace(self, lowest=None, highest=None)
            case "free_trial":
                return replace(self, free_trial=False)
        kept = tuple(
            (option_filter, chosen) for option_filter, chosen in self.options if option_filter != name
        )
        return replace(self, options=kept)

    @property
    def applied(self) -> Applied:
        """The filters as parameters that lead to the same search again."""
        chosen: Applied = {name.value: [choice.value for choice in choices] for name, choices in self.options}
        said: dict[str, str | int | float | bool | None] = {
            "city": self.city,
            "min_price": None if self.lowest is None else pounds(self.lowest),
            "max_price": None if self.highest is None else pounds(self.highest),
            "free_trial": self.free_trial or None,
            "role": None if self.role is None else self.role.value,
            "sort": self.sort.name,
        }
        text: Applied = {"q": self.text.text} if self.text else {}
        types: Applied = {"location_type": [*self.location_types]} if self.location_types else {}
        return text | chosen | types | {name: value for name, value in said.items() if value is not None}


def pounds(minor: int) -> int | float:
    """An amount as it is written on the wire."""
    return minor // _MINOR if minor % _MINOR == 0 else minor / _MINOR
