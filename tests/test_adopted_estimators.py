"""What stands between a frame of features and a model that takes something else."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from tasks.adopting.adopted_estimators import Unnamed, columns_taken
from tasks.models import TRUSTED, predict

ROLES = {"rooms": "numeric", "income": "numeric", "place": "categorical", "notes": "text"}
X = pd.DataFrame({"rooms": [1.0, 2.0, 3.0, 4.0], "income": [3.0, 1.0, 2.0, 0.0]})
MATRIX = X.to_numpy()


def tensor(*shape, dtype="float32"):
    return SimpleNamespace(shape=(None, *shape), dtype=dtype)


def test_an_estimator_without_names_is_given_a_matrix():
    fitted = Ridge().fit(MATRIX, [1.0, 2.0, 3.0, 4.0])
    found = predict(Unnamed(fitted), X)
    np.testing.assert_array_equal(found.values, fitted.predict(MATRIX))
    assert (len(found.classes), found.probabilities) == (0, None)


def test_classes_and_probabilities_are_those_of_the_estimator():
    fitted = LogisticRegression().fit(MATRIX, ["a", "b", "a", "b"])
    found = predict(Unnamed(fitted), X)
    assert found.classes.tolist() == ["a", "b"]
    np.testing.assert_array_equal(found.probabilities, fitted.predict_proba(MATRIX))
    assert predict(Unnamed(LinearSVC().fit(MATRIX, [0, 1, 0, 1])), X).probabilities is None


def test_it_is_kept_without_a_pickle():
    kept = skops.io.dumps(Unnamed(Ridge().fit(MATRIX, [1.0, 2.0, 3.0, 4.0]), column=None))
    again = skops.io.loads(kept, trusted=list(TRUSTED))
    assert isinstance(again, Unnamed)
    assert again.predict(X).shape == (4,)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"rooms": tensor(1), "place": tensor(dtype="string")}, {"rooms": ["rooms"], "place": ["place"]}),
        ({"input_layer": tensor(2)}, {"input_layer": ["rooms", "income"]}),
        ({"image": tensor(2, 1, 1)}, {"image": ["rooms", "income"]}),
        ({"words": tensor(1, dtype="string")}, {"words": ["notes"]}),
        (
            {"numeric": tensor(2), "categorical": tensor(1, dtype="string")},
            {"numeric": ["rooms", "income"], "categorical": ["place"]},
        ),
    ],
)
def test_inputs_are_features_or_all_of_a_role(inputs, expected):
    assert columns_taken(inputs, ROLES) == expected


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"rooms": tensor(1), "incom": tensor(1)}, r"its input 'incom' is no column \(did you mean 'income'\?\)"),
        ({"rooms": tensor(3)}, r"its input 'rooms' has the shape \(None, 3\)"),
        ({"image": tensor(None, None)}, r"so it does not take these columns: rooms, income"),
        ({"categorical": tensor(2, dtype="string")}, "so it does not take these columns: place"),
    ],
)
def test_inputs_that_do_not_fit_are_named(inputs, expected):
    with pytest.raises(ValueError, match=expected):
        columns_taken(inputs, ROLES)
