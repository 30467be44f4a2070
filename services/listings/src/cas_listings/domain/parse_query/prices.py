"""What somebody wants to pay per hour, and whether the first lesson shall be free."""

from dataclasses import dataclass

from cas_listings.domain.parse_query.amounts import AND_TO, OR_LESS, OR_MORE, Amount, amount_at, per_hour_end
from cas_listings.domain.parse_query.tokens import Phrases, Sentence

_MARGIN = 0.2  # around 40 is 32 to 48

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
_LESS: Phrases = (("under",), ("below",), ("less", "than"), ("lower", "than"), ("cheaper", "than"))
_MORE: Phrases = (("over",), ("above",), ("more", "than"), ("higher", "than"), ("exceed",), ("exceeding",))
# "No" turns these round, also over some words in between: "I don't want to pay more than £30".
_REFUSALS = _NEGATIONS | {"never", "nothing", "nobody", "cant", "cannot", "dont", "doesnt", "wont"}
_WISHES = {"want", "to", "pay", "spend", "afford", "go", "charging"} | {
    "one",
    "anyone",
    "anybody",
    "anything",
}
_BELOW: Phrases = (("up", "to"), ("max",), ("maximum",), ("at", "most"), ("<",))
_ABOVE: Phrases = (
    ("at", "least"),
    ("from",),
    ("starting", "at"),
    ("starting", "price"),
    ("starts", "at"),
    ("upwards",),
    ("min",),
    ("minimum",),
    (">",),
)
_ROUGHLY = frozenset({"around", "about", "roughly", "approximately", "approx", "circa", "~"})
_AROUND: Phrases = tuple((word,) for word in _ROUGHLY)
_BETWEEN: Phrases = (("between",),)
_PRICE: Phrases = (("price",), ("budget",))
# What may stand between these and the amount and changes nothing: "min. price of just £20", "from about £30".
_OVERLOOKED = (
    _ROUGHLY
    | {".", ":", "=", "of", "is", "just", "only"}
    | {"price", "rate", "cost", "fee", "budget", "hourly"}
)


@dataclass(frozen=True, slots=True)
class Prices:
    """Bounds of a price in pounds, both included."""

    lowest: float | None = None
    highest: float | None = None


def take_free_trial(sentence: Sentence) -> bool:
    """Take the wish for a free trial out of the sentence."""
    is_wished = False
    for position in range(len(sentence.tokens)):
        end = sentence.longest_end(position, _TRIALS)
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
        (_LESS, _less),
        (_MORE, _more),
        (_BELOW, _below),
        (_ABOVE, _above),
        (_PRICE, _named),
    ):
        after = sentence.longest_end(position, phrases)
        amount = None if after is None else amount_at(sentence, _overlooked_end(sentence, after))
        if amount is not None and (amount.is_money or amount.is_price):
            return read(sentence, position, amount)
    amount = amount_at(sentence, position)
    return _bare(sentence, position, amount) if amount is not None and amount.is_money else Prices()


def _overlooked_end(sentence: Sentence, position: int) -> int:
    """Where what changes nothing about a bound ends."""
    while sentence.text_at(position) in _OVERLOOKED:
        position += 1
    return position


# ---- the ways to name a price ----


def _between(sentence: Sentence, start: int, amount: Amount) -> Prices:
    return _range(sentence, start, amount) or Prices()


def _around(sentence: Sentence, start: int, amount: Amount) -> Prices:
    ranged = _range(sentence, start, amount)
    if ranged is not None:
        return ranged
    sentence.take(start, amount.end)
    return Prices(_rounded(amount.value * (1 - _MARGIN)), _rounded(amount.value * (1 + _MARGIN)))


def _less(sentence: Sentence, start: int, amount: Amount) -> Prices:
    refusal = _refusal_at(sentence, start)
    return _below(sentence, start, amount) if refusal is None else _above(sentence, refusal, amount)


def _more(sentence: Sentence, start: int, amount: Amount) -> Prices:
    refusal = _refusal_at(sentence, start)
    return _above(sentence, start, amount) if refusal is None else _below(sentence, refusal, amount)


def _refusal_at(sentence: Sentence, position: int) -> int | None:
    """Where the words begin that turn round what stands here."""
    while sentence.text_at(position - 1) in _WISHES:
        position -= 1
    return position - 1 if sentence.text_at(position - 1) in _REFUSALS else None


def _below(sentence: Sentence, start: int, amount: Amount) -> Prices:
    sentence.take(start, amount.end)
    return Prices(highest=amount.value)


def _above(sentence: Sentence, start: int, amount: Amount) -> Prices:
    """A lower bound, or a range: "from 20 to 30"."""
    ranged = _range(sentence, start, amount)
    if ranged is None:
        sentence.take(start, amount.end)
        return Prices(lowest=amount.value)
    return ranged


def _named(sentence: Sentence, start: int, amount: Amount) -> Prices:
    """A price that is only called one, unless it is a rough one: "budget of about £30"."""
    is_rough = sentence.text_at(amount.start - 1) in _ROUGHLY
    return (_around if is_rough else _bare)(sentence, start, amount)


def _bare(sentence: Sentence, start: int, amount: Amount) -> Prices:
    """A price without a word before it is what somebody has to spend, unless "or more" follows."""
    ranged = _range(sentence, start, amount)
    if ranged is not None:
        return ranged
    for phrases, is_lowest in ((OR_MORE, True), (OR_LESS, False)):
        end = sentence.longest_end(amount.end + (sentence.text_at(amount.end) == "("), phrases)
        if end is not None and not _begins_another(sentence, end):
            sentence.take(start, per_hour_end(sentence, end))
            return Prices(lowest=amount.value) if is_lowest else Prices(highest=amount.value)
    sentence.take(start, amount.end)
    return Prices(highest=amount.value)


def _begins_another(sentence: Sentence, end: int) -> bool:
    """Whether what ends here says something of the number after it: "£30 at least 2 lessons a week"."""
    return sentence.number_at(end + (sentence.text_at(end) == "of")) is not None


def _range(sentence: Sentence, start: int, amount: Amount) -> Prices | None:
    """What "A-B", "A to B" and "between A and B" say, in either order."""
    if sentence.text_at(amount.end) not in AND_TO:
        return None
    other = amount_at(sentence, _overlooked_end(sentence, amount.end + 1))
    if other is None or not other.is_price:
        return None
    sentence.take(start, other.end)
    return Prices(min(amount.value, other.value), max(amount.value, other.value))


def _rounded(pounds: float) -> float:
    return round(pounds, 2)
