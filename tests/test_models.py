import functools
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.dummy import DummyRegressor
from sklearn.preprocessing import FunctionTransformer

from tasks.columns import derive
from tasks.errors import StoreError
from tasks.estimators import build
from tasks.models import PIPELINE, load, predict, save
from tasks.problem import Candidate
from tasks.records import FeatureSet, Model

COLUMNS = FeatureSet(
    target="price", roles={"rooms": "numeric", "ratio": "numeric"}, derived={"ratio": "rooms / households"}
)
FRAME = pd.DataFrame({"rooms": [2.0, 4.0, 6.0, 8.0], "households": [1.0, 2.0, 0.0, 1.0]})
PRICE = np.array([1.0, 2.0, 3.0, 4.0])


def model_of(files):
    return Model.model_validate(
        {
            "candidate": {"name": "ridge", "estimator": "Ridge"},
            "task": "regression",
            "files": files,
            "columns": COLUMNS,
            "leaderboard": (),
            "trained_on": {"file": {"path": "x", "sha256": "0" * 64, "size": 1}, "rows": 1, "columns": ()},
            "libraries": {},
            "seed": 7,
        }
    )


def fitted(name="Ridge", task="regression", target=PRICE):
    estimator = build(Candidate(name="tried", estimator=name), task, COLUMNS, 7)
    return estimator.fit(derive(FRAME, COLUMNS), target)


def test_a_predictor_takes_raw_columns(store):
    estimator = fitted()
    loaded = load(model_of(save(estimator, COLUMNS, store)), store)
    prediction = loaded.predict(FRAME[["households", "rooms"]].assign(unrelated="x"))
    np.testing.assert_array_equal(prediction.values, estimator.predict(derive(FRAME, COLUMNS)))
    assert prediction.values.dtype == np.float64
    assert prediction.probabilities is None
    assert len(prediction.classes) == 0


def test_a_classifier_gives_classes_and_probabilities():
    features = derive(FRAME, COLUMNS)
    prediction = predict(fitted("GaussianNB", "classification", np.array(["b", "a", "b", "a"])), features)
    assert prediction.classes.tolist() == ["a", "b"]
    assert prediction.probabilities.shape == (4, 2)
    np.testing.assert_array_equal(prediction.values, prediction.classes[prediction.probabilities.argmax(axis=1)])
    without = predict(fitted("LinearSVC", "classification", np.array([0, 1, 0, 1])), features)
    assert without.probabilities is None
    assert set(without.values) <= {0, 1}


def test_an_altered_byte_is_found_and_named(store):
    files = save(fitted(), COLUMNS, store)
    path = store.path(files[PIPELINE])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        load(model_of(files), store)
    assert f"{path} was changed after it was written" in str(caught.value)


def test_a_missing_file_is_named(store):
    files = save(fitted(), COLUMNS, store)
    path = store.path(files[PIPELINE])
    path.unlink()
    with pytest.raises(StoreError) as caught:
        load(model_of(files), store)
    assert str(caught.value).startswith(f"{path} is missing")


class Reduced:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class OwnRegressor(DummyRegressor):
    """An estimator that is not on the list."""


def refused(path, store):
    with pytest.raises(StoreError, match="cannot be loaded as the model 'ridge'") as caught:
        load(model_of({PIPELINE: store.keep(path, "models", ".skops")}), store)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (FunctionTransformer(func=os.system), "posix.system"),
        (functools.partial(os.system, "true"), "functools.partial"),
        (FunctionTransformer(func=eval), "builtins.eval"),
        (OwnRegressor(), "OwnRegressor"),
    ],
)
def test_a_type_that_is_not_on_the_list_is_refused_and_named(store, tmp_path, content, expected):
    path = tmp_path / "model.skops"
    skops.io.dump(content, path)
    sentence = refused(path, store)
    assert "Untrusted types" in sentence
    assert expected in sentence


def test_what_would_run_when_unpickled_is_not_run(store, tmp_path):
    mark = tmp_path / "it ran"
    path = tmp_path / "model.skops"
    skops.io.dump(Reduced(mark), path)
    refused(path, store)
    assert not mark.exists()


def test_a_pickle_is_no_model(store, tmp_path):
    mark = tmp_path / "it ran"
    path = tmp_path / "model.skops"
    path.write_bytes(pickle.dumps(Reduced(mark)))
    refused(path, store)
    assert not mark.exists()
    pickle.loads(path.read_bytes() if path.exists() else pickle.dumps(Reduced(mark)))  # noqa: S301
    assert mark.exists()  # so it would have


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"{}"])
def test_a_torn_file_is_refused(store, tmp_path, content):
    path = tmp_path / "model.skops"
    path.write_bytes(content)
    refused(path, store)
