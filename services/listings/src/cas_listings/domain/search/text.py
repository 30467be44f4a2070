"""What somebody types into the search box, as a query that no input can break (docs/spec/domain.md 7.2).

The words that reach the database are letters and digits only; quotes, "or" and leading hyphens are understood here.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cas_listings.domain.folding import words
from cas_listings.domain.search.concepts import UNINDEXED, Phrase, concepts_of, indexed, longest_way

LONGEST = 200
FEW = 5
"""With fewer results than this, misspelt words are taken for what they resemble."""
_SHORTEST_MISSPELT = 3  # letters; every word with the same letter resembles a shorter one
_UNASKED = UNINDEXED | {"a", "as"}
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
_SEPARATORS = str.maketrans(dict.fromkeys(",;/|()[]{}", " "))


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to find, or not to find: these words one after the other, or instead any of the concepts.

    :param concepts: of the options that are written so.
    :param quoted: as it is, and nothing like it.
    """

    phrase: Phrase
    concepts: Sequence[str] = ()
    excluded: bool = False
    quoted: bool = False

    @property
    def may_be_misspelt(self) -> bool:
        """Whether it is none of the words of a list, and long enough to resemble what was meant."""
        is_short = all(len(word) < _SHORTEST_MISSPELT for word in self.phrase)
        return not (self.concepts or self.quoted or self.excluded or is_short)

    @property
    def text(self) -> str:
        """Its words with single spaces between them."""
        return " ".join(self.phrase)

    def expression(self, *, weights: str = "") -> str:
        """The term as a query of its own, wished for also when it is excluded; see `TextQuery.expression`."""
        label = f":{weights}" if weights else ""
        parts = [word + label for word in self.concepts or self.phrase]
        joined = (" | " if self.concepts else " <-> ").join(parts)
        return joined if len(parts) == 1 else f"({joined})"


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
        groups = [
            " & ".join("!" * term.excluded + term.expression(weights=weights) for term in group)
            for group in self.groups
        ]
        return groups[0] if len(groups) == 1 else " | ".join(f"({group})" for group in groups)

    @property
    def may_be_misspelt(self) -> bool:
        """Whether any of its terms may be."""
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
    start = 0
    while start < len(pieces):
        piece = pieces[start]
        option, length = _option_at(pieces, start)
        phrase = option or _asked(piece.words)
        if phrase:
            yield Term(phrase, concepts_of(option), piece.excluded, piece.quoted)
        start += length


def _option_at(pieces: Sequence[_Piece], start: int) -> tuple[Phrase, int]:
    """The words of the option that the pieces from here spell, and how many pieces that takes."""
    if pieces[start].quoted:
        return (), 1
    for length in range(_most_pieces(pieces, start), 0, -1):
        spelled = tuple(
            word for piece in pieces[start : start + length] for word in piece.words if word not in UNINDEXED
        )
        if concepts_of(spelled):
            return spelled, length
    return (), 1


def _most_pieces(pieces: Sequence[_Piece], start: int) -> int:
    """How many pieces from here may spell an option together."""
    length = 1
    while (
        not pieces[start].excluded
        and length < longest_way()
        and start + length < len(pieces)
        and not (pieces[start + length].quoted or pieces[start + length].excluded)
    ):
        length += 1
    return length


def _asked(phrase: Phrase) -> Phrase:
    """A phrase without words that are not indexed; nothing when it is a word that says nothing."""
    kept = tuple(word for word in phrase if word not in UNINDEXED)
    return () if len(kept) == 1 and kept[0] in _UNASKED else kept
