"""Subjects and levels in a sentence: every spelling of the taxonomy as whole words, and school years."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cas_taxonomy
from cas_listings.domain.folding import fold
from cas_listings.domain.parse_query.tokens import Sentence
from cas_taxonomy import Entry

_KINDS = ("levels", "subjects")
_OTHER = "other"  # the choice of a form; in a sentence it is only a word
_TWO_LETTERS = 2
_YEARS = frozenset({"year", "years", "yr", "yrs"})
_LAST_YEAR_OF = ((6, "primary"), (9, "ks3"), (11, "gcse"), (13, "a-level"))
_BETWEEN_YEARS = frozenset({"-", "to", "and", "or"})
_OF_AGE = frozenset({"old", "olds"})


@dataclass(frozen=True, slots=True)
class Options:
    """What was recognised, in the order of the sentence."""

    subjects: tuple[Entry, ...]
    levels: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class _Spelling:
    words: tuple[str, ...]
    entry: Entry
    in_capitals: bool


def take_options(sentence: Sentence) -> Options:
    """Take the subjects and levels out of the sentence, the longest spelling first."""
    found: dict[str, dict[str, Entry]] = {kind: {} for kind in _KINDS}
    for position in range(len(sentence.tokens)):
        for entry in _school_years_at(sentence, position):
            found["levels"].setdefault(entry.id, entry)
        entry_here = _option_at(sentence, position)
        if entry_here is not None:
            found[entry_here.kind].setdefault(entry_here.id, entry_here)
    return Options(tuple(found["subjects"].values()), tuple(found["levels"].values()))


def _option_at(sentence: Sentence, position: int) -> Entry | None:
    for spelling in _spellings().get(sentence.text_at(position), ()):
        end = sentence.phrase_end(position, spelling.words)
        if end is None or (spelling.in_capitals and not sentence.tokens[position].raw.isupper()):
            continue
        sentence.take(position, end)
        return spelling.entry
    return None


# ---- school years ----


def _school_years_at(sentence: Sentence, position: int) -> tuple[Entry, ...]:
    """The levels of "year 9", "years 10-11", "Y13"; an age ("9 years old") is none."""
    first, end = _first_year(sentence, position)
    if first is None:
        return ()
    last = first
    if sentence.text_at(end) in _BETWEEN_YEARS:
        after = end + 2 if sentence.text_at(end + 1) in _YEARS else end + 1
        other = _year(sentence.number_at(after))
        if other is not None and sentence.word_at(after + 1) not in _YEARS:
            last, end = other, after + 1
    sentence.take(position, end)
    return tuple(_levels_of(min(first, last), max(first, last)))


def _first_year(sentence: Sentence, position: int) -> tuple[int | None, int]:
    text = sentence.text_at(position)
    if text in _YEARS:
        is_age = sentence.word_at(position + 1) in _OF_AGE
        return (None if is_age else _year(sentence.number_at(position + 1))), position + 2
    if text[:1] == "y" and text[1:].isascii() and text[1:].isdigit():
        return _year(float(text[1:])), position + 1
    return None, position


def _year(number: float | None) -> int | None:
    last = _LAST_YEAR_OF[-1][0]
    return int(number) if number is not None and number.is_integer() and 1 <= number <= last else None


def _levels_of(first: int, last: int) -> Iterator[Entry]:
    from_year = 1
    for until, level in _LAST_YEAR_OF:
        entry = cas_taxonomy.resolve("levels", level)
        if entry is not None and first <= until and last >= from_year:
            yield entry
        from_year = until + 1


# ---- spellings ----


@cache
def _spellings() -> dict[str, tuple[_Spelling, ...]]:
    """Every spelling by its first word, the longest first."""
    by_first: dict[str, list[_Spelling]] = {}
    for spelling in _all_spellings():
        by_first.setdefault(spelling.words[0], []).append(spelling)
    return {
        first: tuple(sorted(each, key=lambda spelling: len(spelling.words), reverse=True))
        for first, each in by_first.items()
    }


def _all_spellings() -> Iterator[_Spelling]:
    for kind in _KINDS:
        for entry in cas_taxonomy.entries(kind):
            if entry.deprecated or entry.id == _OTHER:
                continue
            names = (entry.id, entry.label, *entry.labels.values())
            for text in (*names, *entry.aliases):
                words = tuple(fold(cas_taxonomy.normalise(text)).split())
                is_short = len("".join(words)) == _TWO_LETTERS and text not in names
                yield _Spelling(words, entry, in_capitals=is_short)
