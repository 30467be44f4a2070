"""What to try instead when a search finds nothing; only what would find something (docs/spec/domain.md 7.3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from functools import cache, partial

from sqlalchemy.orm import Session

import cas_taxonomy
from cas_listings.domain.folding import words
from cas_listings.domain.search.concepts import KINDS, ways_to_write
from cas_listings.domain.search.facets import Count, related_entries
from cas_listings.domain.search.request import OptionFilter, Search
from cas_listings.domain.search.text import FEW, read_text
from cas_listings.domain.towns import find_town, kilometres_between, towns
from cas_listings.repository import search as index
from cas_listings.repository.facets import count_values
from cas_listings.repository.search import clauses_of
from cas_listings.repository.search_part import Parts
from cas_listings.repository.spelling import Spelling, spelling_of
from cas_taxonomy import Surface, label_for

MOST_NEARBY = 5  # of each kind
FARTHEST = 60.0  # km; beyond it a town is not nearby
_CITIES = 1000
_ALIKE = 0.75  # of difflib's ratio; below it a word is another word
_SHORTEST = 4  # letters; a shorter word resembles too much
_KINDS = {
    OptionFilter.SUBJECTS: "subject",
    OptionFilter.LEVELS: "level",
    OptionFilter.LANGUAGES: "language",
}


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A filter to drop, and how many results there are then."""

    drop: str
    total: int


@dataclass(frozen=True, slots=True)
class Nearby:
    """Another value of a filter, and how many results it has."""

    kind: str
    id: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Advice:
    """What to try instead."""

    did_you_mean: str | None
    relax: Sequence[Relaxation]
    nearby: Sequence[Nearby]


def advise(session: Session, search: Search, *, parts: Parts, most: int, limit: timedelta) -> Advice:
    """What to try instead of a search that finds nothing; what takes too long to look at is left out.

    :param most: results are counted no further.
    :param limit: how long each piece of advice may be looked for.
    """
    within = partial(index.within, session, limit)
    spelling = within(lambda: _spelling(session, search))
    return Advice(
        did_you_mean=within(lambda: _correction(session, search)),
        relax=[
            relaxation
            for name in search.filters
            if (relaxation := within(partial(_relaxed, search.without(name), name, spelling, parts, most)))
        ],
        nearby=[
            *(within(lambda: [*_nearby_options(session, search, parts)]) or ()),
            *(within(lambda: [*_nearby_cities(session, search, parts)]) or ()),
        ],
    )


def _spelling(session: Session, search: Search) -> Spelling | None:
    misspelt = search.text if search.text and search.text.may_be_misspelt else None
    return spelling_of(session, misspelt) if misspelt else None


def _relaxed(
    wider: Search, dropped: str, spelling: Spelling | None, parts: Parts, most: int
) -> Relaxation | None:
    """What a search without one of its filters finds, misspelt words and all."""
    total = parts.count(clauses_of(wider))
    if total < FEW and spelling is not None:
        total = parts.count(clauses_of(wider, spelling=spelling))
    return Relaxation(dropped, min(total, most)) if total else None


# ---- spelling ----


def _correction(session: Session, search: Search) -> str | None:
    """The text with each unknown word replaced by the known one it resembles most."""
    if search.text is None:
        return None
    written = search.text.text.split()
    corrected = [_corrected(piece) for piece in written]
    if corrected == written:
        return None
    text = " ".join(corrected)
    clauses = clauses_of(replace(search, text=read_text(text)))
    return text if index.count_up_to(session, 1, clauses=[*clauses.values()]) else None


def _corrected(piece: str) -> str:
    """One word and the hyphen before it; what is more than a word, or quoted, is meant as it is."""
    found = words(piece)
    if len(found) != 1 or '"' in piece:
        return piece
    known = _known_word(found[0])
    return piece if known == found[0] else "-" * piece.startswith("-") + known


def _known_word(word: str) -> str:
    if len(word) < _SHORTEST or word in _vocabulary():
        return word
    return next(iter(get_close_matches(word, _vocabulary(), n=1, cutoff=_ALIKE)), word)


@cache
def _vocabulary() -> tuple[str, ...]:
    """The words of the taxonomy and of towns."""
    known = dict.fromkeys(
        word
        for kind in KINDS
        for entry in cas_taxonomy.entries(kind)
        for phrase in ways_to_write(entry)
        for word in phrase
    )
    known.update(dict.fromkeys(word for town in towns() for word in words(town.name)))
    return tuple(word for word in known if len(word) >= _SHORTEST)


# ---- neighbours ----


def _nearby_options(session: Session, search: Search, parts: Parts) -> Iterator[Nearby]:
    """Entries above, below and beside the chosen ones."""
    for option_filter, kind in _KINDS.items():
        chosen = [
            entry
            for choice in search.choices(option_filter)
            if (entry := cas_taxonomy.resolve(str(option_filter.kind), choice.value))
        ]
        if chosen:
            counts = {count.value: count.count for count in _counts(session, search, parts, option_filter)}
            others = dict.fromkeys(other for entry in chosen for other in related_entries(entry))
            found = [entry for entry in others if counts.get(entry.id) and entry not in chosen]
            for entry in found[:MOST_NEARBY]:
                yield Nearby(kind, entry.id, label_for(entry, Surface.FILTER), counts[entry.id])


def _nearby_cities(session: Session, search: Search, parts: Parts) -> Iterator[Nearby]:
    """Cities of published listings around the one asked for."""
    here = find_town(search.city or "")
    if here is None:
        return
    around = []
    for count in _counts(session, search, parts, "city"):
        town = find_town(count.value)
        if town is not None and town != here and kilometres_between(here, town) <= FARTHEST:
            around.append((kilometres_between(here, town), count))
    for _, count in sorted(around, key=lambda each: each[0])[:MOST_NEARBY]:
        yield Nearby("city", count.value, count.label or count.value, count.count)


def _counts(session: Session, search: Search, parts: Parts, facet: str) -> Sequence[Count]:
    clauses = clauses_of(search)
    found = count_values(session, [facet], clauses=clauses, parts=parts, most_cities=_CITIES)
    return found.counts[facet]
