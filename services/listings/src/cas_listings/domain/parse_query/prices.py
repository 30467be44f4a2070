"""What somebody wants to pay per hour, and whether the first lesson shall be free."""

from collections.abc import Sequence
from dataclasses import dataclass

from cas_listings.domain.parse_query.tokens import MONEY_SIGNS, Sentence

HIGHEST = 1_000_000  # pounds; a longer number is no price
_MARGIN = 0.2  # around 40 is 32 to 48

Phrases = tuple[tuple[str, ...], ...]

_NEGATIONS = frozenset({"not", "no"})
_TRIALS: Phrases = tuple(
    (*words, noun)
    for words, nouns in {
        ("free",): ("trial", "trials", "lesson", "lessons"),
        ("free", "trial"): ("lesson", "lessons"),
        ("free", "first"): ("lesson",),
        ("trial",): ("lesson", "lessons"),
    }.items()
    for noun in nouns
)
_BELOW: Phrases = (
    ("no", "more", "than"),
    ("not", "more", "than"),
    ("not", "over"),
    ("not", "above"),
    ("under",),
    ("below",),
    ("less", "than"),
    ("up", "to"),
    ("max",),
    ("maximum",),
    ("at", "most"),
    ("cheaper", "than"),
)
_ABOVE: Phrases = (
    ("no", "less", "than"),
    ("not", "less", "than"),
    ("not", "under"),
    ("not", "below"),
    ("over",),
    ("above",),
    ("more", "than"),
    ("at", "least"),
    ("from",),
    ("min",),
    ("minimum",),
)
_AROUND: Phrases = (("around",), ("about",), ("roughly",))
_BETWEEN: Phrases = (("between",),)
_OR_LESS: Phrases = (("max",), ("maximum",), ("or", "less"), ("or", "under"), ("or", "below"))
_OR_MORE: Phrases = (("or", "more"), ("or", "over"), ("or", "above"), ("minimum",), ("plus",), ("+",))
_AND_TO = frozenset({"and", "to", "-"})
_CURRENCIES = frozenset({"gbp", "pound", "pounds", "quid"})
_PER_HOUR: Phrases = (
    ("an", "hour"),
    ("per", "hour"),
    ("/", "hr"),
    ("/", "hour"),
    ("/", "h"),
    ("a", "hour"),
    ("each", "hour"),
    ("per", "hr"),
    ("p", "/", "h"),
    ("ph",),
    ("hourly",),
)
# What follows a number that counts something else.
_UNITS = """
    year years yr yrs month months week weeks day days hour hours hr hrs h minute minutes min mins am pm
    lesson lessons session sessions student students pupil pupils person people child children kid kids
    time times mile miles km s st nd rd th
"""
_OTHER_UNITS = frozenset(_UNITS.split())


@dataclass(frozen=True, slots=True)
class Prices:
    """Bounds of a price in pounds, both included."""

    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number that may be a price.

    :param is_money: a currency or "per hour" stands with it.
    :param is_price: nothing with it speaks against it.
    """

    value: float
    start: int
    end: int
    is_money: bool
    is_price: bool


def take_free_trial(sentence: Sentence) -> bool:
    """Take the wish for a free trial out of the sentence."""
    is_wished = False
    for position in range(len(sentence.tokens)):
        end = _longest(sentence, position, _TRIALS)
        if end is not None:
            is_negated = sentence.text_at(position - 1) in _NEGATIONS
            sentence.take(position - is_negated, end)
            is_wished = is_wished or not is_negated
    return is_wished


def take_prices(sentence: Sentence) -> Prices:
    """Take every price out of the sentence; bounds that are named the wrong way round are put in order."""
    lowest = highest = None
    for position in range(len(sentence.tokens)):
        found = _prices_at(sentence, position)
        lowest = found.lowest if found.lowest is not None else lowest
        highest = found.highest if found.highest is not None else highest
    if lowest is not None and highest is not None and lowest > highest:
        lowest, highest = highest, lowest
    return Prices(lowest, highest)


def _prices_at(sentence: Sentence, position: int) -> Prices:
    for phrases, read in (
        (_BETWEEN, _between),
        (_AROUND, _around),
        (_BELOW, _below),
        (_ABOVE, _above),
        (((),), _bare),
    ):
        after = _longest(sentence, position, phrases)
        amount = None if after is None else _amount_at(sentence, after)
        if amount is not None and (amount.is_money or (amount.is_price and phrases != ((),))):
            return read(sentence, position, amount)
    return Prices()


# ---- the ways to name a price ----


def _between(sentence: Sentence, start: int, amount: _Amount) -> Prices:
    return _range(sentence, start, amount) or Prices()


def _around(sentence: Sentence, start: int, amount: _Amount) -> Prices:
    sentence.take(start, amount.end)
    return Prices(_rounded(amount.value * (1 - _MARGIN)), _rounded(amount.value * (1 + _MARGIN)))


def _below(sentence: Sentence, start: int, amount: _Amount) -> Prices:
    sentence.take(start, amount.end)
    return Prices(highest=amount.value)


def _above(sentence: Sentence, start: int, amount: _Amount) -> Prices:
    """A lower bound, or a range: "from 20 to 30"."""
    ranged = _range(sentence, start, amount)
    if ranged is None:
        sentence.take(start, amount.end)
        return Prices(lowest=amount.value)
    return ranged


def _bare(sentence: Sentence, start: int, amount: _Amount) -> Prices:
    """A price without a word before it is what somebody has to spend, unless "or more" follows."""
    ranged = _range(sentence, start, amount)
    if ranged is not None:
        return ranged
    for phrases, is_lowest in ((_OR_MORE, True), (_OR_LESS, False)):
        end = _longest(sentence, amount.end, phrases)
        if end is not None:
            sentence.take(start, _per_hour_end(sentence, end))
            return Prices(lowest=amount.value) if is_lowest else Prices(highest=amount.value)
    sentence.take(start, amount.end)
    return Prices(highest=amount.value)


def _range(sentence: Sentence, start: int, amount: _Amount) -> Prices | None:
    """What "A-B", "A to B" and "between A and B" say, in either order."""
    if sentence.text_at(amount.end) not in _AND_TO:
        return None
    other = _amount_at(sentence, amount.end + 1)
    if other is None or not other.is_price:
        return None
    sentence.take(start, other.end)
    return Prices(min(amount.value, other.value), max(amount.value, other.value))


# ---- amounts ----


def _amount_at(sentence: Sentence, start: int) -> _Amount | None:
    """The number here, with the signs and words of money around it."""
    is_signed = sentence.text_at(start) in MONEY_SIGNS or sentence.text_at(start) in _CURRENCIES
    value = sentence.number_at(start + is_signed)
    if value is None or value > HIGHEST:
        return None
    after = start + is_signed + 1
    end = after + (sentence.text_at(after) in _CURRENCIES or sentence.text_at(after) in MONEY_SIGNS)
    last = _per_hour_end(sentence, end)
    is_money = is_signed or last > after
    return _Amount(
        value=value,
        start=start,
        end=last,
        is_money=(is_money or _ends_as_money(sentence, after)) and not _is_age(sentence, after),
        is_price=is_money or not _counts_something(sentence, after),
    )


def _ends_as_money(sentence: Sentence, after: int) -> bool:
    """Whether this is the lower end of a range, or has a "+", before what makes it money: "20-30 pounds"."""
    if sentence.text_at(after) == "+":
        return _per_hour_end(sentence, after + 1) > after + 1
    if sentence.text_at(after) not in _AND_TO:
        return False
    other = _amount_at(sentence, after + 1)
    return other is not None and other.is_money


def _per_hour_end(sentence: Sentence, position: int) -> int:
    return _longest(sentence, position, _PER_HOUR) or position


def _counts_something(sentence: Sentence, after: int) -> bool:
    """Lessons, minutes, years, the 11+: whatever the number counts, it is not money."""
    return sentence.word_at(after) in _OTHER_UNITS or sentence.word_at(after) == "+"


def _is_age(sentence: Sentence, after: int) -> bool:
    return sentence.word_at(after) in {"year", "years"}


def _longest(sentence: Sentence, position: int, phrases: Sequence[tuple[str, ...]]) -> int | None:
    """Where the longest of these phrases ends that begins here."""
    ends = (sentence.phrase_end(position, phrase) for phrase in phrases)
    return max((end for end in ends if end is not None), default=None)


def _rounded(pounds: float) -> float:
    return round(pounds, 2)
