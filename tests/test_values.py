import numpy as np
import pytest

from serving.values import BadRequest, checked, needed, shown
from tasks.records import Input

NUMBER = Input(name="age", kind="number", nullable=False, low=0.0, high=80.0)
MAYBE = Input(name="age", kind="number", nullable=True, low=0.0, high=80.0)
WHOLE = Input(name="rooms", kind="integer", nullable=False, low=1, high=9)
TRUTH = Input(name="sold", kind="truth", nullable=True)
PLACE = Input(name="place", kind="category", nullable=False, values=("hill", "shore"))
TEXT = Input(name="note", kind="text", nullable=True)
DATE = Input(name="day", kind="date", nullable=True)


def given(column, values):
    return checked(column, values, lambda name, row: f"rows[{row}].{name}")


def refused(column, values):
    with pytest.raises(BadRequest) as caught:
        given(column, values)
    assert caught.value.status == 400
    return str(caught.value)


def test_numbers_are_floats_and_null_is_nan():
    np.testing.assert_array_equal(given(NUMBER, [1, 2.5]), [1.0, 2.5])
    found = given(MAYBE, [None, 2])
    assert found.dtype == "float64"
    np.testing.assert_array_equal(found, [np.nan, 2.0])


def test_whole_numbers_stay_whole_and_may_be_written_with_a_point():
    assert given(WHOLE, [1, 2**62 + 1]).tolist() == [1, 2**62 + 1]
    assert given(WHOLE, [3.0, 4]).dtype == "int64"
    missing = given(WHOLE.model_copy(update={"nullable": True}), [None, 4])
    assert missing.dtype == "float64"


def test_truth_text_and_dates_are_as_pandas_has_them():
    assert given(TRUTH, [True, False]).dtype == "bool"
    assert given(TRUTH, [True, None]).tolist() == [True, None]
    assert given(PLACE, ["hill", "hill"]).tolist() == ["hill", "hill"]
    assert given(TEXT, ["", None]).tolist() == ["", None]
    found = given(DATE, ["2026-03-01", "2026-03-01T12:30:00+02:00", None])
    assert found.astype(str).tolist() == ["2026-03-01T00:00:00.000000", "2026-03-01T12:30:00.000000", "NaT"]


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        (NUMBER, [1, "3"], "rows[1].age is \"3\", but 'age' takes a number (in training 0 to 80)."),
        (NUMBER, [True], "rows[0].age is true, but 'age' takes a number (in training 0 to 80)."),
        (NUMBER, [[1]], "rows[0].age is a list, but"),
        (NUMBER, [{}], "rows[0].age is an object, but"),
        (NUMBER, [1, float("-inf")], "rows[1].age is -inf, but"),
        (NUMBER, [10**400], "rows[0].age is 1000"),
        (NUMBER, [None], "rows[0].age is null, but 'age' had no missing value in training; it takes a number"),
        (MAYBE, [None, "x"], "takes a number (in training 0 to 80), or null."),
        (WHOLE, [3, 3.5], "rows[1].rooms is 3.5, but 'rooms' takes a whole number (in training 1 to 9)."),
        (WHOLE, [2**63], "rows[0].rooms is 9223372036854775808, but"),
        (WHOLE, [1e300], "rows[0].rooms is 1e+300, but"),
        (TRUTH, [1], "rows[0].sold is 1, but 'sold' takes true or false, or null."),
        (PLACE, ["hill", "shor"], "is \"shor\" (did you mean 'shore'?), but 'place' takes one of 'hill', 'shore'."),
        (PLACE, [3], "rows[0].place is 3, but"),
        (TEXT, [3], "rows[0].note is 3, but 'note' takes a text, or null."),
        (DATE, ["tomorrow"], "rows[0].day is \"tomorrow\", but 'day' takes a date as ISO 8601 text"),
        (DATE, ["0000-00-00"], "rows[0].day is"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place_its_value_and_what_is_allowed(column, values, expected):
    assert expected in refused(column, values)


def test_long_values_and_long_lists_are_shortened():
    assert len(shown("x" * 1000)) < 100
    many = PLACE.model_copy(update={"values": tuple(f"v{number}" for number in range(50))})
    assert needed(many).endswith("'v19' and 30 more")
    assert len(refused(NUMBER, [10**400])) < 200
