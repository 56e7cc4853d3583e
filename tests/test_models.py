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

from tasks.candidates import Candidate, Member
from tasks.columns import derive
from tasks.errors import StoreError
from tasks.estimators import build
from tasks.models import NETWORK, PIPELINE, Predictor, has_network, load, predict, save
from tasks.records import Cutoff, FeatureSet, Model

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


def together(task, *members):
    """Give the candidate of an ensemble, by estimator and weight."""
    found = [
        Member(candidate=Candidate(name=f"m{place}", estimator=name, parameters=parameters), weight=weight)
        for place, (name, weight, parameters) in enumerate(members)
    ]
    kind = "EnsembleRegressor" if task == "regression" else "EnsembleClassifier"
    parameters = {"intercept": 0.1} if task == "regression" else {}
    return Candidate(name="together", estimator=kind, members=tuple(found), parameters=parameters)


def kept(candidate, task, target, store):
    """Give the estimator of a candidate, fitted, and its model, kept."""
    estimator = build(candidate, task, COLUMNS, 7).fit(derive(FRAME, COLUMNS), target)
    model = model_of(save(estimator, COLUMNS, store)).model_copy(
        update={"candidate": candidate, "task": task, "classes": tuple(getattr(estimator, "classes_", []))}
    )
    return estimator, Model.model_validate_json(model.model_dump_json())


TREES = (
    ("RandomForestRegressor", 0.123456789, {"n_estimators": 20}),
    ("HistGradientBoostingRegressor", 0.3, {"max_iter": 20, "min_samples_leaf": 1}),
    ("ExtraTreesRegressor", 0.57654321, {"n_estimators": 20}),
)


def test_an_ensemble_keeps_each_member_and_predicts_the_same_to_the_last_bit(store):
    estimator, model = kept(together("regression", *TREES), "regression", PRICE, store)
    assert set(model.files) == {f"members/{place}/{PIPELINE}" for place in range(3)}
    assert not has_network(model)
    found = load(model, store).predict(FRAME).values
    np.testing.assert_array_equal(found, Predictor(estimator, COLUMNS).predict(FRAME).values)


def test_an_ensemble_with_a_network_keeps_that_as_a_network_and_serves_nothing(store):
    candidate = together(
        "classification", ("GaussianNB", 0.5, {}), ("WideAndDeepClassifier", 0.5, {"epochs": 2, "hidden": [4]})
    )
    estimator, model = kept(candidate, "classification", np.array(["b", "a", "b", "a"]), store)
    assert set(model.files) == {f"members/0/{PIPELINE}", f"members/1/{NETWORK}"}
    assert has_network(model)
    assert model.served_files == {}
    found = load(model, store).predict(FRAME)
    expected = Predictor(estimator, COLUMNS).predict(FRAME)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=1e-6)
    assert found.values.tolist() == expected.values.tolist()
    assert found.classes.tolist() == ["a", "b"]


def test_a_member_with_an_altered_byte_is_found_and_named(store):
    _, model = kept(together("regression", *TREES), "regression", PRICE, store)
    path = store.path(model.files[f"members/1/{PIPELINE}"])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=f"{path} was changed after it was written"):
        load(model, store)


def test_a_member_of_a_type_that_is_not_on_the_list_is_refused(store, tmp_path):
    _, model = kept(together("regression", *TREES), "regression", PRICE, store)
    path = tmp_path / "model.skops"
    skops.io.dump(FunctionTransformer(func=os.system), path)
    files = model.files | {f"members/2/{PIPELINE}": store.keep(path, "models", ".skops")}
    with pytest.raises(StoreError, match=r"cannot be loaded as the model 'm2': Untrusted types.*posix\.system"):
        load(model.model_copy(update={"files": files}), store)


@pytest.mark.parametrize(
    "cutoff", [Cutoff(positive="b", threshold=0.9), Cutoff(positive="a", threshold=0.1), Cutoff(costs=((0, 9), (1, 0)))]
)
def test_a_cutoff_decides_between_the_classes(store, cutoff):
    target = np.array(["b", "a", "b", "a"])
    estimator = build(Candidate(name="b", estimator="LogisticRegression"), "classification", COLUMNS, 7)
    estimator.fit(derive(FRAME, COLUMNS), target)
    model = model_of(save(estimator, COLUMNS, store, cutoff)).model_copy(
        update={"task": "classification", "classes": ("a", "b"), "cutoff": cutoff}
    )
    found, plain = load(model, store).predict(FRAME), Predictor(estimator, COLUMNS).predict(FRAME)
    np.testing.assert_array_equal(found.probabilities, plain.probabilities)
    assert found.values.tolist() == np.where(found.probabilities[:, 1] >= 0.9, "b", "a").tolist()
    assert found.values.tolist() != plain.values.tolist()


def test_the_class_that_a_served_network_answers_follows_the_cutoff(store, tmp_path):
    from tasks.networks import tensorflow

    candidate = Candidate(name="net", estimator="WideAndDeepClassifier", parameters={"epochs": 2, "hidden": [4]})
    estimator = build(candidate, "classification", COLUMNS, 7)
    estimator.fit(derive(FRAME, COLUMNS), np.array(["b", "a", "b", "a"]))
    share = np.sort(estimator.predict_proba(derive(FRAME, COLUMNS))[:, 1])
    cutoff = Cutoff(positive="b", threshold=float(share[2:].mean()))  # between the last two
    model = model_of(save(estimator, COLUMNS, store, cutoff)).model_copy(
        update={"candidate": candidate, "task": "classification", "classes": ("a", "b"), "cutoff": cutoff}
    )
    values = load(model, store).predict(FRAME).values.tolist()
    assert sorted(values) == ["a", "a", "a", "b"]
    store.project(model.served_files, tmp_path / "1")
    tf = tensorflow()
    raw = {name: tf.constant(FRAME[name].to_numpy()) for name in ("rooms", "households")}
    answer = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"](**raw)
    assert [label.decode() for label in answer["class"].numpy()] == values
