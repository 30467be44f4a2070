"""Options of the taxonomy as single words of the search index, however somebody writes them (docs/adr/0034).

A text that has any way to write an option, in any form of its words, has the option's concept; a query for any of these
ways asks for the concept. So the index answers "KS4" and "key stage 4" with one list.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache

import snowballstemmer

import cas_taxonomy
from cas_listings.domain.folding import words
from cas_taxonomy import Entry

KINDS = ("subjects", "levels", "specializations")
_SAY_NOTHING = """
    an and are at be been but by can for from has have i if in is it its me my of on or our so that the their them they
    this to was we were will with you your
"""
UNINDEXED = frozenset(_SAY_NOTHING.split())
"""Words that say nothing and are left out on both sides. Not "a" and "as": A-Level, AS Level."""
# The zero keeps people's words apart from concepts, and PostgreSQL from stemming them.
_CONCEPT = "{kind:.2}0{id}"
LIKE_CONCEPTS = "__0%"
"""What all concepts are like, and hardly a word of people's, for SQL."""
_NO_LETTER = re.compile(r"[^a-z0-9]")
_STEMS_KEPT = 65_536

Phrase = tuple[str, ...]


def indexed(text: str) -> Iterator[str]:
    """The words of a text under which it is found."""
    return (word for word in words(text) if word not in UNINDEXED)


def ways_to_write(entry: Entry) -> tuple[Phrase, ...]:
    """Every way to write an option, as words; ways that contain a shorter one are left out."""
    phrases = _all_ways(entry)
    single = {phrase[0] for phrase in phrases if len(phrase) == 1}
    return tuple(phrase for phrase in phrases if len(phrase) == 1 or single.isdisjoint(phrase))


def concepts_of(phrase: Phrase) -> Sequence[str]:
    """The concepts of all options that are written like this; none when no option is."""
    return _concepts_by_way().get(phrase, ())


def concepts_in(text: Sequence[str]) -> Iterator[str]:
    """The concepts of all options that these words name, in any form: "mathematical" names mathematics.

    Within a longer way only as they are: "physical education" does not name physics.
    """
    named = [*_named(text)]
    within = {place for start, way, _ in named if len(way) > 1 for place in range(start, start + len(way))}
    for start, way, concepts in named:
        if len(way) > 1 or start not in within or concepts_of((text[start],)):
            yield from concepts


def _named(text: Sequence[str]) -> Iterator[tuple[int, Phrase, Sequence[str]]]:
    """Where ways to write options are, as stems."""
    stems = [_stem(word) for word in text]
    for start, stem in enumerate(stems):
        for way, concepts in _ways_by_first_stem().get(stem, ()):
            if tuple(stems[start : start + len(way)]) == way:
                yield start, way, concepts


@cache
def longest_way() -> int:
    """The most words that somebody writes an option with."""
    # One more than is indexed: "art and design" has a word that is not.
    return max(map(len, _concepts_by_way())) + 1


@cache
def _concepts_by_way() -> Mapping[Phrase, Sequence[str]]:
    found: defaultdict[Phrase, list[str]] = defaultdict(list)
    for kind in KINDS:
        for entry in cas_taxonomy.entries(kind):
            for way in _all_ways(entry):
                found[way].append(_concept(entry))
    return dict(found)


@cache
def _ways_by_first_stem() -> Mapping[str, Sequence[tuple[Phrase, Sequence[str]]]]:
    alike: defaultdict[Phrase, list[str]] = defaultdict(list)
    for way, concepts in _concepts_by_way().items():
        alike[tuple(map(_stem, way))] += concepts
    found: defaultdict[str, list[tuple[Phrase, Sequence[str]]]] = defaultdict(list)
    for stems, concepts in alike.items():
        found[stems[0]].append((stems, tuple(dict.fromkeys(concepts))))
    return dict(found)


def _concept(entry: Entry) -> str:
    return _CONCEPT.format(kind=entry.kind, id=_NO_LETTER.sub("", entry.id))


def _all_ways(entry: Entry) -> list[Phrase]:
    texts = (entry.label, entry.id, *entry.labels.values(), *entry.aliases)
    ways = dict.fromkeys(tuple(indexed(text)) for text in texts)
    return [way for way in ways if way]


@lru_cache(maxsize=_STEMS_KEPT)
def _stem(word: str) -> str:
    # One stemmer must not serve two threads; to make one costs little.
    stem: str = snowballstemmer.stemmer("english").stemWord(word)
    return stem
