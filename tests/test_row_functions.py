import datetime

import numpy as np
import pandas as pd
import pytest

from tasks.row_functions import among, dates, extract, first, hour, is_missing, length, month, texts, words

LATE = "2020-02-29 23:30"
SERIES = {
    "date": pd.Series([datetime.date(2020, 2, 29), None]),
    "timestamp": pd.Series(pd.to_datetime([LATE, None])),
    "timestamp with a zone": pd.Series(pd.to_datetime([LATE, None])).dt.tz_localize("Australia/Melbourne"),
    "text": pd.Series([LATE, None]),
    "text with a zone": pd.Series([LATE + ":00Z", None]),
    "text with an offset": pd.Series([LATE + ":00.25-05:00", "tomorrow"]),
    "category": pd.Series([LATE, None], dtype="category"),
}


@pytest.mark.parametrize("kind", SERIES)
def test_a_date_of_any_type_is_the_one_that_was_written_down(kind):
    expected = [0.0 if kind == "date" else 23.0, np.nan]
    np.testing.assert_array_equal(hour(SERIES[kind]), expected)
    np.testing.assert_array_equal(month(SERIES[kind]), [2.0, np.nan])


@pytest.mark.parametrize("text", ["29.02.2020", "02/29/2020", "2021-02-29", "", "0", "noon", "2020-13-01"])
def test_what_is_no_iso_date_is_missing(text):
    assert dates([text, LATE]).isna().tolist() == [True, False]


def test_a_column_without_any_value_stays_missing():
    nothing = pd.Series([np.nan, np.nan])
    assert extract(nothing, "(a)").isna().all()
    assert among(nothing, "a").isna().all()
    assert np.isnan(length(nothing)).all()
    assert np.isnan(hour(nothing)).all()
    assert is_missing(nothing).tolist() == [1.0, 1.0]
    for empty in (pd.Series([], dtype="str"), pd.Series([], dtype="float64")):
        assert len(extract(empty, "(a)")) == len(words(empty)) == len(hour(empty)) == 0


def test_the_first_match_is_extracted_wherever_it_stands():
    assert extract(["x\nA1\nB2"], r"([A-Z])\d").tolist() == ["A"]
    assert extract(["aab", "AX"], "(?i)(x|b)$").tolist() == ["b", "X"]
    assert extract(["ab"], "(?:a)(b)?").tolist() == ["b"]
    assert extract(["b1", "a"], "a|(b)").tolist() == ["b", ""]


def test_characters_are_not_bytes():
    assert length(["\u00e9t\u00e9", "\U0001f98e"]).tolist() == [3.0, 1.0]
    assert first(["\U0001f98e lizard", ""]).tolist() == ["\U0001f98e", ""]


def test_whole_numbers_are_the_same_text_as_floats():
    assert texts([12.0, 1.5, np.nan]).tolist()[:2] == ["12", "1.5"]


def test_a_regular_expression_that_hangs_python_ends():
    assert extract(["a" * 20_000 + "b"] * 5, r"(a+)+$").isna().all()
