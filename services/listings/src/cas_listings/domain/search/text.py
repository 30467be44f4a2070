"""What somebody types into the search box, as a query that no input can break (docs/spec/domain.md 7.2).

The words that reach the database are letters and digits only; quotes, "or" and leading hyphens are understood here.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import cas_taxonomy
from cas_listings.domain.folding import words
from cas_taxonomy import Entry

LONGEST = 200
# Enough for any wish; without it, a text of one alias after the other makes a query of thousands of words.
MOST_EXPANDED = 8
KINDS = ("subjects", "levels", "specializations")
_SAY_NOTHING = """
    an and are at be been but by can for from has have i if in is it its me my of on or our so that the their them they
    this to was we were will with you your
"""
UNINDEXED = frozenset(_SAY_NOTHING.split())
"""Words that say nothing and are left out on both sides. Not "a" and "as": A-Level, AS Level."""
_UNASKED = UNINDEXED | {"a", "as"}
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
_SEPARATORS = str.maketrans(dict.fromkeys(",;/|()[]{}", " "))

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to find, or not to find: any of these phrases.

    :param quoted: as it is, and nothing like it.
    """

    phrases: tuple[Phrase, ...]
    excluded: bool = False
    quoted: bool = False

    @property
    def may_be_misspelt(self) -> bool:
        """Whether it is none of the words of a list."""
        return len(self.phrases) == 1 and not (self.quoted or self.excluded)


@dataclass(frozen=True, slots=True)
class TextQuery:
    """Groups of terms: a listing is found when all terms of any group apply.

    :param text: as it was typed, without what cannot be shown.
    """

    text: str
    groups: tuple[tuple[Term, ...], ...]

    def expression(self, *, weights: str = "") -> str:
        """The query in the language of PostgreSQL's `to_tsquery`.

        :param weights: letters of the parts of a document to look at; all when empty.
        """
        label = f":{weights}" if weights else ""
        groups = [" & ".join(_expression(term, label) for term in group) for group in self.groups]
        return groups[0] if len(groups) == 1 else " | ".join(f"({group})" for group in groups)

    @property
    def may_be_misspelt(self) -> bool:
        """Whether it has words that are not those of a list."""
        return any(term.may_be_misspelt for group in self.groups for term in group)

    def wished(self) -> list[list[Term]]:
        """The terms to find, group by group; a group that only excludes is left out."""
        groups = ([term for term in group if not term.excluded] for group in self.groups)
        return [group for group in groups if group]


def read_text(text: str) -> TextQuery | None:
    """The query of a text of any kind; None when it says nothing that could be looked for."""
    groups = tuple(group for group in _groups(text) if group)
    return TextQuery(shown(text), groups) if groups else None


def shown(text: str) -> str:
    """A text as it can be shown again: NFC, single spaces, without control characters and broken halves of others."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(unicodedata.normalize("NFC", printable).split())


def indexed(text: str) -> Iterator[str]:
    """The words of a text under which it is found."""
    return (word for word in words(text) if word not in UNINDEXED)


def spellings(entry: Entry) -> tuple[Phrase, ...]:
    """Every way to write an option, as words; ways that contain a shorter one are left out."""
    phrases = _all_ways(entry)
    single = {phrase[0] for phrase in phrases if len(phrase) == 1}
    return tuple(phrase for phrase in phrases if len(phrase) == 1 or single.isdisjoint(phrase))


# ---- reading ----


@dataclass(frozen=True, slots=True)
class _Piece:
    """Words that were written together; `quoted` keeps them from being widened."""

    words: Phrase
    excluded: bool
    quoted: bool


def _groups(text: str) -> Iterator[tuple[Term, ...]]:
    group: list[_Piece] = []
    for piece in _pieces(text):
        if piece.words == ("or",) and not (piece.quoted or piece.excluded):
            yield tuple(_terms(group))
            group = []
        else:
            group.append(piece)
    yield tuple(_terms(group))


def _pieces(text: str) -> Iterator[_Piece]:
    """What stands between quotes, and what stands between spaces outside of them; an odd quote is none."""
    parts = text.translate(_QUOTES).split('"')
    if len(parts) % 2 == 0:
        parts[-2:] = [" ".join(parts[-2:])]
    for number, part in enumerate(parts):
        if number % 2:
            yield _Piece(tuple(indexed(part)), _excludes_next(parts[number - 1]), quoted=True)
        else:
            for written in part.translate(_SEPARATORS).split():
                yield _Piece(tuple(words(written)), _is_excluded(written), quoted=False)


def _is_excluded(written: str) -> bool:
    """One hyphen right before a word; a run of them is decoration."""
    return written[0] == "-" and written[1:2].isalnum()


def _excludes_next(part: str) -> bool:
    """One hyphen right before a quote."""
    return part.endswith("-") and part.rsplit(maxsplit=1)[-1] == "-"


# ---- terms ----


def _terms(pieces: Sequence[_Piece]) -> Iterator[Term]:
    start = expanded = 0
    while start < len(pieces):
        piece = pieces[start]
        option, length = _option_at(pieces, start) if expanded < MOST_EXPANDED else ((), 1)
        if option:
            expanded += 1
            yield Term(option, piece.excluded)
        elif phrase := _asked(piece.words):
            yield Term((phrase,), piece.excluded, piece.quoted)
        start += length


def _option_at(pieces: Sequence[_Piece], start: int) -> tuple[tuple[Phrase, ...], int]:
    """All spellings of the option that the pieces from here spell, and how many pieces that takes."""
    if pieces[start].quoted:
        return (), 1
    for length in range(_most_pieces(pieces, start), 0, -1):
        spelled = tuple(
            word for piece in pieces[start : start + length] for word in piece.words if word not in UNINDEXED
        )
        if spelled in _options():
            return _options()[spelled], length
    return (), 1


def _most_pieces(pieces: Sequence[_Piece], start: int) -> int:
    """How many pieces from here may spell an option together."""
    length = 1
    while (
        not pieces[start].excluded
        and length < _longest_option()
        and start + length < len(pieces)
        and not (pieces[start + length].quoted or pieces[start + length].excluded)
    ):
        length += 1
    return length


def _asked(phrase: Phrase) -> Phrase:
    """A phrase without words that are not indexed; nothing when it is a word that says nothing."""
    kept = tuple(word for word in phrase if word not in UNINDEXED)
    return () if len(kept) == 1 and kept[0] in _UNASKED else kept


@cache
def _options() -> dict[Phrase, tuple[Phrase, ...]]:
    """From each spelling of an option to all of its spellings, across kinds."""
    found: dict[Phrase, tuple[Phrase, ...]] = {}
    for kind in KINDS:
        for entry in cas_taxonomy.entries(kind):
            ways = spellings(entry)
            for way in _all_ways(entry):
                found[way] = tuple(dict.fromkeys((*found.get(way, ()), *ways)))
    return found


def _all_ways(entry: Entry) -> list[Phrase]:
    texts = (entry.label, entry.id, *entry.labels.values(), *entry.aliases)
    ways = dict.fromkeys(tuple(indexed(text)) for text in texts)
    return [way for way in ways if way]


@cache
def _longest_option() -> int:
    # One more than its words: "art and design" has a word that is not indexed.
    return max(len(way) for way in _options()) + 1


# ---- writing ----


def _expression(term: Term, label: str) -> str:
    phrases = [_phrase(phrase, label) for phrase in term.phrases]
    either = phrases[0] if len(phrases) == 1 else f"({' | '.join(phrases)})"
    return f"!{either}" if term.excluded else either


def _phrase(phrase: Phrase, label: str) -> str:
    followed = " <-> ".join(word + label for word in phrase)
    return followed if len(phrase) == 1 else f"({followed})"
