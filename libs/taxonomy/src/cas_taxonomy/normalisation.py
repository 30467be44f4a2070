"""The form in which two spellings of one option are the same text."""

import unicodedata
from functools import lru_cache

_BECOMES = str.maketrans({"_": " ", "-": " ", "–": " ", "&": " and "})  # noqa: RUF001  # the en dash is meant


@lru_cache(maxsize=4096)  # the same few hundred spellings, again and again
def normalise(text: str) -> str:
    """Fold case, width, punctuation and spacing away; "Games & Activities" becomes "games and activities".

    Letters, accents, digits and ``+`` stay; underscore, hyphen and en dash are spaces, ``&`` is the word "and".
    Normalising twice changes nothing. The rule is docs/spec/domain.md 2.1, "lookup".
    """
    # Decomposed while folding and dropping, composed last: either could otherwise leave a pair that composes.
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    spaced = unicodedata.normalize("NFKD", decomposed).translate(_BECOMES)
    kept = "".join(char for char in spaced if _is_kept(char))
    return unicodedata.normalize("NFKC", " ".join(kept.split()))


def _is_kept(char: str) -> bool:
    return char.isalnum() or char.isspace() or char == "+" or unicodedata.category(char).startswith("M")
