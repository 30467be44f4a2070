"""What the search index holds of a listing: everything a search looks at, worked out beforehand."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Protocol
from uuid import UUID

import cas_taxonomy
from cas_fields.reading import identity
from cas_listings.domain.folding import folded_line
from cas_listings.domain.search.concepts import concepts_in, indexed
from cas_listings.domain.search.request import OptionFilter, option_token, value_token
from cas_listings.domain.search.text import shown
from cas_taxonomy import Entry, Surface, ancestors

FORMAT = 4
"""Grows with every change of what this module makes of a listing."""

# However often a listing repeats a word, ranking it costs no more than this many.
MOST_REPEATS = 8
_WEIGHED_WITH_DESCRIPTION = (OptionFilter.SPECIALIZATIONS, OptionFilter.TEACHING_METHODS)
_WEIGHED_WITH_SUBJECTS = (OptionFilter.SUBJECTS, OptionFilter.LEVELS)
# Lists of different texts that are kept worked out: a few megabytes, and most listings say what others say.
_KEPT = 4096

Band = tuple[int, int | None]


class Findable(Protocol):
    """What the index needs to know of a published listing; money in minor units."""

    id: UUID
    version: int
    title: str
    description: str
    subjects: list[str]
    levels: list[str]
    languages: list[str]
    specializations: list[str]
    teaching_methods: list[str]
    tags: list[str]
    hourly_rate: int | None
    hourly_rate_min: int | None
    hourly_rate_max: int | None
    location_type: str
    location_city: str | None
    free_trial: bool
    owner_display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDocument:
    """What is worked out of a listing; the rest of its row in the index is copied from it by the database.

    :param revision: the listing's version that this was made of.
    :param format: what made it; listings indexed by other code or with other options are indexed anew.
    :param title: its words and concepts, as `labels` (what it offers, with ancestors), `body`, `owner`.
    :param tokens: what it is filtered by: options, ancestors included, where lessons are, and a free trial.
    :param subject_ids: ids with ancestors, commas between them, for counting; so are the levels and languages.
    :param price_bands: one bit for each band of the listing wizard that the price reaches into.
    :param city_key: the city, folded; `title_key` the title, `fuzzy` all that misspelt words are compared with.
    """

    id: UUID
    revision: int
    format: str
    title: str
    labels: str
    body: str
    owner: str
    tokens: list[str]
    subject_ids: str
    level_ids: str
    language_ids: str
    lowest: int | None
    highest: int | None
    price_bands: int
    city: str | None
    city_key: str | None
    title_key: str
    fuzzy: str


def document_of(listing: Findable) -> SearchDocument:
    """The document of a listing. The same listing gives the same document."""
    lists = {each: _options(each, tuple(getattr(listing, each))) for each in OptionFilter}
    lowest, highest = price_interval(listing)
    city_key = folded_line(listing.location_city or "") or None
    title_key = folded_line(listing.title)
    return SearchDocument(
        id=listing.id,
        revision=listing.version,
        format=index_format(),
        title=_line(_searched(listing.title)),
        labels=_line(_label_words(lists, listing.tags)),
        body=_line(_body_words(lists, f"{listing.description} {listing.location_city or ''}")),
        owner=_line(_searched(listing.owner_display_name)),
        tokens=[token for options in lists.values() for token in options.tokens] + _value_tokens(listing),
        subject_ids=lists[OptionFilter.SUBJECTS].key,
        level_ids=lists[OptionFilter.LEVELS].key,
        language_ids=lists[OptionFilter.LANGUAGES].key,
        lowest=lowest,
        highest=highest,
        price_bands=_reached_bands(lowest, highest),
        city=shown(listing.location_city or "") if city_key else None,
        city_key=city_key,
        title_key=title_key,
        fuzzy=_line([title_key, *lists[OptionFilter.SUBJECTS].labels, city_key or ""]),
    )


@cache
def index_format() -> str:
    """What tells documents of this code and these options from all others."""
    return f"{FORMAT}-{cas_taxonomy.version()}"


def price_interval(listing: Findable) -> tuple[int | None, int | None]:
    """The lowest and highest price of a listing, both None where it shows none."""
    known = [listing.hourly_rate_min, listing.hourly_rate, listing.hourly_rate_max]
    lowest = listing.hourly_rate if listing.hourly_rate_min is None else listing.hourly_rate_min
    highest = listing.hourly_rate if listing.hourly_rate_max is None else listing.hourly_rate_max
    if lowest is None or highest is None:
        only = next((price for price in known if price is not None), None)
        return only, only
    return min(lowest, highest), max(lowest, highest)


@cache
def price_bands() -> tuple[Band, ...]:
    """The bands of the listing wizard in minor units, the upper bound excluded."""
    entries = cas_taxonomy.offered("rate-bands", Surface.LISTING)
    return tuple(
        ((entry.min or 0) * 100, None if entry.max is None else entry.max * 100) for entry in entries
    )


def _reached_bands(lowest: int | None, highest: int | None) -> int:
    if lowest is None or highest is None:
        return 0
    return sum(
        1 << number
        for number, (start, end) in enumerate(price_bands())
        if highest >= start and (end is None or lowest < end)
    )


def _value_tokens(listing: Findable) -> list[str]:
    trial = [value_token("free_trial", "true")] if listing.free_trial else []
    return [value_token("location_type", listing.location_type), *trial]


# ---- options ----


@dataclass(frozen=True, slots=True)
class _Options:
    """What is made of the values of one list.

    :param key: the ids, those above them included.
    :param labels: what a word may be a misspelling of.
    """

    tokens: tuple[str, ...]
    key: str
    labels: tuple[str, ...]
    words: tuple[str, ...]


@lru_cache(maxsize=_KEPT)
def _options(option_filter: OptionFilter, written: tuple[str, ...]) -> _Options:
    """Entries with those above them, and texts that no list knows."""
    found: dict[str, Entry] = {}
    texts: list[str] = []
    for text in written:
        entry = cas_taxonomy.resolve(option_filter.kind, text) if option_filter.kind else None
        if entry is None:
            texts.append(text)
        else:
            found.update({each.id: each for each in (entry, *ancestors(entry))})
    ids = [option_token(option_filter, each, is_entry=True) for each in found]
    free = [option_token(option_filter, identity(text, kind=None), is_entry=False) for text in texts]
    labels = tuple(folded_line(text) for text in (*(entry.label for entry in found.values()), *texts))
    said = dict.fromkeys((*labels, *map(folded_line, written)))
    return _Options(
        tokens=(*ids, *dict.fromkeys(free)),
        key=",".join(sorted(found)),
        labels=labels,
        words=tuple(word for text in said for word in _searched(text)),
    )


def _label_words(lists: dict[OptionFilter, _Options], tags: Sequence[str]) -> Iterator[str]:
    for option_filter in _WEIGHED_WITH_SUBJECTS:
        yield from lists[option_filter].words
    for tag in tags:
        yield from _searched(tag)


def _body_words(lists: dict[OptionFilter, _Options], texts: str) -> Iterator[str]:
    yield from _searched(texts)
    for option_filter in _WEIGHED_WITH_DESCRIPTION:
        yield from lists[option_filter].words


def _searched(text: str) -> Iterator[str]:
    """What a text is found by: its words, and behind them the concepts that they name."""
    found = [*indexed(text)]
    yield from found
    yield from concepts_in(found)


def _line(found: Iterable[str]) -> str:
    """The words in their order, each at most so many times."""
    seen: dict[str, int] = {}
    kept = []
    for word in found:
        times = seen[word] = seen.get(word, 0) + 1
        if word and times <= MOST_REPEATS:
            kept.append(word)
    return " ".join(kept)
