"""Predictions for whole tables: in order, batch by batch, with what they rest on."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline

from tasks.checks import Breach
from tasks.errors import DataRefused, ProblemError
from tasks.models import Predictor
from tasks.predict import Around, check_columns, predictions, reasons_of
from tasks.records import Coverage, FeatureSet, Finding, Interval, Intervals
from tasks.reference import load_version

COLUMNS = FeatureSet(
    target="price", roles={"rooms": "numeric", "share": "numeric"}, derived={"share": "rooms / people"}
)
ROWS = pd.DataFrame({"house": ["a", "b", "c", "d"], "rooms": [1.0, 2.0, 3.0, 4.0], "people": [1, 2, 1, 2]})
BATCH = pa.RecordBatch.from_pandas(ROWS)


def fitted(estimator, target):
    features = pd.DataFrame({"rooms": ROWS["rooms"], "share": ROWS["rooms"] / ROWS["people"]})
    return Predictor(Pipeline([("estimate", estimator)]).fit(features, target), COLUMNS)


def test_numbers_stand_beside_the_identity_and_the_version():
    predictor = fitted(LinearRegression(), [10.0, 20.0, 30.0, 40.0])
    found = predictions(predictor, BATCH, ["house"], 7)
    assert found.schema.names == ["house", "prediction", "version", "reason"]
    assert found["reason"].null_count == 4
    assert found["house"].to_pylist() == ["a", "b", "c", "d"]
    np.testing.assert_allclose(found["prediction"].to_numpy(), [10, 20, 30, 40])
    assert set(found["version"].to_pylist()) == {7}


def test_classes_have_their_probabilities():
    predictor = fitted(LogisticRegression(), ["hut", "hut", "villa", "villa"])
    found = predictions(predictor, BATCH, [], 1)
    assert found.schema.names == ["prediction", "probability_hut", "probability_villa", "version", "reason"]
    likelier = np.where(found["probability_hut"].to_numpy() > 0.5, "hut", "villa")
    assert found["prediction"].to_pylist() == likelier.tolist()


def test_the_same_rows_in_pieces_give_the_same_predictions():
    predictor = fitted(LinearRegression(), [10.0, 20.0, 30.0, 40.0])
    pieces = [predictions(predictor, BATCH.slice(start, 1), ["house"], 7) for start in range(4)]
    found, whole = pa.Table.from_batches(pieces).to_pandas(), predictions(predictor, BATCH, ["house"], 7).to_pandas()
    pd.testing.assert_frame_equal(found, whole, rtol=1e-12)  # the shape of a batch changes the last bit of a sum


def test_a_missing_column_is_named():
    predictor = fitted(LinearRegression(), [10.0, 20.0, 30.0, 40.0])
    check_columns(predictor, ("house", "rooms", "people"), ["house"])
    with pytest.raises(DataRefused, match=r"no column 'people' \(did you mean 'peopel'\?\), which the model reads"):
        check_columns(predictor, ("house", "rooms", "peopel"), [])


def test_the_identity_stays_what_it_is_in_every_batch():
    rows = BATCH.append_column("number", pa.array([2**53 + 1, None, 3, 4], pa.int64()))
    predictor = fitted(LinearRegression(), [10.0, 20.0, 30.0, 40.0])
    pieces = [predictions(predictor, rows.slice(start, 2), ["number"], 7) for start in (0, 2)]
    assert pieces[0].schema == pieces[1].schema
    assert pa.Table.from_batches(pieces)["number"].to_pylist() == [2**53 + 1, None, 3, 4]


@pytest.mark.parametrize("name", ["prediction", "probability_hut", "version", "reason"])
def test_the_identity_cannot_have_the_name_of_a_column_that_is_made(name):
    predictor = fitted(LogisticRegression(), ["hut", "hut", "villa", "villa"])
    names = ("rooms", "people", name)
    check_columns(predictor, names, ["people"])
    with pytest.raises(ProblemError, match=f"identity names the column '{name}', but predictions have a column"):
        check_columns(predictor, names, ["people", name])


# Rows that break an expectation.


@pytest.mark.parametrize(
    ("estimator", "target"),
    [(LinearRegression(), [10.0, 20.0, 30.0, 40.0]), (LogisticRegression(), ["hut", "hut", "villa", "villa"])],
)
def test_rows_with_a_reason_are_not_predicted(estimator, target):
    predictor = fitted(estimator, target)
    rows = pa.RecordBatch.from_pandas(ROWS.assign(rooms=[1.0, float("inf"), 3.0, 4.0]))
    found = predictions(predictor, rows, ["house"], 7, pa.array([None, "too many", None, None], pa.string()))
    whole = predictions(predictor, BATCH, ["house"], 7)
    assert found["prediction"].to_pylist()[1] is None
    assert found["reason"].to_pylist() == [None, "too many", None, None]
    assert found["prediction"].is_valid().to_pylist() == [True, False, True, True]
    none = predictions(predictor, rows, ["house"], 7, pa.array(["so"] * 4))
    assert none.schema == found.schema == whole.schema
    assert none["prediction"].null_count == 4


def test_the_reasons_of_rows_are_told_batch_by_batch():
    breaches = [
        Breach(Finding(expectation=name, severity="critical", reason="so", observed="x"), np.array(positions))
        for name, positions in (("a", [1, 4]), ("b", [4, 5]))
    ]
    assert reasons_of(breaches, 0, 3).to_pylist() == [None, "a: so", None]
    assert reasons_of(breaches, 3, 3).to_pylist() == [None, "a: so; b: so", "b: so"]
    assert reasons_of((), 3, 1).type == pa.string()


def test_a_value_that_could_not_be_read_stands_in_the_reason():
    finding = Finding(expectation="rooms: a number", severity="critical", reason="so", observed="x")
    breach = Breach(finding, np.array([1, 4]), ("'abc'", "'?'"))
    assert reasons_of([breach], 4, 1).to_pylist() == ["rooms: a number: so; it is '?'"]


# What stands beside a prediction.

HELD = Interval(value=0.9, low=0.8, high=1.0)


def around(**what):
    return Around(Intervals(rows=9, test_rows=9, levels=(Coverage(level=0.9, measured=HELD, size=1.0, **what),)), 0.9)


def test_a_number_has_the_bounds_of_its_interval_beside_it():
    predictor = fitted(LinearRegression(), [10.0, 20.0, 30.0, 40.0])
    reasons = pa.array([None, "so", None, None], pa.string())
    found = predictions(predictor, BATCH, ["house"], 7, reasons, around(margins=(5.0,)))
    assert found.schema.names == ["house", "prediction", "low", "high", "version", "reason"]
    np.testing.assert_allclose(found["low"].drop_null().to_numpy(), [5, 25, 35])
    np.testing.assert_allclose(found["high"].drop_null().to_numpy(), [15, 35, 45])
    assert found["low"].to_pylist()[1] is found["high"].to_pylist()[1] is None


def test_a_class_has_the_labels_that_are_possible_beside_it():
    predictor = fitted(LogisticRegression(), ["hut", "hut", "villa", "villa"])
    found = predictions(predictor, BATCH, [], 1, None, around(thresholds=(0.0, 0.9)))
    assert found["set"].to_pylist() == ["hut", "hut", "hut; villa", "hut; villa"]
    none = predictions(predictor, BATCH, [], 1, pa.array(["so"] * 4), around(thresholds=(0.0, 0.9)))
    assert none.schema == found.schema


def test_a_level_that_was_not_measured_is_a_sentence_before_any_row_is_read():
    predictor = fitted(LinearRegression(), [10.0, 20.0, 30.0, 40.0])
    with pytest.raises(ProblemError, match=r"no interval of level 0\.8; allowed are: 0\.9"):
        check_columns(predictor, ("rooms", "people"), [], around(margins=(5.0,))._replace(level=0.8))
    with pytest.raises(ProblemError, match="identity names the column 'low'"):
        check_columns(predictor, ("rooms", "people", "low"), ["low"], around(margins=(5.0,)))


# Scoring equals evaluation.


@pytest.mark.parametrize(
    ("estimator", "parameters", "tolerance"),
    [
        ("RandomForestRegressor", {}, 0),
        ("HistGradientBoostingRegressor", {}, 0),
        ("LogisticRegression", {}, 0),
        ("WideAndDeepRegressor", {"epochs": 2}, 1e-5),
    ],
)
def test_rows_in_batches_get_the_predictions_that_they_were_judged_by(
    version_of, store, estimator, parameters, tolerance
):
    version = version_of(estimator, test_rows=50, **parameters)
    predictor = load_version(version, store)
    rows = store.table(version.test).to_batches(max_chunksize=16)
    found = pa.Table.from_batches([predictions(predictor, batch, [], 1) for batch in rows])["prediction"].to_pandas()
    judged = store.table(version.scores.predictions)["challenger"].to_pandas()
    if tolerance:
        np.testing.assert_allclose(found, judged, rtol=tolerance)
    else:
        assert found.tolist() == judged.tolist()
