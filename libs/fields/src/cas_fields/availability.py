"""When somebody has time: the canonical form and its slots (docs/spec/domain.md 4.5)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import cas_taxonomy
from cas_fields.clock import minutes, shown
from cas_fields.reading import Json

COUNTS_FROM = 60  # minutes of a slot that a window must cover
SLOTS = "availability-slots"


class Recurrence(StrEnum):
    RECURRING = "recurring"
    ONE_TIME = "one_time"


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some weekdays (1 = Monday); `start` and `end` are minutes of the day, `first` and `last` dates."""

    kind: Recurrence
    days: tuple[int, ...]
    start: int
    end: int
    first: date | None = None
    last: date | None = None

    def document(self) -> dict[str, Json]:
        """The window in the canonical form."""
        return {
            "kind": self.kind.value,
            "days": list(self.days),
            "from": self.first.isoformat() if self.first else None,
            "to": self.last.isoformat() if self.last else None,
            "start": shown(self.start),
            "end": shown(self.end),
        }


class Absence(NamedTuple):
    """Days without time, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Availability:
    """What somebody said about their time, in whichever format."""

    windows: tuple[Window, ...] = ()
    exceptions: tuple[Absence, ...] = ()

    def canonical(self, *, timezone: str) -> dict[str, Json]:
        """The one form that is stored beside what was sent."""
        return {
            "timezone": timezone,
            "windows": [window.document() for window in merged(self.windows)],
            "exceptions": [
                {"from": absence.first.isoformat(), "to": absence.last.isoformat()}
                for absence in sorted(set(self.exceptions))
            ],
        }

    def slots(self) -> list[str]:
        """The slots, in their wire spelling, of which a window covers at least an hour."""
        windows = merged(self.windows)
        return [
            entry.wire
            for entry in cas_taxonomy.entries(SLOTS)
            if entry.window and any(_covers(window, recurring(entry.window)) for window in windows)
        ]


@cache
def recurring(hours: cas_taxonomy.Window) -> Window:
    """The window of a slot."""
    return Window(Recurrence.RECURRING, hours.days, minutes(hours.start), minutes(hours.end))


def _covers(window: Window, slot: Window) -> bool:
    overlap = min(window.end, slot.end) - max(window.start, slot.start)
    return overlap >= COUNTS_FROM and not set(window.days).isdisjoint(slot.days)


# ---- overlaps ----


class _Bounds(NamedTuple):
    """Windows overlap only when they recur alike."""

    kind: Recurrence
    first: date | None
    last: date | None


class _Span(NamedTuple):
    """Minutes of one day, and which windows they came from."""

    start: int
    end: int
    sources: frozenset[int]


def merged(windows: Iterable[Window]) -> list[Window]:
    """The windows with those that overlap on a day made one; a window that overlaps nothing stays as it is."""
    days: dict[tuple[_Bounds, _Span], list[int]] = defaultdict(list)
    for (bounds, day), spans in _by_day(windows).items():
        for span in _joined(spans):
            days[bounds, span].append(day)
    ordered = sorted(days.items(), key=lambda item: (min(item[0][1].sources), item[1], item[0][1].start))
    return [
        Window(bounds.kind, tuple(sorted(on)), span.start, span.end, bounds.first, bounds.last)
        for (bounds, span), on in ordered
    ]


def _by_day(windows: Iterable[Window]) -> dict[tuple[_Bounds, int], list[_Span]]:
    by_day: dict[tuple[_Bounds, int], list[_Span]] = defaultdict(list)
    for index, window in enumerate(windows):
        span = _Span(window.start, window.end, frozenset({index}))
        for day in window.days:
            by_day[_Bounds(window.kind, window.first, window.last), day].append(span)
    return by_day


def _joined(spans: Iterable[_Span]) -> list[_Span]:
    joined: list[_Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if joined and span.start < joined[-1].end:
            last = joined.pop()
            joined.append(_Span(last.start, max(last.end, span.end), last.sources | span.sources))
        else:
            joined.append(span)
    return joined
