import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from tasks.columns import derive, source_columns
from tasks.errors import StoreError
from tasks.estimators import build
from tasks.models import NETWORK, load, predict, save
from tasks.networks import tensorflow
from tasks.problem import Candidate
from tasks.records import FeatureSet, Model

HOUSES = FeatureSet(
    target="price",
    roles={"rooms": "numeric", "place": "categorical", "income": "numeric", "ratio": "numeric"},
    derived={"ratio": "sqrt(rooms) / (income - 2)"},
)
DIGITS = FeatureSet(target="target", roles=dict.fromkeys(load_digits().feature_names, "numeric"), derived={})


def houses():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "rooms": rng.integers(1, 9, 80).astype("float64"),
            "place": rng.choice(["shore", "hill"], 80),
            "income": rng.uniform(1, 5, 80),
        }
    )
    frame.loc[3, "rooms"] = np.nan
    frame.loc[4, "place"] = None
    frame.loc[5, "income"] = 2.0  # the ratio divides by zero
    return frame


def unseen_houses():
    return pd.DataFrame(
        {"rooms": [2.0, np.nan, 4.0, -1.0], "place": ["island", "shore", None, "hill"], "income": [2.0, 1.0, 3.0, 4.0]}
    )


def digits(rows=120):
    bunch = load_digits(as_frame=True)
    return bunch.data.head(rows), bunch.target.head(rows).to_numpy()


CASES = {
    "WideAndDeepRegressor": ("regression", HOUSES),
    "WideAndDeepClassifier": ("classification", HOUSES),
    "ConvolutionalNetworkClassifier": ("classification", DIGITS),
}


def rows_of(name):
    if name == "ConvolutionalNetworkClassifier":
        frame, target = digits()
        return frame, target, frame.tail(20)
    price = 100 + 20 * houses()["income"].to_numpy()
    return houses(), price if name.endswith("Regressor") else np.where(price > 160, "dear", "cheap"), unseen_houses()


def untrained(name, **parameters):
    task, columns = CASES[name]
    candidate = Candidate(name="net", estimator=name, parameters={"epochs": 2, "batch_size": 16} | parameters)
    return build(candidate, task, columns, 7)


def fitted(name):
    frame, target, _ = rows_of(name)
    return untrained(name).fit(derive(frame, CASES[name][1]), target)


@pytest.fixture(scope="module")
def networks():
    return {name: fitted(name) for name in CASES}


def model_of(name, files, classes) -> Model:
    task, columns = CASES[name]
    return Model.model_validate(
        {
            "candidate": {"name": "net", "estimator": name},
            "task": task,
            "files": files,
            "columns": columns,
            "classes": classes,
            "leaderboard": (),
            "trained_on": {"file": {"path": "x", "sha256": "0" * 64, "size": 1}, "rows": 1, "columns": ()},
            "libraries": {},
            "seed": 7,
        }
    )


@pytest.mark.parametrize("name", CASES)
def test_predictions_have_their_shape(networks, name):
    _, target, new = rows_of(name)
    prediction = predict(networks[name], derive(new, CASES[name][1]))
    assert prediction.values.shape == (len(new),)
    if CASES[name][0] == "regression":
        assert np.isfinite(prediction.values).all()
        return
    assert prediction.classes.tolist() == sorted(set(target))
    assert prediction.probabilities.shape == (len(new), len(prediction.classes))
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    likeliest = prediction.classes[prediction.probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(prediction.values, likeliest)


@pytest.mark.parametrize("name", CASES)
def test_the_same_seed_gives_the_same_predictions(networks, name):
    new = derive(rows_of(name)[2], CASES[name][1])
    np.testing.assert_array_equal(fitted(name).predict_features(new), networks[name].predict_features(new))


def test_another_seed_gives_other_predictions(networks):
    frame, target, new = rows_of("WideAndDeepRegressor")
    other = untrained("WideAndDeepRegressor", random_state=8).fit(derive(frame, HOUSES), target)
    assert (other.predict(derive(new, HOUSES)) != networks["WideAndDeepRegressor"].predict(derive(new, HOUSES))).any()


@pytest.mark.parametrize("name", CASES)
def test_the_loaded_and_the_served_network_repeat_the_predictions(networks, store, tmp_path, name):
    network, columns, new = networks[name], CASES[name][1], rows_of(name)[2]
    expected = network.predict_features(derive(new, columns))
    model = model_of(name, save(network, columns, store), tuple(getattr(network, "classes_", np.array([])).tolist()))
    assert set(model.served_files) >= {"saved_model.pb", "variables/variables.index"}

    loaded = load(model, store)
    np.testing.assert_allclose(loaded.estimator.predict_features(derive(new, columns)), expected, rtol=1e-5, atol=1e-6)
    prediction = loaded.predict(new)
    np.testing.assert_array_equal(prediction.values, predict(loaded.estimator, derive(new, columns)).values)

    store.project(model.served_files, tmp_path / "serving" / "1")
    tf = tensorflow()
    served = tf.saved_model.load(str(tmp_path / "serving" / "1")).signatures["serving_default"]
    raw = {
        column: tf.constant(new[column].fillna("").to_numpy(dtype="object"))
        if columns.roles[column] == "categorical"
        else tf.constant(new[column].to_numpy(dtype="float64"))
        for column in source_columns(columns)
    }
    answer = served(**raw)
    if CASES[name][0] == "regression":
        np.testing.assert_allclose(answer["prediction"].numpy(), prediction.values, rtol=1e-5)
    else:
        np.testing.assert_allclose(answer["probabilities"].numpy(), prediction.probabilities, rtol=1e-4, atol=1e-6)
        classes = [label.decode() if isinstance(label, bytes) else label for label in answer["class"].numpy()]
        assert classes == prediction.values.tolist()


def test_a_network_that_diverges_is_an_error():
    frame, target, _ = rows_of("WideAndDeepRegressor")
    with pytest.raises(ValueError, match=r"the network diverged.*lower learning_rate"):
        untrained("WideAndDeepRegressor", learning_rate=1e30).fit(derive(frame, HOUSES), target)


def test_a_network_learns():
    """Twenty epochs on a line: far better than the mean."""
    frame, target, _ = rows_of("WideAndDeepRegressor")
    network = untrained("WideAndDeepRegressor", epochs=20, learning_rate=0.01).fit(derive(frame, HOUSES), target)
    error = np.sqrt(((network.predict(derive(frame, HOUSES)) - target) ** 2).mean())
    assert error < 0.3 * target.std()


def test_code_inside_a_network_file_is_refused(store, tmp_path):
    """A Lambda layer is Python inside the file: safe mode does not run it."""
    keras = tensorflow().keras
    layers = [keras.Input((3,), name="numeric"), keras.layers.Lambda(lambda values: values * 2)]
    path = tmp_path / "network.keras"
    keras.Sequential(layers).save(path)
    model = model_of("WideAndDeepRegressor", {NETWORK: store.keep(path, "models", ".keras")}, ())
    with pytest.raises(StoreError, match="cannot be loaded as the model 'net'"):
        load(model, store)
