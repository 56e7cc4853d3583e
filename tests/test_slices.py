import numpy as np
import pyarrow as pa
import pytest

from tasks.errors import ProblemError
from tasks.gate import Slice
from tasks.judging.slices import MOST_VALUES, check_slices, labels, masks
from tasks.problem import Problem
from tasks.records import Column

ROWS = pa.table(
    {
        "place": ["inland", "bay", None, "inland"],
        "income": [1.0, 2.5, 4.0, None],
        "rooms": [4, 6, 8, 10],
        "day": ["2026-01-01", "2026-02-01", "2026-02-20", "2026-03-01"],
    }
)


def test_each_value_of_a_column_is_a_slice_and_a_missing_one_too() -> None:
    found = labels(Slice(name="place", by="place"), ROWS, {})
    assert found == ["place: inland", "place: bay", "place: missing", "place: inland"]


def test_numbers_are_cut_by_bins_that_hold_their_upper_edge() -> None:
    found = labels(Slice(name="income", by="income", bins=(2.5,)), ROWS, {})
    assert found == ["income: -inf to 2.5", "income: -inf to 2.5", "income: 2.5 to inf", "income: missing"]


def test_a_slice_may_be_a_derived_column_or_an_expression_of_its_own() -> None:
    derived = {"double": "rooms * 2"}
    assert labels(Slice(name="big", by="double", bins=(13,)), ROWS, derived)[0] == "big: -inf to 13"
    assert labels(Slice(name="half", by="double / 4", bins=(3,)), ROWS, derived)[3] == "half: 3 to inf"
    assert labels(Slice(name="initial", by="first(place)"), ROWS, {})[:2] == ["initial: i", "initial: b"]


def test_the_newest_days_are_counted_back_from_the_newest_row() -> None:
    found = labels(Slice(name="fresh", by="day", newest="10 days"), ROWS, {})
    assert found == [None, None, "fresh: newest 10 days", "fresh: newest 10 days"]


def test_masks_tell_the_rows_of_each_slice_that_occurs() -> None:
    found = masks({"place": ["place: a", None, "place: b"], "size": ["size: 1", "size: 1", "size: 1"]})
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "place: a": [True, False, False],
        "place: b": [False, False, True],
        "size: 1": [True, True, True],
    }


def test_a_column_of_too_many_values_needs_bins() -> None:
    many = pa.table({"id": np.arange(MOST_VALUES + 1)})
    with pytest.raises(ProblemError, match=r"51 values, more than 50; cut numbers with bins"):
        labels(Slice(name="each", by="id"), many, {})


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ({"name": "a", "by": "plaec"}, r"did you mean 'place'"),
        ({"name": "a", "by": "rooms / plaec"}, r"names the column 'plaec'"),
        ({"name": "a", "by": "rooms / 2", "newest": "3 days"}, r"newest needs a column of the data"),
    ],
)
def test_a_slice_of_what_is_not_there_is_one_sentence(part: dict[str, str], sentence: str) -> None:
    problem = Problem.model_validate(
        {
            "name": "houses",
            "task": "regression",
            "target": "price",
            "source": {"kind": "bundled", "name": "diabetes"},
            "candidates": [{"name": "ridge", "estimator": "Ridge"}],
            "gate": {"slices": [part]},
        }
    )
    columns = tuple(Column(name=name, dtype="double") for name in ("place", "rooms", "price"))
    with pytest.raises(ProblemError, match=sentence):
        check_slices(problem, columns)
