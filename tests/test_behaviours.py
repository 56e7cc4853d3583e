"""Declared behaviours: one column is changed, and what the prediction does is told row by row."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tasks.columns import derive
from tasks.errors import ProblemError
from tasks.gate import Behaviour
from tasks.judging.behaviours import broken, changed
from tasks.models import Prediction
from tasks.records import FeatureSet

NONE = np.array([])


def behaviour(prediction="same", **how):
    return Behaviour.model_validate({"column": "rooms", "prediction": prediction, **(how or {"add": 1})})


def numbers(*values):
    return Prediction(np.array(values, dtype="float64"), NONE)


def classes(*shares):
    probabilities = np.array([[1 - share, share] for share in shares])
    labels = np.array(["hut", "villa"])
    return Prediction(labels[probabilities.argmax(axis=1)], labels, probabilities)


@pytest.mark.parametrize(
    ("how", "expected"),
    [({"add": 1.5}, [3.5, 5.5]), ({"multiply": -2}, [-4, -8]), ({"replace": 9}, [9, 9]), ({"add": 0}, [2, 4])],
)
def test_a_number_is_changed_and_a_missing_one_stays_missing(how, expected):
    rows = pd.DataFrame({"rooms": [2.0, 4.0, np.nan], "other": ["a", "b", "c"]})
    found = changed(rows, behaviour(**how))
    np.testing.assert_array_equal(found["rooms"], [*expected, np.nan])
    assert found["other"].tolist() == ["a", "b", "c"]
    assert rows["rooms"].tolist()[:2] == [2.0, 4.0]


@pytest.mark.parametrize(
    "values",
    [[2, 4], pd.array([2, 4], dtype="Int64"), [Decimal(2), Decimal(4)], np.array([2, 4], dtype="uint8")],
)
def test_numbers_of_every_kind_are_changed(values):
    rows = pd.DataFrame({"rooms": values}, index=[7, 3])
    assert changed(rows, behaviour(add=-3))["rooms"].to_dict() == {7: -1.0, 3: 1.0}


@pytest.mark.parametrize(
    ("values", "new", "expected"),
    [(["a", None, "b"], "c", ["c", None, "c"]), ([True, False, True], False, [False] * 3)],
)
def test_what_is_no_number_is_replaced(values, new, expected):
    found = changed(pd.DataFrame({"rooms": values}), behaviour(replace=new))["rooms"]
    assert found.astype("object").where(found.notna(), None).tolist() == expected


def test_whole_numbers_stay_the_categories_that_they_were():
    columns = FeatureSet(
        target="y", roles={"rooms": "categorical", "double": "numeric"}, derived={"double": "rooms * 2"}
    )
    rows = changed(pd.DataFrame({"rooms": [2, 4]}), behaviour(replace=3))
    found = derive(rows, columns)
    assert found["rooms"].tolist() == ["3", "3"]
    assert found["double"].tolist() == [6.0, 6.0]


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ("same", [False, False, True, True]),
        ("not lower", [False, False, True, False]),
        ("not higher", [False, False, False, True]),
    ],
)
def test_numbers_break_a_behaviour(prediction, expected):
    before, after = numbers(1, 100, 100, 100), numbers(1, 100 + 1e-8, 99, 101)
    assert broken(before, after, behaviour(prediction), network=False).tolist() == expected


def test_a_network_may_differ_in_its_last_digits():
    before, after = numbers(1, 100), numbers(1, 99.9995)
    assert broken(before, after, behaviour("not lower"), network=False).tolist() == [False, True]
    assert broken(before, after, behaviour("not lower"), network=True).tolist() == [False, False]


def test_classes_break_a_behaviour():
    before, after = classes(0.2, 0.4, 0.9), classes(0.3, 0.6, 0.8)
    assert broken(before, after, behaviour(), network=False).tolist() == [False, True, False]
    villa = behaviour("not lower", add=1, of="villa")
    assert broken(before, after, villa, network=False).tolist() == [False, False, True]
    hut = behaviour("same", add=1, of="hut")
    assert broken(before, after, hut, network=False).tolist() == [True, True, True]


def test_classes_that_are_numbers_are_named_by_their_digits():
    found = Prediction(np.array([3]), np.array([3, 5]), np.array([[0.6, 0.4]]))
    assert broken(found, found, behaviour("same", add=1, of="5"), network=False).tolist() == [False]


def test_a_class_that_the_model_does_not_know_is_named():
    with pytest.raises(ProblemError, match=r"of = 'vila' is no class .*did you mean 'villa'.* classes: hut, villa\."):
        broken(classes(0.2), classes(0.2), behaviour("same", add=1, of="vila"), network=False)


def test_a_model_without_probabilities_cannot_be_asked_for_them():
    found = Prediction(np.array(["hut"]), np.array(["hut", "villa"]))
    with pytest.raises(ProblemError, match="the model gives no probabilities"):
        broken(found, found, behaviour("same", add=1, of="villa"), network=False)
