"""A listing's readable address (docs/spec/domain.md 6.5)."""

import unicodedata
from collections.abc import Iterator
from uuid import UUID

from anyascii import anyascii

LONGEST = 80
NOTHING_LEFT = "listing"
_DIGITS = (8, 12, 32)  # of the id; more than eight only when a slug belongs to another listing


def slugs(title: str, listing_id: UUID) -> Iterator[str]:
    """The addresses this listing may have, in order of preference; the last one is nobody else's."""
    name = slug_name(title)
    for digits in _DIGITS:
        yield f"{name}-{listing_id.hex[:digits]}"


def slug_name(title: str) -> str:
    """The part of the address that the title decides: lower case, letters and digits of ASCII, hyphens between."""
    unmarked = "".join(
        char for char in unicodedata.normalize("NFKD", title) if not unicodedata.combining(char)
    )
    words = "".join(char if char.isalnum() else " " for char in anyascii(unmarked).lower()).split()
    return _cut_at_word(words) or NOTHING_LEFT


def _cut_at_word(words: list[str]) -> str:
    name = "-".join(words)
    if len(name) <= LONGEST:
        return name
    return name[: name.rfind("-", 0, LONGEST + 1)] if "-" in name[: LONGEST + 1] else name[:LONGEST]
