"""Numbers that may be a price: with signs and words of money around them, and not counting something else."""

from dataclasses import dataclass, replace

from cas_listings.domain.parse_query.tokens import MONEY_SIGNS, Phrases, Sentence

TO = frozenset({"to", "-"})
AND_TO = TO | {"and"}
HIGHEST = 1_000_000  # pounds; a longer number is no price

CURRENCIES = frozenset({"gbp", "pound", "pounds", "quid"})
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
OR_LESS: Phrases = (
    ("max",),
    ("maximum",),
    ("tops",),
    ("at", "most"),
    *((joint, word) for joint in ("or", "and") for word in ("less", "under", "below", "lower", "cheaper")),
)
OR_MORE: Phrases = (
    ("min",),
    ("minimum",),
    ("plus",),
    ("+",),
    ("upwards",),
    ("at", "least"),
    *(
        (joint, word)
        for joint in ("or", "and")
        for word in ("more", "over", "above", "higher", "up", "upwards")
    ),
)
# What follows a number that counts something; measures are taken before.
_UNITS = """
    year years yr yrs month months week weeks day days lesson lessons session sessions student students
    pupil pupils person people child children kid kids time times star stars rating s st nd rd th
"""
_OTHER_UNITS = frozenset(_UNITS.split())


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that may be a price.

    :param is_money: a currency or "per hour" stands with it.
    :param is_price: nothing with it speaks against it.
    """

    value: float
    start: int
    end: int
    is_money: bool
    is_price: bool


def amount_at(sentence: Sentence, start: int) -> Amount | None:
    """The number here, with the signs and words of money around it."""
    amount = _amount_alone(sentence, start)
    if amount is None or amount.is_money:
        return amount
    return replace(amount, is_money=_ends_as_money(sentence, amount.end))


def _amount_alone(sentence: Sentence, start: int) -> Amount | None:
    """Without a look at the other end of a range, so that "1-1-1-1..." is read once and not once a number."""
    is_signed = sentence.text_at(start) in MONEY_SIGNS or sentence.text_at(start) in CURRENCIES
    value = sentence.number_at(start + is_signed)
    if value is None or value > HIGHEST:
        return None
    after = start + is_signed + 1
    last = per_hour_end(sentence, _currency_end(sentence, after))
    is_money = is_signed or last > after
    return Amount(
        value=value,
        start=start,
        end=last,
        is_money=is_money and not _is_age(sentence, after),
        is_price=is_money or not _counts_something(sentence, after),
    )


def _currency_end(sentence: Sentence, position: int) -> int:
    """A sign before another number is that number's: "2025 £30"."""
    is_sign = sentence.text_at(position) in MONEY_SIGNS and sentence.number_at(position + 1) is None
    return position + (is_sign or sentence.text_at(position) in CURRENCIES)


def _ends_as_money(sentence: Sentence, after: int) -> bool:
    """Whether a bound, or the upper end of a range, parts it from what makes it money: "20+ an hour", "20-30 quid"."""
    bound = sentence.longest_end(after, (*OR_LESS, *OR_MORE))
    if bound is not None:
        return per_hour_end(sentence, bound) > bound
    if sentence.text_at(after) not in AND_TO:
        return False
    other = _amount_alone(sentence, after + 1)
    return other is not None and other.is_money


def per_hour_end(sentence: Sentence, position: int) -> int:
    return sentence.longest_end(position, _PER_HOUR) or position


def _counts_something(sentence: Sentence, after: int) -> bool:
    """Lessons, weeks, years, the 11+, also at the end of a range: whatever the number counts, it is not money."""
    if sentence.text_at(after) in TO and sentence.number_at(after + 1) is not None:
        after += 2
    return sentence.word_at(after) in _OTHER_UNITS or sentence.word_at(after) == "+"


def _is_age(sentence: Sentence, after: int) -> bool:
    return sentence.word_at(after) in {"year", "years"}
