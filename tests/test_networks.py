import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from tasks.candidates import Candidate
from tasks.columns import derive, source_columns
from tasks.errors import StoreError
from tasks.estimators import build
from tasks.models import NETWORK, load, predict, save
from tasks.networks import tensorflow
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


def test_features_that_are_crossed_must_be_numeric_ones():
    frame, target, _ = rows_of("WideAndDeepRegressor")
    with pytest.raises(
        ValueError, match=r"crossed = \['rooms', 'place'\] must name two numeric features; allowed: .*ratio"
    ):
        untrained("WideAndDeepRegressor", crossed=("rooms", "place")).fit(derive(frame, HOUSES), target)


def test_a_surface_over_two_features_is_learnt_and_served():
    """A chessboard of 4 x 4 squares, for which the sum of two functions of a coordinate is no use."""
    rng = np.random.default_rng(5)
    columns = FeatureSet(target="height", roles={"east": "numeric", "north": "numeric"}, derived={})
    frame = pd.DataFrame(rng.uniform(0, 4, (600, 2)), columns=["east", "north"])
    height = ((frame["east"] // 1 + frame["north"] // 1) % 2).to_numpy()
    settings = {
        "epochs": 30,
        "batch_size": 32,
        "learning_rate": 0.02,
        "hidden": (),
        "pieces": 0,
        "crossed": ("east", "north"),
    }
    candidate = Candidate(name="net", estimator="WideAndDeepRegressor", parameters=settings | {"grid": 9})
    network = build(candidate, "regression", columns, 7).fit(frame[:500], height[:500])
    residual = network.predict(frame[500:]) - height[500:]
    assert np.sqrt((residual**2).mean()) < 0.7 * height.std()


def test_logarithms_are_learnt_where_declared_and_need_targets_above_0():
    frame, _, new = rows_of("WideAndDeepRegressor")
    price = np.exp(frame["income"].to_numpy())
    network = untrained("WideAndDeepRegressor", target="log", epochs=1).fit(derive(frame, HOUSES), price)
    assert (network.predict(derive(new, HOUSES)) > 0).all()
    with pytest.raises(ValueError, match=r"target = 'log' needs targets above 0, but the smallest is -1"):
        untrained("WideAndDeepRegressor", target="log").fit(derive(frame, HOUSES), np.append(price[1:], -1.0))
    with pytest.raises(ValueError, match=r"target = 'root' is not known; allowed: plain, log"):
        untrained("WideAndDeepRegressor", target="root").fit(derive(frame, HOUSES), price)


def test_a_category_of_many_values_is_embedded_and_served(store):
    rng = np.random.default_rng(9)
    columns = FeatureSet(target="liked", roles={"town": "categorical"}, derived={})
    towns = pd.DataFrame({"town": rng.choice([f"town {number}" for number in range(40)], 600)})
    liked = np.where(towns["town"].str[-1].isin(list("02468")), "yes", "no")
    settings = {"epochs": 15, "batch_size": 32, "learning_rate": 0.02, "hidden": (8,)}
    candidate = Candidate(name="net", estimator="WideAndDeepClassifier", parameters=settings)
    network = build(candidate, "classification", columns, 7).fit(towns[:500], liked[:500])
    assert (network.predict(towns[500:]) == liked[500:]).mean() > 0.95
    new = pd.DataFrame({"town": ["town 1", "elsewhere", None]})
    files = save(network, columns, store)
    served = tensorflow().saved_model.load(str(served_folder(files, store))).signatures["serving_default"]
    given = tensorflow().constant(new["town"].fillna("").to_numpy(dtype="object"))
    np.testing.assert_allclose(served(town=given)["probabilities"], network.predict_proba(new), rtol=1e-5)


def served_folder(files, store):
    wanted = {name.removeprefix("saved_model/"): file for name, file in files.items() if name != NETWORK}
    store.project(wanted, store.folder / "serving" / "1")
    return store.folder / "serving" / "1"


def test_images_that_are_changed_in_training_are_predicted_as_they_are():
    frame, target = digits(300)
    parameters = {
        "epochs": 8,
        "batch_size": 8,
        "learning_rate": 0.003,
        "normalised": True,
        "shift": 0.5,
        "rotation": 8.0,
        "filters": 8,
    }
    candidate = Candidate(name="net", estimator="ConvolutionalNetworkClassifier", parameters=parameters)
    network = build(candidate, "classification", DIGITS, 7).fit(frame, target)
    new = frame.assign(pixel_0_0=np.nan)  # a missing pixel is a dark one
    np.testing.assert_array_equal(network.predict_proba(new), network.predict_proba(frame.assign(pixel_0_0=0.0)))
    assert (network.predict(frame) == target).mean() > 0.8
