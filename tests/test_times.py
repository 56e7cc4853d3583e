from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from tasks.dividing.times import MISSING, back, lacking, times
from tasks.errors import DataRefused, ProblemError

NOON = int(datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp() * 1e6)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([datetime(2026, 1, 2, 12), None]),
        pa.array([datetime(2026, 1, 2, 12, tzinfo=UTC), None], pa.timestamp("ns", "Europe/Berlin")),
        pa.array([datetime(2026, 1, 2, 12), None], pa.timestamp("s")),
        pa.array(["2026-01-02 12:00", None]),
        pa.array(["2026-01-02T13:00:00+01:00", None], pa.large_string()),
        pa.array(["2026-01-02T12:00:00Z", None]).dictionary_encode(),
    ],
    ids=lambda values: str(values.type),
)
def test_times_are_microseconds(values):
    found = times(values, "day")
    assert found.tolist() == [NOON, MISSING]
    assert lacking(found).tolist() == [False, True]


def test_a_day_begins_at_midnight():
    assert times(pa.array([date(2026, 1, 2)]), "day").tolist() == times(pa.array(["2026-01-02"]), "day").tolist()


def test_numbers_stay_numbers():
    assert times(pa.array([3, 2**60 + 1, None]), "n").tolist() == [3, 2**60 + 1, MISSING]
    found = times(pa.array([0.5, float("inf"), None]), "n")
    assert found[0] == 0.5
    assert lacking(found).tolist() == [False, True, True]


def test_a_text_that_is_no_time_is_shown():
    with pytest.raises(DataRefused, match=r"split.by = 'day' is to be a time, but '2.1.2026' is none"):
        times(pa.array(["2026-01-02", "2.1.2026"]), "day")


@pytest.mark.parametrize("values", [pa.array([True]), pa.array([[1]]), pa.array([b"x"])], ids=str)
def test_what_cannot_be_a_time_is_refused(values):
    with pytest.raises(ProblemError, match=r"split.by = 'day' is to be a time, but the column holds"):
        times(values, "day")


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("1 month", "2024-02-29"),
        ("2 years", "2022-03-31"),
        ("90 days", "2024-01-01"),
        ("1 week", "2024-03-24"),
        ("24 hours", "2024-03-30"),
    ],
)
def test_periods_follow_the_calendar(period, expected):
    assert back(microseconds("2024-03-31"), period, None) == microseconds(expected)


def microseconds(text):
    return int(np.datetime64(text, "us").astype("int64"))


def test_a_day_is_one_of_the_place():
    """On 31 March 2024 the clocks of Berlin went forward, so that day had 23 hours."""
    midnight = microseconds("2024-03-31T22:00:00")
    assert midnight - back(midnight, "1 day", "Europe/Berlin") == 23 * 3_600_000_000
    assert midnight - back(midnight, "24 hours", "Europe/Berlin") == 24 * 3_600_000_000


def test_a_period_that_no_calendar_reaches_holds_every_row():
    assert back(NOON, "9999 years", None) == MISSING
