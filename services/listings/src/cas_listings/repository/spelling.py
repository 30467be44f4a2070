"""Words that many listings use, which misspelt ones may stand for (docs/adr/0033)."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from sqlalchemy import text
from sqlalchemy.orm import Session

from cas_listings.domain.search.concepts import LIKE_CONCEPTS
from cas_listings.domain.search.text import TextQuery

Spelling = Mapping[str, Sequence[str]]
"""For each word that may be misspelt those that it may stand for; none where only the listings can tell."""

# A longer text is no search for one misspelt thing; its further words are taken as they are written.
_MOST_WORDS = 8
# Of its title and labels a listing's words are in the statistics when many have them, and so are their stems.
_COMMON_WORDS = text(
    """
    WITH common AS MATERIALIZED (
        SELECT word
        FROM pg_stats CROSS JOIN LATERAL unnest(most_common_elems::text::text[]) AS word
        WHERE schemaname = current_schema() AND tablename = 'listing_search' AND attname = 'head'
          AND word NOT LIKE :concepts
    )
    SELECT typed, ARRAY(
        SELECT word FROM common WHERE similarity(word, typed) >= :alike
        ORDER BY similarity(word, typed) DESC, word LIMIT :most
    ) AS words
    FROM unnest(CAST(:typed AS text[])) AS typed
    """
)
_ALIKE = 0.3  # of the trigrams of both words; two letters swapped leave as many
_MOST_ALIKE = 4


def spelling_of(session: Session, query: TextQuery) -> Spelling:
    """What the words of a text may stand for, by what ANALYZE learnt of the listings."""
    typed = [*islice(dict.fromkeys(_misspelt(query)), _MOST_WORDS)]
    asked = {"typed": typed, "alike": _ALIKE, "most": _MOST_ALIKE, "concepts": LIKE_CONCEPTS}
    found = {row.typed: row.words for row in session.execute(_COMMON_WORDS, asked)}
    # A word that many use is no misspelling of another.
    return {word: [word] if word in words else words for word, words in found.items()}


def _misspelt(query: TextQuery) -> Iterable[str]:
    return (term.text for group in query.groups for term in group if term.may_be_misspelt)
