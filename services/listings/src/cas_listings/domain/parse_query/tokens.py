"""A sentence cut into words, numbers and signs, and the part of it that nobody has understood yet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cas_listings.domain.folding import fold

Phrases = Sequence[tuple[str, ...]]

MONEY_SIGNS = frozenset("£$€")
_DIGITS = frozenset("0123456789")
_HYPHENS = frozenset("-_‐‑–—")  # noqa: RUF001  every dash that people type between words and numbers
_OVERLOOKED = frozenset("-.")  # between the words of a name: Stoke-on-Trent, St. Albans
_SILENT = frozenset("'’‘")  # noqa: RUF001  master's is masters


class TokenKind(StrEnum):
    WORD = "word"
    NUMBER = "number"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a sentence.

    :param text: folded: lower case, no accents.
    :param raw: as it was written.
    :param glued: no space between it and the piece before.
    """

    kind: TokenKind
    text: str
    raw: str
    glued: bool = False


class Sentence:
    """The pieces of a sentence; whoever understands some takes them, so that nobody reads them twice."""

    def __init__(self, text: str) -> None:
        self.tokens: Sequence[Token] = tuple(_tokens(text))
        self._taken = [False] * len(self.tokens)

    def take(self, start: int, end: int) -> None:
        """Mark the pieces from `start` up to `end` as understood."""
        self._taken[start:end] = [True] * (end - start)

    def is_free(self, position: int) -> bool:
        """Whether there is a piece here that nobody has taken."""
        return 0 <= position < len(self.tokens) and not self._taken[position]

    def text_at(self, position: int) -> str:
        """The free piece here; empty where there is none."""
        return self.tokens[position].text if self.is_free(position) else ""

    def word_at(self, position: int) -> str:
        """The piece here whether or not it is taken; empty beyond the ends."""
        return self.tokens[position].text if 0 <= position < len(self.tokens) else ""

    def number_at(self, position: int) -> float | None:
        """The free number here."""
        if not self.is_free(position) or self.tokens[position].kind is not TokenKind.NUMBER:
            return None
        return float(self.tokens[position].text)

    def phrase_end(self, start: int, phrase: Sequence[str]) -> int | None:
        """Where the phrase ends that begins here, hyphens and points between its words overlooked; None if none."""
        position = start
        for number, word in enumerate(phrase):
            if number and self.text_at(position) in _OVERLOOKED:
                position += 1
            if self.text_at(position) != word:
                return None
            position += 1
        return position

    def longest_end(self, start: int, phrases: Phrases) -> int | None:
        """Where the longest of these phrases ends that begins here; None if none."""
        ends = (self.phrase_end(start, phrase) for phrase in phrases)
        return max((end for end in ends if end is not None), default=None)

    def left(self) -> Iterator[Token]:
        """What nobody has taken."""
        return (token for token, taken in zip(self.tokens, self._taken, strict=True) if not taken)


def _tokens(text: str) -> Iterator[Token]:
    start = 0
    glued = False
    while start < len(text):
        end = _end_of_token(text, start)
        raw = text[start:end]
        if not raw.isspace():
            yield from _token(raw, glued=glued)
        glued = not raw.isspace()
        start = end


def _token(raw: str, *, glued: bool) -> Iterator[Token]:
    if raw[0] in _DIGITS:
        yield Token(TokenKind.NUMBER, raw.replace(",", ""), raw, glued)
    elif raw[0].isalnum():
        folded = "".join(char for char in fold(raw) if char.isalnum())
        if folded:
            yield Token(TokenKind.WORD, folded, raw.replace(".", ""), glued)
    elif raw in _HYPHENS:
        yield Token(TokenKind.SIGN, "-", raw, glued)
    elif raw == "&":
        yield Token(TokenKind.WORD, "and", raw, glued)
    else:
        yield Token(TokenKind.SIGN, raw, raw, glued)


def _end_of_token(text: str, start: int) -> int:
    """Numbers end at a letter, words do not end at a digit: "30ph" is two pieces, "KS3" is one."""
    if text[start] in _DIGITS:
        return _end_of_number(text, start)
    if not text[start].isalnum():
        return start + 1
    end = start + 1
    while end < len(text) and (text[end].isalnum() or _continues_word(text, end)):
        end += 1
    return end


def _end_of_number(text: str, start: int) -> int:
    """Digits, thousands with commas, and a decimal point before further digits."""
    end = start
    seen_point = False
    while end < len(text):
        if text[end] == "." and not seen_point and text[end + 1 : end + 2] in _DIGITS:
            seen_point = True
        elif (text[end] == "," and not _is_thousands(text, end)) or (
            text[end] not in _DIGITS and text[end] != ","
        ):
            break
        end += 1
    return end


def _is_thousands(text: str, comma: int) -> bool:
    group = text[comma + 1 : comma + 4]
    return len(group) == 3 and set(group) <= _DIGITS and text[comma + 4 : comma + 5] not in _DIGITS  # noqa: PLR2004


def _continues_word(text: str, position: int) -> bool:
    """An apostrophe within a word, the points of an abbreviation (P.E.), a mark on a letter."""
    if text[position] in _SILENT:
        return text[position + 1 : position + 2].isalpha()
    if text[position] == ".":
        return _is_single_letter(text, position - 1)
    return not fold(text[position])


def _is_single_letter(text: str, position: int) -> bool:
    """A letter alone between points or spaces; the last point of an abbreviation belongs to it too."""
    before = text[position - 1 : position] if position else ""
    after = text[position + 2 : position + 3]
    alone = text[position].isalpha() and not before.isalnum()
    return alone and (before == "." or after.isalpha()) and not text[position + 3 : position + 4].isalpha()
