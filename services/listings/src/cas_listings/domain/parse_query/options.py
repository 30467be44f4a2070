"""Subjects and levels in a sentence: every spelling of the taxonomy as whole words, and school years."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from string import digits

import cas_taxonomy
from cas_listings.domain.folding import fold
from cas_listings.domain.parse_query.amounts import AND_TO, TO, amount_at
from cas_listings.domain.parse_query.fillers import FILLERS
from cas_listings.domain.parse_query.tokens import Sentence, TokenKind
from cas_taxonomy import Entry

_KINDS = ("levels", "subjects")
_OTHER = "other"  # the choice of a form; in a sentence it is only a word
_TWO_LETTERS = 2
_YEARS = frozenset({"year", "years", "yr", "yrs"})
_LAST_YEAR_OF = ((6, "primary"), (9, "ks3"), (11, "gcse"), (13, "a-level"))
_BETWEEN_YEARS = AND_TO | {"or", ",", "/"}
_OF_AGE = frozenset({"old", "olds"})
_AFTER_NO_YEAR = _YEARS | {"+", "plus"}  # ages, and the 11+


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
        if end is None or (spelling.in_capitals and not _stands_as_an_alias(sentence, position)):
            continue
        sentence.take(position, end)
        return spelling.entry
    return None


def _stands_as_an_alias(sentence: Sentence, position: int) -> bool:
    """In capitals, and no syllable before a hyphen: RE-SIT is no Religious Education, RE-GCSE is."""
    alias, *hyphenated = sentence.tokens[position : position + 3]
    is_syllable = (
        [token.glued for token in hyphenated] == [True, True]
        and hyphenated[0].text == "-"
        and hyphenated[1].kind is TokenKind.WORD
        and hyphenated[1].text not in FILLERS
        and hyphenated[1].text not in _spellings()
    )
    return alias.raw.isupper() and not is_syllable


# ---- school years ----


def _school_years_at(sentence: Sentence, position: int) -> Iterator[Entry]:
    """The levels of "year 9", "years 7 to 9 and 12", "Y13"; an age ("9 years old") is none."""
    years = set(_years_from(sentence, position))
    from_year = 1
    for until, level in _LAST_YEAR_OF:
        entry = cas_taxonomy.resolve("levels", level)
        if entry is not None and years.intersection(range(from_year, until + 1)):
            yield entry
        from_year = until + 1


def _years_from(sentence: Sentence, position: int) -> Iterator[int]:
    """Every year of the list that begins here, which is taken."""
    year, end = _named_year(sentence, position)
    while year is not None:
        yield year
        sentence.take(position, end)
        before, joint = year, end
        year, end = _further_year(sentence, joint, before=before)
        if year is not None and sentence.text_at(joint) in TO:
            yield from range(min(before, year) + 1, max(before, year))


def _named_year(sentence: Sentence, position: int) -> tuple[int | None, int]:
    """The year that a word or a letter says is one, and where it ends."""
    text = sentence.text_at(position)
    if text in _YEARS:
        is_age = sentence.word_at(position + 1) in _OF_AGE
        return (None if is_age else _year(sentence.number_at(position + 1))), position + 2
    word = text.rstrip(digits)
    if word != text and word in {"y", *_YEARS}:
        return _year(float(text.removeprefix(word))), position + 1
    return None, position


def _further_year(sentence: Sentence, joint: int, *, before: int) -> tuple[int | None, int]:
    """The year that a joint adds to the one before, and where it ends."""
    start = joint
    while sentence.text_at(start) in _BETWEEN_YEARS:
        start += 1
    if start == joint:
        return None, joint
    named = _named_year(sentence, start)
    return named if named[0] is not None else (_bare_year(sentence, start, before=before), start + 1)


def _bare_year(sentence: Sentence, position: int, *, before: int) -> int | None:
    """A number in a list of years; one that counts something is none unless it goes on upwards."""
    amount = amount_at(sentence, position)
    if amount is None or amount.is_money or sentence.word_at(position + 1) in _AFTER_NO_YEAR:
        return None
    return _year(amount.value) if amount.is_price or amount.value > before else None


def _year(number: float | None) -> int | None:
    last = _LAST_YEAR_OF[-1][0]
    return int(number) if number is not None and number.is_integer() and 1 <= number <= last else None


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
