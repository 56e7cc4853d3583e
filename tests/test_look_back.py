import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from tasks.errors import DataRefused
from tasks.look_back import known_after, known_before, look_back, moments
from tasks.problem import History
from tasks.records import Table, Validated

STATISTICS = ("mean", "min", "max", "std", "median")
EVERYTHING = History(order="day", of="cold", by="station", lags=(1, 2, 5), rolling=(2, 3, 4), statistics=STATISTICS)
ONE = History(order="day", of="cold", lags=(1, 3), rolling=(2, 4), statistics=("mean", "max"))

NUMBERS = st.floats(-50, 50) | st.just(float("nan"))


@st.composite
def stations(draw):
    """Give rows of up to three stations in any order, some days and some values missing."""
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(["hill", "shore", None]), st.integers(0, 40), NUMBERS),
            min_size=1,
            max_size=40,
            unique_by=lambda row: row[:2],
        )
    )
    return pd.DataFrame(rows, columns=["station", "day", "cold"]).astype({"cold": "float64"})


def same_series(frame, row):
    return frame["station"].isna() if pd.isna(row["station"]) else frame["station"] == row["station"]


@given(stations(), st.data())
def test_nothing_looks_ahead(frame, data):
    """A row's columns stay, bit for bit, whatever its own value is and all that come later in its series."""
    position = data.draw(st.integers(0, len(frame) - 1))
    row = frame.iloc[position]
    own = same_series(frame, row)
    unknown = ~own | (frame["day"] >= row["day"])
    changed = frame.copy()
    changed.loc[unknown, "cold"] = data.draw(
        st.lists(
            NUMBERS | st.sampled_from([1e300, float("inf")]), min_size=int(unknown.sum()), max_size=int(unknown.sum())
        )
    )
    with np.errstate(all="ignore"):
        before, after = known_before(frame, EVERYTHING), known_before(changed, EVERYTHING)
    pd.testing.assert_frame_equal(before.iloc[[position]], after.iloc[[position]], check_exact=True)


@given(stations(), st.data())
def test_rows_that_come_later_or_are_of_other_series_need_not_be_there(frame, data):
    row = frame.iloc[data.draw(st.integers(0, len(frame) - 1))]
    own = same_series(frame, row)
    known = frame[own & (frame["day"] <= row["day"])]
    pd.testing.assert_series_equal(
        known_before(frame, EVERYTHING).loc[row.name], known_before(known, EVERYTHING).loc[row.name], check_exact=True
    )


@given(stations())
def test_every_column_is_what_a_person_would_count(frame):
    """The slow and plain way: for each row, sort the rows before it and take the last ones."""
    found = known_before(frame, EVERYTHING)
    assert list(found.columns) == list(EVERYTHING.columns)
    for index, row in frame.iterrows():
        own = same_series(frame, row)
        past = frame[own & (frame["day"] < row["day"])].sort_values("day")["cold"]
        for lag in EVERYTHING.lags:
            expected = past.iloc[-lag] if len(past) >= lag else np.nan
            np.testing.assert_equal(found.loc[index, f"cold_lag_{lag}"], expected)
        for rows in EVERYTHING.rolling:
            last = past.tail(rows).dropna()
            for statistic in STATISTICS:
                expected = getattr(last, statistic)() if len(last) >= rows / 2 else np.nan
                np.testing.assert_allclose(found.loc[index, f"cold_{statistic}_{rows}"], expected, atol=1e-9)


@given(stations(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(frame, random):
    order = list(range(len(frame)))
    random.shuffle(order)
    shuffled = known_before(frame.iloc[order], EVERYTHING)
    pd.testing.assert_frame_equal(shuffled.sort_index(), known_before(frame, EVERYTHING), check_exact=True)


def test_by_hand():
    frame = pd.DataFrame({"day": [3, 1, 2, 5, 4], "cold": [30.0, 10.0, 20.0, 50.0, 40.0]})
    found = known_before(frame, ONE)
    np.testing.assert_array_equal(found["cold_lag_1"], [20, np.nan, 10, 40, 30])
    np.testing.assert_array_equal(found["cold_lag_3"], [np.nan, np.nan, np.nan, 20, 10])
    np.testing.assert_array_equal(found["cold_mean_2"], [15, np.nan, 10, 35, 25])
    np.testing.assert_array_equal(found["cold_max_4"], [20, np.nan, np.nan, 40, 30])


def test_a_step_back_is_a_row_where_the_calendar_has_a_gap():
    """Melbourne's 1984-12-31 is missing: New Year's Day follows the 30th."""
    days = [dt.date(1984, 12, 29), dt.date(1984, 12, 30), dt.date(1985, 1, 1), dt.date(1985, 1, 2)]
    found = known_before(pd.DataFrame({"day": days, "cold": [1.0, 2.0, 3.0, 4.0]}), ONE)
    np.testing.assert_array_equal(found["cold_lag_1"], [np.nan, 1, 2, 3])


def test_a_missing_value_is_a_missing_lag_and_keeps_its_step():
    found = known_before(pd.DataFrame({"day": range(5), "cold": [1.0, np.nan, np.inf, 4.0, 5.0]}), ONE)
    np.testing.assert_array_equal(found["cold_lag_1"], [np.nan, 1, np.nan, np.nan, 4])
    np.testing.assert_array_equal(found["cold_lag_3"], [np.nan, np.nan, np.nan, 1, np.nan])
    np.testing.assert_array_equal(found["cold_mean_2"], [np.nan, 1, 1, np.nan, 4])


def test_several_columns_are_looked_back_on():
    history = History(order="day", of=("cold", "rain"), lags=(1,))
    found = known_before(pd.DataFrame({"day": [1, 2], "cold": [5, 6], "rain": [True, False]}), history)
    assert found.to_dict("list") == {
        "cold_lag_1": [pytest.approx(np.nan, nan_ok=True), 5.0],
        "rain_lag_1": [pytest.approx(np.nan, nan_ok=True), 1.0],
    }


INSTANTS = ["1984-12-31T23:00:00+01:00", "1984-12-31T21:00:00Z", "1985-01-01 00:00:00"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([dt.date(1985, 1, 1), dt.date(1984, 1, 1)], [2, 1]),
        (["1985-01-01", "1984-12-31T10:00:00"], [2, 1]),
        (INSTANTS, [2, 1, 3]),
        (pd.to_datetime(["1985-01-01", "1984-01-01"]), [2, 1]),
        (pd.to_datetime(["1985-01-01", "1984-01-01"], utc=True), [2, 1]),
        ([10, 9], [2, 1]),
        ([10.5, -9.5], [2, 1]),
    ],
    ids=["dates", "text", "zones", "timestamps", "timestamps with zone", "integers", "floats"],
)
def test_what_has_an_order(values, expected):
    assert rankdata(moments(pd.Series(values, name="day"))).tolist() == expected


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["1985-01-01", "yesterday"], "history.order = 'day' is to be a time, but 'yesterday' is none; "),
        ([1.0, np.nan], "history.order: 1 rows have no 'day', so they have no place in their series; "),
        ([dt.date(1985, 1, 1), None, None], "history.order: 2 rows have no 'day'"),
    ],
)
def test_what_has_no_order_is_refused(values, said):
    with pytest.raises(DataRefused) as caught:
        moments(pd.Series(values, name="day"))
    assert str(caught.value).startswith(said)


def test_equal_moments_in_a_series_are_refused():
    frame = pd.DataFrame({"station": ["hill", "shore", "hill"], "day": ["1985-01-01"] * 3, "cold": [1.0, 2.0, 3.0]})
    with pytest.raises(DataRefused) as caught:
        known_before(frame, EVERYTHING)
    assert str(caught.value).startswith(
        "history.order: 1 rows have the moment of another row of their series "
        "(the first: station = 'hill', day = '1985-01-01'), so nobody can say which was before; "
    )
    with pytest.raises(DataRefused, match=r"2 rows have the moment of another row"):
        known_before(frame, ONE)
    assert known_before(frame.head(2), EVERYTHING).isna().all(axis=None)


@pytest.mark.usefixtures("without_run_logger")
def test_the_task_adds_the_columns_to_the_rows_that_are_left(store):
    rows = pa.table(
        {"day": pa.array([1, 2, 3, 4], "int32"), "cold": [1.0, 2.0, 99.0, 4.0], "name": ["a", "b", "c", None]}
    )
    raw = Table(parts=(store.keep_table(rows, "raw"),))
    validated = Validated(data=store.without(raw, np.array([2])), expectations=7)
    record = look_back.fn(validated, ONE, store)
    assert record.expectations == 7
    assert record.data.names == ("day", "cold", "name", *ONE.columns)
    assert record.data.rows == 3
    found = store.table(record.data)
    assert found.select(rows.column_names) == rows.take([0, 1, 3])
    assert found["cold_lag_1"].to_pylist() == [None, 1.0, 2.0]
    assert look_back.fn(validated, ONE, store) == record


# Rows that follow others.


@given(stations(), st.data())
def test_rows_that_follow_others_know_what_they_would_know_among_them(frame, data):
    new = frame.index.isin(data.draw(st.sets(st.sampled_from(frame.index.tolist()), min_size=1)))
    earlier = pa.Table.from_pandas(frame[~new], schema=SCHEMA, preserve_index=False)
    rows = pa.Table.from_pandas(frame[new], schema=SCHEMA, preserve_index=False)
    expected = known_before(pd.concat([frame[~new], frame[new]]), EVERYTHING).tail(new.sum())
    found = known_after(rows, earlier, EVERYTHING)
    pd.testing.assert_frame_equal(found.reset_index(drop=True), expected.reset_index(drop=True))
    whole = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False)
    again = known_after(rows.drop_columns(["cold"]), whole, EVERYTHING)  # each in its own place, with its known value
    expected = known_before(frame, EVERYTHING)[new]
    pd.testing.assert_frame_equal(again.reset_index(drop=True), expected.reset_index(drop=True))


SCHEMA = pa.schema([("station", pa.string()), ("day", pa.int64()), ("cold", pa.float64())])


def test_rows_without_a_place_among_the_others_are_refused():
    earlier = pa.table({"station": ["hill"], "day": [1], "cold": [2.0]}, schema=SCHEMA)
    with pytest.raises(DataRefused, match=r"no column 'day' \(did you mean 'dya'\?\), which history reads"):
        known_after(pa.table({"station": ["hill"], "dya": [2]}), earlier, EVERYTHING)
    with pytest.raises(DataRefused, match="do not have the types of the last accepted snapshot in day, station, cold"):
        known_after(pa.table({"station": ["hill"], "day": ["2024"]}), earlier, EVERYTHING)
