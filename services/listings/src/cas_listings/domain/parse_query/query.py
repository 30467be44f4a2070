"""One sentence as the filters of a search, and as a sentence again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cas_listings.domain.parse_query.fillers import BROWSING, FILLERS
from cas_listings.domain.parse_query.measures import take_measures
from cas_listings.domain.parse_query.options import Options, take_options
from cas_listings.domain.parse_query.places import take_location_type, take_town
from cas_listings.domain.parse_query.prices import Prices, take_free_trial, take_prices
from cas_listings.domain.parse_query.tokens import Sentence, Token, TokenKind
from cas_taxonomy import Entry, Surface, label_for

LONGEST = 500
_NOTHING_RECOGNISED = 0.3
_ONE_KIND, _FURTHER_KIND, _MOST = 0.6, 0.1, 0.95
_PLUS = frozenset({"+", "plus"})
_WAYS = {"online": "online", "in_person": "in person", "hybrid": "online or in person"}


class Intent(StrEnum):
    SEARCH = "search"
    BROWSE = "browse"
    SPECIFIC_REQUEST = "specific_request"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedQuery:
    """What somebody is looking for; every part is a filter that the search accepts.

    :param location: a city; `location_type` as the wire spells it.
    :param prices: pounds per hour.
    :param terms: the words that are left over.
    """

    subjects: tuple[Entry, ...]
    levels: tuple[Entry, ...]
    location: str | None
    location_type: str | None
    prices: Prices
    free_trial_only: bool
    terms: tuple[str, ...]
    intent: Intent
    confidence: float
    sentence: str


def parse_query(text: str, *, cities: tuple[str, ...] = ()) -> ParsedQuery:
    """Read a sentence; never fails, and the same text and cities give the same answer.

    :param cities: those of published listings, beside the towns that are always known.
    """
    sentence = Sentence(text)
    take_measures(sentence)
    options = take_options(sentence)
    location_type = take_location_type(sentence)
    free_trial = take_free_trial(sentence)
    prices = take_prices(sentence)
    town = take_town(sentence, published=cities)
    recognised = [
        bool(part) for part in (options.subjects, options.levels, town, location_type, free_trial)
    ] + [prices != Prices()]
    left = list(sentence.left())
    terms = tuple(_terms(left))
    return ParsedQuery(
        subjects=options.subjects,
        levels=options.levels,
        location=town,
        location_type=location_type,
        prices=prices,
        free_trial_only=free_trial,
        terms=terms,
        intent=_intent(left, recognised),
        confidence=_confidence(sum(recognised)),
        sentence=_interpreted(
            options,
            location_type=location_type,
            town=town,
            prices=prices,
            free_trial=free_trial,
            terms=terms,
        ),
    )


def _labels(entries: Sequence[Entry]) -> tuple[str, ...]:
    return tuple(label_for(entry, Surface.FILTER) for entry in entries)


def _intent(left: Sequence[Token], recognised: Sequence[bool]) -> Intent:
    subject, level, town, _, trial, price = recognised
    if not any(recognised):
        return Intent.BROWSE if any(token.text in BROWSING for token in left) else Intent.SEARCH
    return Intent.SPECIFIC_REQUEST if subject and (level or town or price or trial) else Intent.SEARCH


def _confidence(kinds: int) -> float:
    if not kinds:
        return _NOTHING_RECOGNISED
    return round(min(_ONE_KIND + _FURTHER_KIND * (kinds - 1), _MOST), 2)


def _terms(left: Sequence[Token]) -> Iterator[str]:
    """The words that say something. A number says nothing without what it counts, but 11+ is an exam."""
    for token, following in zip(left, [*left, None][1:], strict=True):
        if token.kind is TokenKind.NUMBER:
            if following is not None and following.text in _PLUS:
                yield f"{token.raw}+"
        elif token.kind is TokenKind.WORD and token.text not in FILLERS:
            yield token.raw


# ---- the sentence ----


def _interpreted(
    options: Options,
    *,
    location_type: str | None,
    town: str | None,
    prices: Prices,
    free_trial: bool,
    terms: Sequence[str],
) -> str:
    """Plain English: "GCSE Mathematics tutors in Leeds up to £30 per hour"."""
    described = [_listed(_labels(each)) for each in (options.levels, options.subjects) if each]
    conditions = [
        *([_WAYS[location_type]] if location_type else []),
        *([f"in {town}"] if town else []),
        *_said_price(prices),
        *(["with a free trial"] if free_trial else []),
    ]
    if described or conditions:
        return " ".join([*(described or ["All"]), "tutors", *conditions])
    return f'Tutors matching "{" ".join(terms)}"' if terms else "All tutors"


def _said_price(prices: Prices) -> Iterator[str]:
    match prices:
        case Prices(lowest=None, highest=None):
            return
        case Prices(lowest=None, highest=float(highest)):
            yield f"up to {_pounds(highest)} per hour"
        case Prices(lowest=float(lowest), highest=None):
            yield f"from {_pounds(lowest)} per hour"
        case Prices(lowest=float(lowest), highest=float(highest)):
            yield f"from {_pounds(lowest)} to {_pounds(highest)} per hour"


def _pounds(amount: float) -> str:
    return f"£{amount:.0f}" if amount.is_integer() else f"£{amount:.2f}"


def _listed(labels: Sequence[str]) -> str:
    """One, "one and another", "one, another and a third"."""
    *others, last = labels
    return f"{', '.join(others)} and {last}" if others else last
