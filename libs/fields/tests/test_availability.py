"""Three formats in, one canonical form (docs/spec/domain.md 4.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_fields.availability import Recurrence, Window, merged
from cas_fields.availability_formats import (
    AvailabilityReader,
    UnavailabilityReader,
    parse,
    parse_exceptions,
)
from cas_fields.clock import minutes, shown
from cas_fields.reading import Refused

SLOTS = [f"{days}_{part}" for days in ("weekday", "weekend") for part in ("morning", "afternoon", "evening")]

PERIOD = {"type": "recurring", "days": ["monday", "Wed"], "startTime": "09:00", "endTime": "17:00"}


def windows(value):
    return parse(value).canonical(timezone="Europe/London")["windows"]


def exceptions(value):
    return parse(value).canonical(timezone="Europe/London")["exceptions"]


def recurring(days, start, end, first=None, last=None):
    return {"kind": "recurring", "days": days, "from": first, "to": last, "start": start, "end": end}


def refusal(value, read=parse):
    with pytest.raises(Refused) as raised:
        read(value)
    return raised.value


class TestClock:
    @given(st.integers(0, 24 * 60))
    def test_shows_what_it_reads(self, minute):
        assert minutes(shown(minute)) == minute

    @pytest.mark.parametrize(
        ("text", "minute"),
        [
            ("9:00 AM", 540),
            ("09:00", 540),
            ("5:00 PM", 1020),
            ("12:00 AM", 0),
            ("12:30pm", 750),
            ("24:00", 1440),
        ],
    )
    def test_reads_both_clocks(self, text, minute):
        assert minutes(text) == minute

    @pytest.mark.parametrize("text", ["", "9", "24:01", "12:60", "13:00 PM", "0:30 AM", "noon", None, 9])
    def test_refuses_others(self, text):
        with pytest.raises(ValueError, match=r"time of day|twelve-hour"):
            minutes(text)


class TestSlots:
    @given(st.lists(st.sampled_from(SLOTS), unique=True))
    def test_come_back_as_they_were_chosen(self, chosen):
        assert parse(chosen).slots() == [slot for slot in SLOTS if slot in chosen]

    def test_become_one_window_each(self):
        assert windows(["weekday_morning", "weekday_afternoon"]) == [
            recurring([1, 2, 3, 4, 5], "06:00", "12:00"),
            recurring([1, 2, 3, 4, 5], "12:00", "17:00"),
        ]

    def test_may_be_a_map_of_choices_or_hold_blanks(self):
        assert windows({"weekend_evening": True, "weekday_morning": False}) == [
            recurring([6, 7], "17:00", "22:00")
        ]
        assert windows(["", None, "Weekend Evening"]) == [recurring([6, 7], "17:00", "22:00")]

    def test_count_from_an_hour(self):
        assert parse({"mon": [{"start": "11:00", "end": "13:00"}]}).slots() == [
            "weekday_morning",
            "weekday_afternoon",
        ]
        assert parse({"mon": [{"start": "11:01", "end": "12:59"}]}).slots() == []

    @pytest.mark.parametrize("value", [["weekday_night"], ["monday"], {"weekday_night": True}])
    def test_are_refused_when_unknown(self, value):
        assert "unknown time of the week" in refusal(value).message


class TestDayMap:
    def test_gives_one_window_for_each_pair(self):
        value = {
            "monday": [{"start": "09:00", "end": "12:00"}],
            "TUE": [{"start": "9:00 AM", "end": "12:00 PM"}],
        }
        assert windows(value) == [recurring([1], "09:00", "12:00"), recurring([2], "09:00", "12:00")]

    def test_takes_parts_of_the_day_and_single_values(self):
        value = {
            "sat": ["morning"],
            "fri": "evening",
            "sun": {"start": "10:00", "end": "11:00"},
            "mon": [],
            "tue": None,
        }
        assert windows(value) == [
            recurring([6], "06:00", "12:00"),
            recurring([5], "17:00", "22:00"),
            recurring([7], "10:00", "11:00"),
        ]

    def test_takes_nine_to_five_in_twelve_hour_times(self):
        assert windows({"mon": [{"start": "9:00 AM", "end": "5:00 PM"}]}) == [
            recurring([1], "09:00", "17:00")
        ]

    def test_ends_at_midnight_at_the_latest(self):
        assert windows({"mon": [{"start": "6:00 PM", "end": "12:00 AM"}]}) == [
            recurring([1], "18:00", "24:00")
        ]

    @pytest.mark.parametrize(
        ("value", "path"),
        [
            ({"someday": []}, ""),
            ({"mon": [{"start": "12:00", "end": "09:00"}]}, "mon.0.end"),
            ({"mon": [{"start": "9", "end": "10:00"}]}, "mon.0.start"),
            ({"mon": [{"start": "09:00"}]}, "mon.0.end"),
            ({"mon": ["night"]}, "mon.0"),
            ({"mon": 5}, "mon.0"),
        ],
    )
    def test_names_what_is_wrong(self, value, path):
        assert refusal(value).path == path


class TestPeriods:
    def test_recur_on_their_days(self):
        assert windows([PERIOD]) == [recurring([1, 3], "09:00", "17:00")]
        assert windows(PERIOD) == windows([PERIOD])

    def test_recur_between_dates(self):
        period = PERIOD | {"id": "p1", "fromDate": "2026-03-01", "toDate": "2026-04-01"}
        assert windows([period]) == [recurring([1, 3], "09:00", "17:00", "2026-03-01", "2026-04-01")]

    def test_happen_once_on_the_weekday_of_their_date(self):
        once = {"type": "one-time", "fromDate": "2026-03-02", "startTime": "09:00", "endTime": "10:00"}
        assert windows([once]) == [
            {
                "kind": "one_time",
                "days": [1],
                "from": "2026-03-02",
                "to": "2026-03-02",
                "start": "09:00",
                "end": "10:00",
            }
        ]
        assert windows([once | {"toDate": "2026-03-03"}])[0]["days"] == [1, 2]
        assert windows([once | {"toDate": "2026-12-31"}])[0]["days"] == [1, 2, 3, 4, 5, 6, 7]

    def test_come_with_absences(self):
        value = {
            "availability": [PERIOD],
            "unavailability": [{"fromDate": "2026-08-01", "toDate": "2026-08-14"}],
        }
        assert exceptions(value) == [{"from": "2026-08-01", "to": "2026-08-14"}]
        assert exceptions({"availability": {}, "unavailability": value["unavailability"][0]}) == exceptions(
            value
        )
        assert exceptions({"unavailability": {}}) == []

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"days": []}, "0.days"),
            ({"days": None}, "0.days"),
            ({"days": [1]}, "0"),
            ({"type": "sometimes"}, "0.type"),
            ({"type": "one-time"}, "0.fromDate"),
            ({"toDate": "2026-01-01", "fromDate": "2026-01-02"}, "0.toDate"),
            ({"fromDate": "01/02/2026"}, "0.fromDate"),
            ({"fromDate": "2026-02-30"}, "0.fromDate"),
            ({"fromDate": 20260101}, "0.fromDate"),
            ({"fromDate": "2026-W01-1"}, "0.fromDate"),
            ({"endTime": "08:00"}, "0.endTime"),
            ({"startTime": None}, "0.startTime"),
        ],
    )
    def test_name_what_is_wrong(self, change, path):
        assert refusal([PERIOD | change]).path == path

    @pytest.mark.parametrize(
        ("absence", "path"),
        [
            ({"toDate": "2026-01-01"}, "0.fromDate"),
            ({"fromDate": "2026-01-01"}, "0.toDate"),
            ({"fromDate": "2026-01-02", "toDate": "2026-01-01"}, "0.toDate"),
            ("2026-01-01", "0"),
        ],
    )
    def test_absences_need_both_dates_in_order(self, absence, path):
        assert refusal([absence], parse_exceptions).path == path

    @pytest.mark.parametrize(
        ("value", "path"),
        [
            ({"availability": ["weekday_morning", "noon"]}, "availability.1"),
            ({"unavailability": [{"fromDate": "2026-01-01"}]}, "unavailability.0.toDate"),
            ({"availability": {"availability": []}}, "availability"),
        ],
    )
    def test_name_the_part_that_is_wrong(self, value, path):
        assert refusal(value).path == path

    @pytest.mark.parametrize("value", [5, True, "mornings", {"availability": {"availability": []}}])
    def test_other_formats_are_refused(self, value):
        assert "must be" in refusal(value).message

    def test_a_hundred_are_enough(self):
        absence = {"fromDate": "2026-01-01", "toDate": "2026-01-01"}
        assert len(parse([PERIOD] * 100).windows) == 100
        assert refusal([PERIOD] * 101).code == "too-many"
        assert refusal([absence] * 101, parse_exceptions).code == "too-many"


class TestReaders:
    @pytest.mark.parametrize(
        "value", [["weekday_morning"], {"Mon": ["morning"]}, {"availability": ["weekday_morning"]}]
    )
    def test_keep_what_was_sent(self, value):
        assert AvailabilityReader()(value) == value

    @pytest.mark.parametrize(
        "value", [[], {}, [None], {"monday": []}, {"availability": [], "unavailability": []}]
    )
    def test_take_what_says_nothing_as_empty(self, value):
        assert AvailabilityReader()(value) == []

    def test_keep_absences_as_sent(self):
        value = [{"id": "x", "fromDate": "2026-01-01", "toDate": "2026-01-02"}]
        assert UnavailabilityReader()(value) == value

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ([PERIOD | {"id": "x", "note": "call 07700 900123"}], [PERIOD | {"id": "x"}]),
            ([PERIOD | {"id": 7}, PERIOD | {"id": 10**64}], [PERIOD | {"id": 7}, PERIOD]),
            ([PERIOD | {"id": {"html": "<b>"}}], [PERIOD]),
            (
                {"Mon": [{"start": "9:00", "end": "10:00", "where": "at home"}]},
                {"Mon": [{"start": "9:00", "end": "10:00"}]},
            ),
            ({"weekday_morning": True, "on the moon": False}, {"weekday_morning": True}),
            ({"availability": ["weekday_morning"], "remarks": "none"}, {"availability": ["weekday_morning"]}),
            (["weekday_morning", "", None, " " * 9000], ["weekday_morning"]),
            ({"mon" + " " * 9000: ["morning" + " " * 9000]}, {"mon": ["morning"]}),
        ],
    )
    def test_leave_out_what_is_no_part_of_the_format(self, sent, kept):
        assert AvailabilityReader()(sent) == kept

    @pytest.mark.parametrize(
        "value",
        [
            [PERIOD | {"id": "x" * 65}],
            ["weekday" + " " * 65 + "morning"],
            {"weekday" + " " * 65 + "morning": True},
        ],
    )
    def test_refuse_long_texts(self, value):
        assert refusal(value, AvailabilityReader()).code == "too-long"

    def test_leave_out_what_is_no_part_of_an_absence(self):
        absence = {"fromDate": "2026-01-01", "toDate": "2026-01-02"}
        assert UnavailabilityReader()([absence | {"reason": "a secret"}]) == [absence]


hours = st.tuples(st.integers(0, 1440), st.integers(0, 1440)).filter(lambda pair: pair[0] < pair[1])
some_windows = st.lists(
    st.builds(
        lambda days, pair: Window(Recurrence.RECURRING, tuple(sorted(days)), *pair),
        st.sets(st.integers(1, 7), min_size=1),
        hours,
    ),
    max_size=8,
)


def covered(found):
    return {
        (day, minute) for window in found for day in window.days for minute in range(window.start, window.end)
    }


class TestMerging:
    @given(some_windows)
    def test_keeps_every_minute_and_overlaps_nowhere(self, found):
        joined = merged(found)
        assert covered(joined) == covered(found)
        assert len(covered(joined)) == sum(
            len(window.days) * (window.end - window.start) for window in joined
        )
        assert merged(joined) == joined

    def test_makes_overlaps_of_one_day_one_window(self):
        assert windows({"mon": ["morning", {"start": "11:00", "end": "13:00"}]}) == [
            recurring([1], "06:00", "13:00")
        ]

    def test_leaves_windows_with_other_dates_alone(self):
        assert len(windows([PERIOD, PERIOD | {"toDate": "2026-05-05"}])) == 2
        assert len(windows([PERIOD, PERIOD])) == 1
