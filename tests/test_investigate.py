import numpy as np
import pandas as pd
import pytest

from tasks.investigate import changed, moved, worst_rows
from tasks.judging.contest import Contest
from tasks.metrics import METRICS
from tasks.models import Prediction


def contest(target: list[float], challenger: list[float], champion: list[float]) -> Contest:
    predictions = {
        who: Prediction(np.array(values), np.array([]))
        for who, values in {"challenger": challenger, "champion": champion}.items()
    }
    rows = np.arange(len(target), dtype="uint64")
    return Contest(METRICS["mae"], 1, False, rows, rows.astype("int64"), np.array(target), predictions, {})


def test_the_rows_that_lost_most_come_first_and_those_that_gained_not_at_all() -> None:
    found = worst_rows(contest([10.0, 10.0, 10.0], [10.0, 4.0, 7.0], [5.0, 10.0, 9.0]), {1: "street=Elm"})
    assert [(row.row, row.loss) for row in found] == [("street=Elm", 6.0), ("0000000000000002", 2.0)]
    assert (found[0].target, found[0].challenger, found[0].champion) == ("10.00", "4.000", "10.00")


def test_features_that_moved_are_named_the_furthest_first() -> None:
    rng = np.random.default_rng(0)
    before = pd.DataFrame(
        {
            "same": rng.normal(size=500),
            "income": rng.normal(3, 1, 500),
            "place": ["bay"] * 250 + ["inland"] * 250,
            "gone": 1.0,
        }
    )
    now = pd.DataFrame(
        {
            "same": before["same"],
            "income": rng.normal(6, 1, 500),
            "place": ["bay"] * 400 + ["inland"] * 100,
            "new": 1.0,
        }
    )
    found = moved(before, now)
    assert len(found) == 2
    assert found[0].startswith("income: mean 2.931 -> 6.051 (distance 0.9")
    assert found[1] == "place: 'bay' 50% -> 80% of the rows (distance 0.30)"


def test_columns_without_any_value_have_not_moved() -> None:
    empty = pd.DataFrame({"a": pd.Series([np.nan, np.nan])})
    assert moved(empty, pd.DataFrame({"a": [1.0, 2.0]})) == ()


def test_what_differs_in_a_declaration_is_named_by_its_key() -> None:
    before = {"seed": 1, "candidates": [{"name": "forest", "parameters": {"depth": 3}}], "gate": {}}
    now = {"seed": 1, "candidates": [{"name": "forest", "parameters": {"depth": 5}}, {"name": "svm"}], "gate": {}}
    assert changed(before, now) == (
        "candidates[forest].parameters.depth: 3 -> 5",
        "candidates[svm].name: not declared -> svm",
    )
    assert changed(now, now) == ()


@pytest.mark.parametrize("empty", [{}, [], ()])
def test_an_empty_table_or_list_is_a_value(empty: object) -> None:
    assert changed({"a": empty}, {"a": 1}) == (f"a: {empty} -> 1",)
