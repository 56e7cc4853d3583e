"""A model from outside becomes a `Model` like any other: it is loaded, measured and rehearsed as one."""

from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tasks.adopting.adopted import adopt_model
from tasks.columns import FOLD, ROW
from tasks.errors import ProblemError
from tasks.gate import Behaviour
from tasks.judging.measurements import measured
from tasks.models import load
from tasks.networks import tensorflow
from tasks.records import FeatureSet, Split

COLUMNS = FeatureSet(
    target="price",
    roles={"rooms": "numeric", "income": "numeric", "place": "categorical", "notes": "text", "ratio": "numeric"},
    derived={"ratio": "rooms / people"},
)
NUMBERS = COLUMNS.model_copy(update={"roles": {"rooms": "numeric", "income": "numeric"}, "derived": {}})


def frame(start, count):
    number = np.arange(start, start + count)
    rooms = number % 6 + 1
    return pd.DataFrame(
        {
            "house": number,
            "rooms": rooms,
            "people": number % 4 + 1,
            "income": np.sin(number) + 2,
            "place": np.where(number % 3, "shore", "hill"),
            "notes": np.where(number % 2, "a quiet street", "near the noisy harbour"),
            "sold": pd.Timestamp("2026-01-01") + pd.to_timedelta(number, unit="D"),
            "price": 100.0 * rooms + 30 * np.sin(number),
            "kind": np.where(rooms > 3, "villa", "hut"),
            ROW: number.astype("uint64"),
        }
    )


KNOWN, NEW = frame(0, 120), frame(200, 60)


@pytest.fixture
def sides(store):
    def keep(rows, kind):
        return store.keep_table(pa.Table.from_pandas(rows, preserve_index=False), kind)

    train = keep(KNOWN.assign(**{FOLD: (np.arange(120) % 5).astype("int16")}), "train")
    return Split(train=train, test=keep(NEW, "test"), strata=(), unit=("house",), folds=5)


@pytest.fixture
def adopt(store, sides, tmp_path):
    def adopted(model, columns=COLUMNS, task="regression", trust_pickle=True, name=None):
        path = tmp_path / (name or ("model.keras" if hasattr(model, "inputs") else "model.skops"))
        if path.suffix == ".keras":
            model.save(path)
        else:
            (skops.io.dump if path.suffix == ".skops" else joblib.dump)(model, path)
        target = columns.model_copy(update={"target": "kind"}) if task == "classification" else columns
        found = adopt_model(path, target, sides, sides.train, task, 7, store, trust_pickle=trust_pickle)
        return found.model, found.notes

    return adopted


def refused(call):
    with pytest.raises(ProblemError) as caught:
        call()
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_a_pipeline_reads_the_columns_that_it_names_in_its_order(adopt, store, sides):
    prepare = make_column_transformer((OneHotEncoder(), ["place", "people"]), remainder="passthrough")
    names = ["income", "place", "people", "ratio"]
    rows = KNOWN.assign(ratio=KNOWN["rooms"] / KNOWN["people"])
    fitted = make_pipeline(prepare, Ridge()).fit(rows[names], KNOWN["price"])
    model, notes = adopt(fitted)
    assert notes == ()
    assert list(model.columns.roles.items()) == [
        ("income", "numeric"),
        ("place", "categorical"),
        ("people", "numeric"),
        ("ratio", "numeric"),
    ]
    assert model.columns.derived == {"ratio": "rooms / people"}
    assert (model.candidate.name, model.candidate.estimator, model.leaderboard) == ("adopted", "Ridge", ())
    assert model.trained_on == sides.train
    assert [each.name for each in model.inputs] == ["income", "place", "people", "rooms"]
    assert model.inputs[1].values == ("hill", "shore")
    expected = fitted.predict(NEW.assign(ratio=NEW["rooms"] / NEW["people"])[names])
    np.testing.assert_allclose(load(model, store).predict(NEW).values, expected, rtol=1e-12)


def test_inputs_are_those_of_the_problem_where_nobody_told_what_a_model_was_trained_on(sides, store, tmp_path):
    skops.io.dump(Ridge().fit(KNOWN[["income"]], KNOWN["price"]), tmp_path / "model.skops")
    none = store.keep_table(store.table(sides.train).slice(0, 0), "train")
    found = adopt_model(tmp_path / "model.skops", COLUMNS, sides, none, "regression", 7, store, trust_pickle=False)
    (income,) = found.model.inputs
    assert income.low == pytest.approx(KNOWN["income"].min())


@pytest.mark.parametrize("name", ["model.skops", "model.joblib"])
def test_an_adopted_model_is_measured_and_rehearsed_like_any_other(adopt, store, sides, fresh, name):
    fitted = RandomForestRegressor(5, n_jobs=2, random_state=1).fit(KNOWN[["rooms", "income"]], KNOWN["price"])
    model, _ = adopt(fitted, name=name)
    found = fresh.measure(model, sides.test, (Behaviour(column="place", replace="hill", prediction="same"),), store)
    assert (found.broken, found.behaviour_rows) == ((0.0,), 60)
    estimator = load(model, store).estimator
    assert estimator.n_jobs is None
    assert set(model.files) == {"model.skops"}


def test_a_matrix_without_names_is_the_numeric_features_in_their_order(adopt, store):
    matrix = KNOWN[["rooms", "income"]].to_numpy("float64")
    fitted = make_pipeline(StandardScaler(), Ridge()).fit(matrix, KNOWN["price"])
    model, _ = adopt(fitted, NUMBERS)
    assert (model.candidate.estimator, list(model.columns.roles)) == ("Ridge", ["rooms", "income"])
    expected = fitted.predict(NEW[["rooms", "income"]].to_numpy("float64"))
    np.testing.assert_array_equal(load(model, store).predict(NEW).values, expected)
    assert "was trained on a matrix of 2 columns without names" in refused(lambda: adopt(fitted))


def test_one_column_of_texts_needs_no_name(adopt, store):
    fitted = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(KNOWN["notes"], KNOWN["house"] % 2)
    labels = np.where(KNOWN["house"] % 2, "villa", "hut")
    fitted = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(KNOWN["notes"], labels)
    model, _ = adopt(fitted, task="classification")
    assert model.columns.roles == {"notes": "text"}
    found = load(model, store).predict(NEW)
    assert found.values.tolist() == fitted.predict(NEW["notes"]).tolist()
    np.testing.assert_array_equal(found.probabilities, fitted.predict_proba(NEW["notes"]))


def test_a_classifier_has_its_classes(adopt):
    fitted = LogisticRegression().fit(KNOWN[["rooms"]], KNOWN["kind"])
    model, notes = adopt(fitted, task="classification")
    assert (model.classes, notes) == (("hut", "villa"), ())
    assert "is no model for task = 'regression'" in refused(lambda: adopt(fitted))


def test_classes_that_the_data_do_not_have_are_refused(adopt):
    fitted = LogisticRegression().fit(KNOWN[["rooms"]], KNOWN["kind"] == "villa")
    sentence = refused(lambda: adopt(fitted, task="classification"))
    assert "tells the classes False, True apart, but the target 'kind' holds 'hut', 'villa'" in sentence


def test_a_class_that_the_model_does_not_know_is_told(adopt):
    labels = KNOWN["kind"].replace("hut", "cave")
    fitted = LogisticRegression().fit(KNOWN[["rooms"]], labels)
    model, notes = adopt(fitted, task="classification")
    assert model.classes == ("cave", "villa")
    assert notes == ("The model does not know the class 'hut' of kind.",)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["rooms", "incomes"], r"reads the column 'incomes', which the data does not have (did you mean 'income'?)"),
        (["rooms", "price"], "reads the target 'price', which nobody knows when a model predicts"),
        (["rooms", "sold"], "reads the date 'sold'; a model can read what [derived] makes of it"),
    ],
)
def test_a_column_that_a_model_cannot_have_is_refused(adopt, names, expected):
    rows = pd.DataFrame(np.ones((9, 2)), columns=names)
    assert expected in refused(lambda: adopt(Ridge().fit(rows, np.arange(9))))


def test_a_model_that_cannot_predict_is_refused(adopt):
    assert "which is no model for task = 'regression'" in refused(lambda: adopt(StandardScaler().fit(KNOWN[["rooms"]])))
    assert "is not fitted, which does not fit" in refused(lambda: adopt(Ridge(), NUMBERS))
    fitted = Ridge().fit(KNOWN[["rooms", "people"]].rename(columns={"people": "place"}), KNOWN["price"])
    assert "cannot predict for rows of the data: ValueError: could not convert" in refused(lambda: adopt(fitted))
    fitted = Ridge().fit(KNOWN[["rooms"]], KNOWN[["price", "income"]])
    assert "predicts values of the shape (2,) for each row, not one" in refused(lambda: adopt(fitted))


# Networks.


@pytest.fixture
def keras():
    found = tensorflow().keras
    found.utils.set_random_seed(1)
    return SimpleNamespace(found=found, layers=found.layers, Input=found.Input, Model=found.Model)


def test_a_network_takes_columns_by_name_and_is_served(adopt, store, sides, keras):
    rooms, place = keras.Input((1,), name="rooms"), keras.Input((), name="place", dtype="string")
    shores = keras.layers.StringLookup(vocabulary=["hill", "shore"], output_mode="one_hot")(place)
    network = keras.Model([rooms, place], keras.layers.Dense(1)(keras.layers.Concatenate()([rooms, shores])))
    model, _ = adopt(network)
    assert model.columns.roles == {"rooms": "numeric", "place": "categorical"}
    assert (model.candidate.estimator, "saved_model/saved_model.pb" in model.files) == ("Functional", True)
    constant = tensorflow().constant
    given = [constant(NEW[["rooms"]].to_numpy("float32")), constant(NEW["place"].to_numpy("object"))]
    found = load(model, store).predict(NEW).values
    np.testing.assert_allclose(found, network(given).numpy()[:, 0], rtol=1e-6, atol=1e-6)
    with store.scratch() as folder:
        store.project(model.served_files, folder / "1")
        served = tensorflow().saved_model.load(str(folder / "1")).signatures["serving_default"]
        answer = served(rooms=constant(NEW["rooms"].to_numpy("float64")), place=given[1])
    np.testing.assert_allclose(answer["prediction"].numpy(), found, rtol=1e-5, atol=1e-6)
    assert measured(model, sides.test, (), store).row_milliseconds > 0


def test_a_network_takes_all_numbers_as_one_matrix(adopt, store, keras):
    network = keras.found.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    model, _ = adopt(network, NUMBERS, task="classification")
    assert (list(model.columns.roles), model.classes) == (["rooms", "income"], ("hut", "villa"))
    found = load(model, store).predict(NEW)
    share = network(NEW[["rooms", "income"]].to_numpy("float32")).numpy()[:, 0]
    np.testing.assert_allclose(found.probabilities, np.column_stack([1 - share, share]), atol=1e-6)
    assert found.values.tolist() == np.where(found.probabilities[:, 1] > 0.5, "villa", "hut").tolist()


@pytest.mark.parametrize("built", [dict, list])
def test_a_network_is_given_inputs_as_it_was_built_with_them(adopt, store, keras, built):
    inputs = {name: keras.Input((), name=name) for name in ("income", "rooms")}
    total = keras.found.ops.expand_dims(inputs["rooms"] * 10 + inputs["income"], axis=1)
    model, _ = adopt(keras.Model(inputs if built is dict else list(inputs.values()), total))
    np.testing.assert_allclose(load(model, store).predict(NEW).values, NEW["rooms"] * 10 + NEW["income"], rtol=1e-6)
    one = {"rooms": keras.Input((1,), name="rooms")}
    model, _ = adopt(keras.Model(one if built is dict else list(one.values()), one["rooms"] * 2))
    np.testing.assert_allclose(load(model, store).predict(NEW).values, NEW["rooms"] * 2)


def test_whole_numbers_that_are_missing_are_no_whole_numbers(adopt, keras, store, sides):
    house = keras.Input((1,), name="income", dtype="int32")
    network = keras.Model(house, keras.found.ops.cast(house, "float32"))
    model, _ = adopt(network)
    assert load(model, store).predict(NEW).values.tolist() == np.floor(NEW["income"]).tolist()
    with pytest.raises(ValueError, match="whole numbers are taken of income, but a value is missing"):
        load(model, store).predict(NEW.assign(income=np.nan))


def test_a_network_whose_outputs_do_not_fit_is_refused(adopt, keras):
    def ending(units, activation=None):
        layers = [keras.Input((2,)), keras.layers.Dense(units, activation=activation)]
        return lambda: adopt(keras.found.Sequential(layers), NUMBERS, task="classification")

    assert "outputs of the shape (None, 3), but task = 'classification' needs 2 of them" in refused(
        ending(3, "softmax")
    )
    assert "gives no probabilities of classes; end a network with softmax or sigmoid" in refused(ending(2))
    assert ending(2, "softmax")()[0].classes == ("hut", "villa")


def test_a_network_whose_inputs_do_not_fit_is_refused(adopt, keras):
    wide = keras.found.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    assert "has the shape (None, 3), so it does not take these columns: rooms, income" in refused(
        lambda: adopt(wide, NUMBERS)
    )
    place = keras.Input((1,), name="place")
    assert "takes the column 'place' as float32, but it holds text" in refused(
        lambda: adopt(keras.Model(place, keras.layers.Dense(1)(place)))
    )
