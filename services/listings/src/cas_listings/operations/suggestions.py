"""Suggesting what to search for while somebody types (docs/spec/domain.md 7.4)."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy.orm import Session

from cas_listings.domain.search.request import OptionFilter, option_token
from cas_listings.domain.search.suggestions import (
    SHORTEST,
    Nearness,
    Suggestion,
    SuggestRequest,
    arranged,
    label_of,
    near_entries,
    type_of,
)
from cas_listings.repository import search as index
from cas_listings.repository.suggestions import (
    count_tokens,
    list_cities,
    list_cities_of_listings,
    list_titles,
)

MOST_COUNTED = 1000  # listings of an option are counted up to here: somebody is typing
MOST_IN_CITY = 5000  # more of them, as the most frequent city comes first
MOST_CITIES = 5000
# Letters. With fewer there is no index to find them within a text, and only beginnings are suggested.
_TRIGRAM = 3


def suggest(session: Session, *, request: SuggestRequest, timeout: timedelta) -> list[Suggestion]:
    """What may be meant by what was typed: options of the taxonomy, cities and titles of published listings.

    :param session: with nothing asked yet.
    :raises Unavailable: it takes too long.
    """
    if len(request.typed) < SHORTEST:
        return []
    index.begin(session, timeout=timeout)
    found = list(_options(session, request))
    for nearness in Nearness:
        if sum(each.nearness < nearness for each in found) >= request.limit:
            break
        if nearness is Nearness.PREFIX or len(request.typed) >= _TRIGRAM:
            found += list_cities(session, request.typed, nearness, most=MOST_IN_CITY, limit=request.limit)
            found += list_titles(session, request.typed, nearness, limit=request.limit)
    return arranged(found, limit=request.limit)


def known_cities(session: Session, *, timeout: timedelta) -> tuple[str, ...]:
    """The cities of published listings, for whoever reads sentences."""
    index.begin(session, timeout=timeout)
    return tuple(list_cities_of_listings(session, most=MOST_CITIES))


def _options(session: Session, request: SuggestRequest) -> Iterator[Suggestion]:
    near = near_entries(request.typed)[: request.limit]
    tokens = {
        each: option_token(OptionFilter(each.entry.kind), each.entry.id, is_entry=True) for each in near
    }
    counts = count_tokens(session, list(tokens.values()), most=MOST_COUNTED)
    for each, token in tokens.items():
        yield Suggestion(
            type_of(each.entry), each.entry.id, label_of(each.entry), counts[token], each.nearness
        )
