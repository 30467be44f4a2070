"""What somebody may be about to type (docs/spec/domain.md 7.4)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import IntEnum, StrEnum
from functools import cache

import cas_taxonomy
from cas_fields.reading import Json, Refused, is_blank
from cas_kit.errors import ValidationFailed
from cas_listings.domain.folding import folded_line
from cas_listings.domain.search.reading import Parameters, at_least, single
from cas_listings.domain.search.request import OptionFilter
from cas_taxonomy import Entry, Surface, label_for

LONGEST = 100
SHORTEST = 2  # characters; fewer suggest nothing
MOST = 10
_KINDS = {OptionFilter.SUBJECTS: "subject", OptionFilter.LEVELS: "level"}
_ALIKE = 0.75  # of difflib's ratio


class SuggestionType(StrEnum):
    SUBJECT = "subject"
    LEVEL = "level"
    CITY = "city"
    TITLE = "title"


class Nearness(IntEnum):
    """How what was typed stands in what is suggested; the nearer comes first."""

    PREFIX = 0
    INFIX = 1
    FUZZY = 2


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One thing to search for.

    :param count: published listings that have it.
    :param slug: of the listing, where it is a title.
    """

    type: SuggestionType
    id: str
    label: str
    count: int
    nearness: Nearness
    slug: str | None = None


@dataclass(frozen=True, slots=True)
class SuggestRequest:
    """What was typed, folded, and how many suggestions are wanted."""

    typed: str
    limit: int


@dataclass(frozen=True, slots=True)
class NearEntry:
    """An entry of the taxonomy that is spelt like what was typed."""

    entry: Entry
    nearness: Nearness


def read_suggest_request(values: dict[str, Json]) -> SuggestRequest:
    """What the parameters ask for.

    :raises ValidationFailed: `q` is missing or too long, or `limit` is no number above 0.
    """
    given = Parameters(values)
    if is_blank(values.get("q")):
        given.refuse("q", Refused(f"must have 1 to {LONGEST} characters"))
    request = SuggestRequest(
        typed=given.read("q", _typed, ""), limit=min(given.read("limit", at_least(1), MOST), MOST)
    )
    if given.problems:
        raise ValidationFailed.of(given.problems)
    return request


def _typed(value: Json) -> str:
    text = single(value)
    if len(text) > LONGEST:
        raise Refused(f"must have 1 to {LONGEST} characters")
    return folded_line(text)


def near_entries(typed: str) -> list[NearEntry]:
    """Subjects and levels spelt like this, the nearest first; aliases count, each entry once."""
    found: dict[Entry, Nearness] = {}
    for spelling, entry in _spellings():
        nearness = _nearness(typed, spelling)
        if nearness is not None:
            found[entry] = min(nearness, found.get(entry, nearness))
    near = [NearEntry(entry, nearness) for entry, nearness in found.items()]
    return sorted(near, key=lambda each: each.nearness)


def arranged(suggestions: Sequence[Suggestion], *, limit: int) -> list[Suggestion]:
    """The nearest first, and among equals subjects, levels, cities and titles, the most frequent first."""
    types = list(SuggestionType)
    ordered = sorted(
        suggestions, key=lambda each: (each.nearness, types.index(each.type), -each.count, each.label)
    )
    return ordered[:limit]


def type_of(entry: Entry) -> SuggestionType:
    """What an entry is called among suggestions."""
    return SuggestionType(_KINDS[OptionFilter(entry.kind)])


def label_of(entry: Entry) -> str:
    """How an entry is written in the filter that it will be chosen in."""
    return label_for(entry, Surface.FILTER)


def _nearness(typed: str, spelling: str) -> Nearness | None:
    if spelling.startswith(typed):
        return Nearness.PREFIX
    if typed in spelling:
        return Nearness.INFIX
    is_alike = SequenceMatcher(None, typed, spelling).ratio() >= _ALIKE
    return Nearness.FUZZY if is_alike else None


@cache
def _spellings() -> tuple[tuple[str, Entry], ...]:
    return tuple(_all_spellings())


def _all_spellings() -> Iterator[tuple[str, Entry]]:
    for option_filter in _KINDS:
        for entry in cas_taxonomy.entries(option_filter.value):
            if not entry.deprecated and entry.id != "other":
                for text in (entry.label, *entry.labels.values(), *entry.aliases):
                    yield folded_line(text), entry
