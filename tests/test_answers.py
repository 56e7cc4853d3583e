import json

import numpy as np
import pytest

from serving.answers import as_json, as_table, outputs, surroundings
from serving.values import BadRequest
from tasks.models import Prediction
from tasks.records import Coverage, Interval, Intervals

PRICES = Prediction(np.array([1.5, np.nan]), np.array([]))
KINDS = Prediction(np.array(["hut", "villa"]), np.array(["hut", "villa"]), np.array([[0.9, 0.1], [0.25, 0.75]]))
CALLED = Prediction(np.array([4]), np.array([3, 4]))
MEASURED = Interval(value=0.9, low=0.8, high=1.0)


def told(named, form, **notes):
    return json.loads(as_json(named, form, notes))


def intervals(**level):
    return Intervals(rows=9, test_rows=9, levels=(Coverage(level=0.9, measured=MEASURED, size=1.0, **level),))


def test_a_regression_answers_numbers_and_what_is_none_is_null():
    named = outputs(PRICES)
    assert told(named, "rows", model_version="3") == {"predictions": [1.5, None], "model_version": "3"}
    assert told(named, "arrays")["predictions"] == [1.5, None]
    assert told(named, "columns") == {"outputs": [1.5, None]}


def test_a_classifier_answers_class_and_probabilities_and_plain_arrays_by_probabilities():
    named = outputs(KINDS)
    assert told(named, "rows")["predictions"][1] == {"class": "villa", "probabilities": [0.25, 0.75]}
    assert told(named, "arrays")["predictions"] == [[0.9, 0.1], [0.25, 0.75]]
    assert told(named, "columns")["outputs"]["class"] == ["hut", "villa"]


def test_without_probabilities_the_classes_are_the_only_output():
    for form in ("rows", "arrays"):
        assert told(outputs(CALLED), form)["predictions"] == [4]


def test_intervals_stand_beside_a_prediction():
    found = Prediction(np.array([1.5]), np.array([]))
    named = outputs(found) | surroundings(found, intervals(margins=(1.0,)), 0.9)
    expected = {"prediction": 1.5, "low": 0.5, "high": 2.5}
    assert told(named, "rows")["predictions"] == told(named, "arrays")["predictions"] == [expected]
    assert told(named, "columns")["outputs"] == {key: [value] for key, value in expected.items()}


def test_labels_that_cannot_be_ruled_out_stand_beside_a_class():
    named = outputs(KINDS) | surroundings(KINDS, intervals(thresholds=(0.2, 0.5)), 0.9)
    assert [row["set"] for row in told(named, "arrays")["predictions"]] == [["hut"], ["hut", "villa"]]
    apart = surroundings(KINDS, intervals(thresholds=(0.2, 0.5)), 0.9, named=False)
    assert apart == {"set": [[True, False], [True, True]]}


def test_a_level_that_a_version_does_not_have_is_a_sentence():
    with pytest.raises(BadRequest, match=r"no interval of level 0\.5; allowed are: 0\.9\."):
        surroundings(PRICES, intervals(margins=(1.0,)), 0.5)


def test_a_table_has_a_column_for_each_output_and_the_notes_in_its_metadata():
    table = as_table(outputs(KINDS), {"model_version": "3"})
    assert table.column_names == ["class", "probabilities"]
    assert table["probabilities"].to_pylist() == [[0.9, 0.1], [0.25, 0.75]]
    assert table.schema.metadata == {b"model_version": b'"3"'}
