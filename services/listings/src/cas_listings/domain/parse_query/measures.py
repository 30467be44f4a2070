"""Numbers that measure something other than money: times of day, durations, distances, percentages."""

from cas_listings.domain.parse_query.amounts import AND_TO, CURRENCIES, TO
from cas_listings.domain.parse_query.tokens import MONEY_SIGNS, Phrases, Sentence

_UNITS = "am pm oclock min mins minute minutes h hr hrs hour hours % percent mile miles km"
_MEASURED: Phrases = (*((unit,) for unit in _UNITS.split()), ("per", "cent"), ("+", "years"), ("+", "yrs"))
_OF_THE_DAY: Phrases = tuple(("in", "the", part) for part in ("morning", "afternoon", "evening"))
_NOON = 12
_DIGITS_OF_MINUTES = 2
# What has its number already: "year 9 - 4pm", "£25 min".
_HAVE_A_NUMBER = MONEY_SIGNS | CURRENCIES | {"year", "years", "yr", "yrs", "stage", "level", "grade"}


def take_measures(sentence: Sentence) -> None:
    """Take them out of the sentence, so that nobody reads a price or a school year into them."""
    for position in range(len(sentence.tokens)):
        end = _range_end(sentence, position) or _measure_end(sentence, position)
        if end is not None and sentence.text_at(position - 1) not in _HAVE_A_NUMBER:
            sentence.take(position, end)


def _range_end(sentence: Sentence, start: int) -> int | None:
    """Where a range ends whose unit stands only at its end: "4-6pm", "80 to 90%"; a time may go past noon."""
    lower, upper = sentence.number_at(start), sentence.number_at(start + 2)
    joints = AND_TO if sentence.text_at(start - 1) == "between" else TO
    if lower is None or upper is None or sentence.text_at(start + 1) not in joints:
        return None
    return _measure_end(sentence, start + 2) if lower <= max(upper, _NOON) else None


def _measure_end(sentence: Sentence, start: int) -> int | None:
    """Where a number ends that has a unit or is a time like 16:00."""
    number = sentence.number_at(start)
    if number is None:
        return None
    clock = _clock_end(sentence, start)
    units = (*_MEASURED, *_OF_THE_DAY) if number <= _NOON else _MEASURED
    return sentence.longest_end(clock or start + 1, units) or clock


def _clock_end(sentence: Sentence, start: int) -> int | None:
    """Where the minutes end, which are two digits right after the colon: 1:1 is no time."""
    following = sentence.tokens[start + 1 : start + 3]
    if [token.text for token in following[:1]] != [":"] or not all(token.glued for token in following):
        return None
    is_minutes = sentence.number_at(start + 2) is not None and len(following[1].raw) == _DIGITS_OF_MINUTES
    return start + 3 if is_minutes else None
