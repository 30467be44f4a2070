"""Times of day as minutes since midnight."""

import re

MIDNIGHT = 24 * 60  # the end of a day
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?: ?([AaPp])[Mm])?")
_NOON = 12
_LAST_MINUTE = 59


def minutes(value: object) -> int:
    """The minute of the day of `HH:MM` (up to 24:00) or `h:MM AM`.

    :raises ValueError: it is no such time.
    """
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("no time of day")
    hour, minute, half = int(found[1]), int(found[2]), (found[3] or "").lower()
    if half:
        if not 1 <= hour <= _NOON:
            raise ValueError("no hour of a twelve-hour clock")
        hour = hour % _NOON + (_NOON if half == "p" else 0)
    if minute > _LAST_MINUTE or hour * 60 + minute > MIDNIGHT:
        raise ValueError("no time of day")
    return hour * 60 + minute


def shown(minute: int) -> str:
    """`HH:MM` of a minute of the day; the end of the day is 24:00."""
    return f"{minute // 60:02}:{minute % 60:02}"
