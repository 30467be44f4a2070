"""Time zones by their IANA names."""

from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

from cas_fields.reading import Json, Refused, Schema, Text

DEFAULT_TIMEZONE = "Europe/London"


@dataclass(frozen=True, slots=True)
class Timezone:
    """An IANA name."""

    @property
    def schema(self) -> Schema:
        return {"type": "string", "examples": [DEFAULT_TIMEZONE]}

    def __call__(self, value: Json) -> str:
        name = Text(64)(value)
        if name not in _timezones():
            raise Refused(f"must be a time zone such as {DEFAULT_TIMEZONE}")
        return name


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())
