"""Where lessons shall take place: a town, and whether online or in person."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cas_listings.domain.folding import words
from cas_listings.domain.parse_query.fillers import FILLERS
from cas_listings.domain.parse_query.tokens import Sentence, TokenKind
from cas_listings.domain.towns import towns

_BEFORE_A_PLACE = frozenset({"in", "near", "around", "at", "from"})
_NEGATIONS = frozenset({"not", "no"})
_ONLINE, _IN_PERSON, _HYBRID = "online", "in_person", "hybrid"
_LOCATION_TYPES = {
    ("online",): _ONLINE,
    ("remote",): _ONLINE,
    ("remotely",): _ONLINE,
    ("virtual",): _ONLINE,
    ("virtually",): _ONLINE,
    ("zoom",): _ONLINE,
    ("in", "person"): _IN_PERSON,
    ("face", "to", "face"): _IN_PERSON,
    ("at", "home"): _IN_PERSON,
    ("hybrid",): _HYBRID,
}
_REMEMBERED = 8  # lists of published cities whose names are kept cut into words

Names = Mapping[str, Sequence["_Name"]]


@dataclass(frozen=True, slots=True)
class _Name:
    """One spelling of a town, and what it is called in the answer."""

    words: tuple[str, ...]
    label: str
    is_word: bool


# ---- towns ----


def take_town(sentence: Sentence, *, published: tuple[str, ...]) -> str | None:
    """Take the first town out of the sentence wherever it is named, with the preposition before it.

    :param published: cities of published listings, which are known beside the list of towns.
    """
    names = _names(published)
    found: str | None = None
    for position in range(len(sentence.tokens)):
        for name in names.get(sentence.text_at(position), ()):
            end = sentence.phrase_end(position, name.words)
            if end is None or (name.is_word and not _stands_as_a_place(sentence, position, end)):
                continue
            if found in {None, name.label}:
                is_led = sentence.text_at(position - 1) in _BEFORE_A_PLACE
                sentence.take(position - is_led, end)
                found = name.label
            break
    return found


def _stands_as_a_place(sentence: Sentence, start: int, end: int) -> bool:
    """Reading and Bath are towns after "in" and the like, or as the last word."""
    rest = sentence.tokens[end:]
    is_last = all(token.kind is TokenKind.SIGN for token in rest)
    return is_last or sentence.word_at(start - 1) in _BEFORE_A_PLACE


@lru_cache(maxsize=_REMEMBERED)
def _names(published: tuple[str, ...]) -> Names:
    """Every name by its first word, the longest first; the list of towns knows a name better than a listing does."""
    known: dict[tuple[str, ...], _Name] = {}
    for name in (*_listed_names(), *_published_names(published)):
        if name.words:
            known.setdefault(name.words, name)
    by_first: dict[str, list[_Name]] = {}
    for name in sorted(known.values(), key=lambda name: len(name.words), reverse=True):
        by_first.setdefault(name.words[0], []).append(name)
    return by_first


def _listed_names() -> Iterator[_Name]:
    for town in towns():
        for spelling in (town.name, *town.aliases):
            yield _Name(tuple(words(spelling)), town.name, town.is_word)


def _published_names(cities: Sequence[str]) -> Iterator[_Name]:
    """Anybody may call a city anything, so these have to stand where a place does."""
    for city in cities:
        name = tuple(words(city))
        if not FILLERS.issuperset(name):
            yield _Name(name, city, is_word=True)


# ---- online or in person ----


def take_location_type(sentence: Sentence) -> str | None:
    """Take every word on how lessons are given out of the sentence; what follows "not" or "no" is no wish."""
    wished = set()
    for position in range(len(sentence.tokens)):
        for phrase, location_type in _LOCATION_TYPES.items():
            end = sentence.phrase_end(position, phrase)
            if end is None:
                continue
            is_negated = sentence.text_at(position - 1) in _NEGATIONS
            sentence.take(position - is_negated, end)
            if not is_negated:
                wished.add(location_type)
    if not wished:
        return None
    return wished.pop() if len(wished) == 1 else _HYBRID
