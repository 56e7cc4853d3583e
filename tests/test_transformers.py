"""What every transformer of [[features]] keeps to, whichever it is: built, fitted, stored and loaded by the product."""

import importlib

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from tasks.candidates import TRANSFORMERS, Candidate, Feature
from tasks.columns import derive
from tasks.errors import ProblemError
from tasks.estimators import build
from tasks.models import load, save
from tasks.records import FeatureSet, Model

NUMBERS = tuple(f"pixel_{row}_{column}" for row in range(3) for column in range(3))
TEXT = ("review",)
LABELS = np.array(["dear", "cheap"])[np.arange(40) % 2]


def made(name):
    return getattr(importlib.import_module(TRANSFORMERS[name]), name)()


def rows(seed=1):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(40, 9)), columns=NUMBERS)
    frame.loc[3, "pixel_0_0"] = np.nan
    words = rng.choice(["good", "bad", "film", "plot", "actor"], size=(40, 6))
    return frame.assign(review=[" ".join(each) for each in words])


def columns(name):
    reads_text = made(name).reads == "text"
    feature = Feature(name="made", transformer=name, columns=TEXT if reads_text else NUMBERS)
    roles = dict.fromkeys(NUMBERS, "numeric") | {"review": "text"}
    return FeatureSet(target="price", roles=roles, derived={}, features=(feature,))


def fitted(name, estimator="LogisticRegression"):
    pipeline = build(Candidate(name="tried", estimator=estimator), "classification", columns(name), 7)
    return pipeline.fit(derive(rows(), columns(name)), LABELS)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_what_is_fitted_survives_the_store_exactly(store, name):
    pipeline = fitted(name)
    model = Model.model_validate(
        {
            "candidate": {"name": "tried", "estimator": "LogisticRegression"},
            "task": "classification",
            "files": save(pipeline, columns(name), store),
            "columns": columns(name),
            "leaderboard": (),
            "trained_on": {"file": {"path": "x", "sha256": "0" * 64, "size": 1}, "rows": 1, "columns": ()},
            "libraries": {},
            "seed": 7,
        }
    )
    expected = pipeline.predict_proba(derive(rows(2), columns(name)))
    np.testing.assert_array_equal(load(model, store).predict(rows(2)).probabilities, expected)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_the_same_seed_makes_the_same_features(name):
    new = derive(rows(2), columns(name))
    np.testing.assert_array_equal(fitted(name).predict_proba(new), fitted(name).predict_proba(new))


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_each_feature_has_a_name(name):
    transformer = fitted(name).named_steps["prepare"].named_transformers_["made"]
    names = transformer.get_feature_names_out(TEXT if made(name).reads == "text" else NUMBERS)
    read = derive(rows(2), columns(name))[list(columns(name).features[0].columns)]
    assert transformer.transform(read).shape == (40, len(names)) == (40, len(set(names)))


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_copy_has_the_same_parameters_and_nothing_fitted(name):
    transformer = made(name)
    assert clone(transformer).get_params() == transformer.get_params()
    assert transformer.reads in {"number", "text"}
    assert "Parameters\n    ----------\n" in str(type(transformer).__doc__)


def test_an_unknown_parameter_is_named_with_those_allowed():
    given = columns("ImageGradients")
    wrong = given.features[0].model_copy(update={"parameters": {"cels": 3}})
    with pytest.raises(ProblemError) as caught:
        build(
            Candidate(name="tried", estimator="SVC"),
            "classification",
            given.model_copy(update={"features": (wrong,)}),
            7,
        )
    assert str(caught.value) == (
        "features.parameters of 'made': ImageGradients has no parameter 'cels' (did you mean 'cell'?); allowed: "
        "cell, directions."
    )


def test_a_candidate_reads_the_features_that_it_chooses_and_not_the_columns_that_it_leaves_out():
    def read(**choice):
        candidate = Candidate(name="tried", estimator="SVC", **choice)
        pipeline = build(candidate, "classification", given, 7).fit(derive(rows(), given), LABELS)
        return pipeline.named_steps["estimate"].n_features_in_

    given, directions = columns("ImageGradients"), 8
    assert read(features=("made",), leave_out=("pixel_*", "review")) == directions
    assert read(leave_out=("review",)) == directions + len(NUMBERS)
    assert read(features=(), leave_out=("review", "pixel_0_0")) == len(NUMBERS) - 1
