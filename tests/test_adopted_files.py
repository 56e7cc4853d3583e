"""Model files from outside: what they hold is looked through before anything of it is made."""

import functools
import json
import os
import pickle
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import StackingRegressor, VotingClassifier
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import LogisticRegression, Ridge, TweedieRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor

from tasks.adopting.adopted_files import read_model, strange_names
from tasks.errors import ProblemError

IRIS, DIABETES = load_iris(as_frame=True), load_diabetes(as_frame=True)


class Reduced:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def refused(path, *, trust_pickle=False):
    with pytest.raises(ProblemError) as caught:
        read_model(path, trust_pickle=trust_pickle)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


CLASSIFIERS = {
    "pipeline": make_pipeline(StandardScaler(), SVC()),
    "search": GridSearchCV(LogisticRegression(max_iter=1000), {"C": [0.1, 1.0]}, cv=2),
    "calibrated": CalibratedClassifierCV(LogisticRegression(max_iter=1000), cv=2),
    "voting": VotingClassifier([("a", LogisticRegression(max_iter=1000)), ("b", SVC())]),
}
REGRESSORS = {
    "stack": StackingRegressor([("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3))], cv=2),
    "logarithm": TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
    "columns": make_pipeline(
        ColumnTransformer([("sex", OneHotEncoder(), ["sex"])], remainder="passthrough"),
        SelectKBest(f_regression),
        Ridge(),
    ),
    "splines": make_pipeline(FunctionTransformer(np.abs), SplineTransformer(), Ridge()),
    "tweedie": TweedieRegressor(max_iter=1000),
}


@pytest.mark.parametrize("kind", ["skops", "joblib", "pkl"])
@pytest.mark.parametrize("name", [*CLASSIFIERS, *REGRESSORS])
def test_what_people_build_of_scikit_learn_is_read(tmp_path, name, kind):
    data = IRIS if name in CLASSIFIERS else DIABETES
    model = (CLASSIFIERS | REGRESSORS)[name].fit(data.data, data.target)
    path = tmp_path / f"model.{kind}"
    write = {"skops": skops.io.dump, "joblib": joblib.dump, "pkl": lambda m, p: p.write_bytes(pickle.dumps(m))}[kind]
    write(model, path)
    read = read_model(path, trust_pickle=True)
    assert read.notes == ()
    np.testing.assert_array_equal(read.model.predict(data.data), model.predict(data.data))


def test_a_pickle_is_not_read_unless_the_user_vouches_for_it(tmp_path):
    mark = tmp_path / "it ran"
    for name, write in {"model.joblib": joblib.dump, "model.pkl": lambda m, p: p.write_bytes(pickle.dumps(m))}.items():
        write(Reduced(mark), tmp_path / name)
        sentence = refused(tmp_path / name)
        assert "is a pickle: reading it runs whatever program it holds" in sentence
        assert "--trust-pickle" in sentence
        assert not mark.exists()
        assert "holds a NoneType, not a model of scikit-learn" in refused(tmp_path / name, trust_pickle=True)
        mark.unlink()  # vouched for, it ran


def test_a_pickle_in_a_skops_file_is_never_run(tmp_path):
    mark, path = tmp_path / "it ran", tmp_path / "model.skops"
    path.write_bytes(pickle.dumps(Reduced(mark)))
    assert "cannot be read as what skops.io.dump writes" in refused(path, trust_pickle=True)
    skops.io.dump(make_pipeline(Reduced(mark)), path)
    assert "holds types that are not on the list" in refused(path, trust_pickle=True)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (FunctionTransformer(os.system), "posix.system"),
        (FunctionTransformer(functools.partial(os.system, "true")), "functools.partial"),
        (FunctionTransformer(eval), "builtins.eval"),
        (FunctionTransformer(os.remove), "posix.remove"),
    ],
)
@pytest.mark.parametrize("kind", ["skops", "joblib"])
def test_a_type_beyond_the_list_is_refused_by_name(tmp_path, step, expected, kind):
    path = tmp_path / f"model.{kind}"
    (skops.io.dump if kind == "skops" else joblib.dump)(make_pipeline(step, Ridge()), path)
    sentence = refused(path, trust_pickle=True)
    assert "not on the list" in sentence
    assert expected in sentence


def test_a_lambda_is_refused(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(make_pipeline(FunctionTransformer(lambda values: values), Ridge()), path)
    assert "<lambda>" in refused(path, trust_pickle=True)


def test_of_a_search_its_best_model_is_taken(tmp_path):
    search = CLASSIFIERS["search"].fit(IRIS.data, IRIS.target)
    for name, write in {"model.skops": skops.io.dump, "model.joblib": joblib.dump}.items():
        write(search, tmp_path / name)
        found = read_model(tmp_path / name, trust_pickle=True).model
        assert (type(found), found.C) == (LogisticRegression, search.best_params_["C"])


def test_another_version_of_scikit_learn_is_told(tmp_path):
    model = Ridge().fit(DIABETES.data, DIABETES.target)
    content = pickle.dumps(model).replace(b"1.9.", b"1.2.")
    (tmp_path / "model.pkl").write_bytes(content)
    [note] = read_model(tmp_path / "model.pkl", trust_pickle=True).notes
    assert note.startswith("The model was made with scikit-learn 1.2.")
    assert "its predictions may differ" in note


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("gone.skops", None, r"is no file; give the model's own: *.skops, *.keras, *.joblib"),
        ("model.h5", b"x", "is of a kind that is not read; allowed: .skops, .keras, .joblib, .pickle, .pkl."),
        ("model.pkl", b"torn", "cannot be unpickled here: "),
        ("model.skops", b"torn", "cannot be read as what skops.io.dump writes: "),
        ("model.keras", b"torn", "cannot be read as what model.save of Keras writes: File is not a zip file."),
        ("model.joblib", pickle.dumps({"a": 1}), "holds a dict, not a model of scikit-learn"),
        ("model.pickle", b"cnowhere\nnothing\n.", "cannot be unpickled here: ModuleNotFoundError: No module named"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, name, content, expected):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert expected in refused(tmp_path / name, trust_pickle=True)


# Keras: the configuration is looked through before Keras is even imported.


def keras_file(path, config, **weights):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(config))
        for kind, content in weights.items():
            archive.writestr(f"model.weights.{kind}", content)
    return path


def layer(class_name, package="keras.layers", /, registered_name=None, **config):
    return {"module": package, "class_name": class_name, "config": config, "registered_name": registered_name}


def sequential(*layers):
    return layer("Sequential", "keras", name="model", layers=list(layers))


LAMBDA = {"class_name": "__lambda__", "config": {"value": ["4wEAAAA=", None, None]}}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (sequential(layer("Lambda", function=LAMBDA)), "keras.layers.Lambda, __lambda__"),
        (sequential(layer("TFSMLayer", filepath="another")), "keras.layers.TFSMLayer"),
        (sequential(layer("TorchModuleWrapper", module="gASV")), "keras.layers.TorchModuleWrapper"),
        ({"module": "os", "class_name": "function", "config": "system"}, "os.system"),
        ({"module": "keras.utils", "class_name": "function", "config": "get_file"}, "keras.utils.get_file"),
        ({"module": "keras.models", "class_name": "function", "config": "load_model"}, "keras.models.load_model"),
        ({"module": "keras.config", "class_name": "function", "config": "enable_unsafe_deserialization"}, "unsafe"),
        (sequential(layer("Popen", "subprocess")), "subprocess.Popen"),
        (sequential(layer("Dense", registered_name="own>Dense", units=1)), "keras.layers.Dense"),
        (sequential(layer("Mine", None, registered_name="own>Mine")), "own>Mine.Mine"),
        (sequential({"class_name": "Dense", "config": {}}), "Dense"),
        (sequential(layer("StringLookup", vocabulary="/etc/passwd")), "the vocabulary '/etc/passwd', a file outside"),
        (sequential(layer("Dense", activation={"a": [layer("Lambda")]})), "keras.layers.Lambda"),
        (layer("__typespec__", "tensorflow"), "tensorflow.__typespec__"),
    ],
)
def test_what_is_no_part_of_a_network_is_refused_by_name(tmp_path, config, expected):
    sentence = refused(keras_file(tmp_path / "model.keras", config), trust_pickle=True)
    assert "holds what is not on the list of those that are loaded" in sentence
    assert expected in sentence


def test_a_pickle_in_a_keras_file_is_never_run(tmp_path):
    mark, path = tmp_path / "it ran", tmp_path / "model.keras"
    path.write_bytes(pickle.dumps(Reduced(mark)))
    assert "File is not a zip file" in refused(path, trust_pickle=True)
    network = sequential(layer("InputLayer", batch_shape=[None, 2], dtype="float32", name="x"))
    np.save(tmp_path / "weights.npy", np.array([Reduced(mark)], dtype="object"), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "weights.npz", "w") as weights:
        weights.write(tmp_path / "weights.npy", "__root__.npy")
    keras_file(path, network, npz=(tmp_path / "weights.npz").read_bytes())
    refused(path, trust_pickle=True)
    assert not mark.exists()
    np.load(tmp_path / "weights.npz", allow_pickle=True)["__root__"]
    assert mark.exists()  # so it would have


def test_what_networks_are_made_of_is_known():
    network = sequential(
        layer("InputLayer", dtype=layer("DTypePolicy", "keras", name="float32")),
        layer("Dense", kernel_initializer=layer("GlorotUniform", "keras.initializers", seed=None), activation="relu"),
        layer("Activation", activation={"module": "builtins", "class_name": "function", "config": "gelu"}),
        layer("Where", "keras.src.ops.numpy", registered_name="Where"),
        {"class_name": "__keras_tensor__", "config": {"shape": [None, 1]}},
        layer("StringLookup", vocabulary=["a", "b"]),
    )
    assert list(strange_names(network)) == []
