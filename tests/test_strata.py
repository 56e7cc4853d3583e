import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.dividing.strata import Codes, bin_names, binned, renumbered, value_names
from tasks.errors import ProblemError


def coded(*batches):
    codes = Codes()
    return np.concatenate([codes.of(pa.array(batch)) for batch in batches]), list(codes.numbers)


def test_a_value_has_one_number_in_all_batches():
    codes, values = coded(["hill", "sea", None], ["moor", "sea", None, "hill"])
    assert [values[code] for code in codes] == ["hill", "sea", None, "moor", "sea", None, "hill"]
    assert len(values) == 4


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (pa.array([1, None, 2]), ["1", "missing", "2"]),
        (pa.array([1.5, float("nan"), None]), ["1.5", "missing", "missing"]),
        (pa.array([True, None, False]), ["True", "missing", "False"]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", "missing", "a"]),
        (pa.array([datetime.date(2026, 1, 2), None, None]), ["2026-01-02", "missing", "missing"]),
    ],
)
def test_a_stratum_is_named_by_its_value(values, names):
    codes = Codes()
    found = codes.of(values)
    given_names = value_names(codes.numbers)
    assert [given_names[code] for code in found] == names


def test_numbers_follow_the_order_of_the_names_that_occur():
    codes, names = renumbered(np.array([3, 0, 3, 2], dtype="int32"), ["moor", "gone", "dale", "hill"])
    assert names == ("dale", "hill", "moor")
    assert codes.tolist() == [1, 2, 1, 0]


@given(
    st.lists(st.floats(width=32) | st.none(), min_size=1, max_size=30),
    st.lists(st.integers(-5, 5), min_size=1, max_size=4, unique=True).map(sorted),
)
def test_bins_are_those_of_pandas(numbers, bins):
    edges = [-np.inf, *bins, np.inf]
    labels = bin_names(bins)[:-1]
    expected = pd.cut(pd.Series(numbers, dtype="float64"), bins=edges, labels=labels).astype("object")
    found = binned(pa.array(numbers, type=pa.float64()), bins, "income")
    assert [bin_names(bins)[code] for code in found] == expected.where(expected.notna(), "missing").tolist()


def test_strata_of_numbers_are_the_bins_that_they_are_in():
    found = binned(pa.array([0.5, 1.5, 1.6, 3.0, 99.0, None]), (1.5, 3.0), "income")
    names = bin_names((1.5, 3.0))
    assert [names[code] for code in found] == [
        "-inf to 1.5",
        "-inf to 1.5",
        "1.5 to 3",
        "1.5 to 3",
        "3 to inf",
        "missing",
    ]


def test_bins_of_texts_are_refused():
    with pytest.raises(ProblemError, match=r"the column 'place', which split.stratify names, holds string"):
        binned(pa.array(["a"]), (1.5,), "place")
