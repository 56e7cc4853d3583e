"""Rows to predict have the types of training; what cannot be read is missing and told with its value."""

import datetime

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.readable import of_type, readable
from tasks.records import Table
from tasks.sources import Dialect

HELD = pa.table(
    {
        "rooms": pa.array([1], pa.int64()),
        "price": pa.array([1.5], pa.float64()),
        "sold": pa.array([True]),
        "day": pa.array([datetime.date(2026, 1, 1)]),
        "name": pa.array(["a"]),
        "never": pa.nulls(1),
    }
)
PLAIN = Dialect()


@pytest.fixture
def keep(store):
    def kept(table):
        return Table(parts=(store.keep_table(table, "raw"),))

    return kept


def test_values_that_cannot_be_read_are_missing_and_told_with_their_row(store, keep, monkeypatch):
    monkeypatch.setattr("tasks.store.BATCH", 2)
    rows = pa.table({"rooms": ["1", " 2 ", "three", None, "5.5"], "price": [1, 2, 3, 4, 5], "name": list("abcde")})
    found, (breach,) = readable(store, keep(rows), keep(HELD), PLAIN)
    table = store.table(found)
    assert table.schema.types == [pa.int64(), pa.float64(), pa.string()]
    assert table["rooms"].to_pylist() == [1, 2, None, None, None]
    assert breach.positions.tolist() == [2, 4]
    assert breach.values == ("'three'", "'5.5'")
    assert breach.finding.expectation == "rooms: a whole number"
    assert breach.finding.examples == ("'three' in row 2", "'5.5' in row 4")


def test_rows_that_have_the_types_are_not_written_once_more(store, keep):
    rows = keep(HELD)
    assert readable(store, rows, keep(HELD), PLAIN) == (rows, ())


def test_columns_that_nobody_reads_and_those_that_are_new_stay_as_they_are(store, keep):
    rows = keep(pa.table({"rooms": ["x"], "new": ["y"], "never": ["z"]}))
    assert readable(store, rows, keep(HELD), PLAIN, leave=["rooms"]) == (rows, ())


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["true", "0", "maybe"], pa.bool_(), [True, False, None]),
        (["2026-02-28", "2026-02-31"], pa.date32(), [datetime.date(2026, 2, 28), None]),
        ([1.0, 2.5], pa.int64(), [1, None]),
        ([1, 2], pa.string(), ["1", "2"]),
        ([datetime.date(2026, 1, 1)], pa.float64(), [None]),
        ([None, None], pa.float64(), [None, None]),
    ],
)
def test_values_of_every_kind(values, kind, expected):
    assert of_type(pa.array(values), kind, PLAIN).to_pylist() == expected


def test_numbers_are_read_as_the_source_writes_them():
    dialect = Dialect(separator=";", decimal=",", thousands=".")
    found = of_type(pa.array(["1.234,5", "7", "1.5", "x"]), pa.float64(), dialect)
    assert found.to_pylist() == [1234.5, 7, None, None]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False).map(str), st.text(max_size=4))))
def test_one_bad_value_spoils_no_other(texts):
    found = of_type(pa.array(texts, pa.string()), pa.float64(), PLAIN)
    alone = [of_type(pa.array([text], pa.string()), pa.float64(), PLAIN)[0].as_py() for text in texts]
    pd.testing.assert_series_equal(pd.Series(found.to_pylist()), pd.Series(alone))
