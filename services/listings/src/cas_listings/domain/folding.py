"""The form in which texts are searched: without case, accents and punctuation (docs/adr/0027)."""

import re
import unicodedata

# Letters that are no base letter with a mark, and so survive decomposition; casefold has made ß into ss.
_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i"}  # noqa: RUF001
)
_SPELLED = str.maketrans({"&": " and ", "'": None, "’": None, "‘": None})  # noqa: RUF001  the typographic ones
_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Lower case without accents, width or ligatures: "Café" is "cafe". Folding twice changes nothing."""
    if text.isascii():
        return text.lower()  # what the rest would make of it, and most texts are
    # Twice decomposed: folding case can compose what was taken apart.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(char for char in decomposed if not _is_mark(char)).translate(_LETTERS)


def words(text: str) -> list[str]:
    """The words of a text, folded: runs of letters and digits, "&" spelled out, apostrophes left away.

    Nothing else of the text is left, so a word can stand in a search query without being quoted.
    """
    return _WORD.findall(fold(text.translate(_SPELLED)))


def folded_line(text: str) -> str:
    """The words of a text with single spaces between them."""
    return " ".join(words(text))


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in {"Mn", "Me"}
