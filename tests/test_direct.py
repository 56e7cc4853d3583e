"""Predictions from arrays are those from frames, to the last bit."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tasks.candidates import Candidate, Feature, Member
from tasks.columns import derive
from tasks.direct import DirectPredictor
from tasks.estimators import build
from tasks.models import Predictor, load
from tasks.records import Cutoff, FeatureSet, Version
from tasks.store import Store

FEATURES = (
    Feature(name="near", transformer="NeighboursTarget", columns=("x", "age"), parameters={"neighbours": [3]}),
    Feature(name="ratios", transformer="NaiveBayesRatios", columns=("note",)),
)
COLUMNS = FeatureSet(
    target="y",
    roles={
        "x": "numeric",
        "age": "numeric",
        "place": "categorical",
        "note": "text",
        "kind": "categorical",
        "share": "numeric",
        "words": "numeric",
    },
    derived={"kind": "first(place)", "share": "x / age", "words": "words(note)"},
    features=FEATURES,
)


def rows(count: int = 80) -> pd.DataFrame:
    number = np.arange(count)
    return pd.DataFrame(
        {
            "x": number % 7.0,
            "age": np.where(number % 9 == 0, np.nan, number % 5.0),
            "place": pd.Series(np.where(number % 3, "shore", "hill")).where(number % 11 != 0),
            "note": np.where(number % 2, "a fine old house", "needs work"),
            "y": np.where(number % 4 > 1, "villa", "hut"),
        }
    )


def fitted(candidate: Candidate, columns: FeatureSet = COLUMNS) -> Predictor:
    known = rows()
    whole = Predictor(build(candidate, "classification", columns, 7), columns)
    whole.estimator.fit(derive(known, columns), known["y"].to_numpy())
    return whole


@pytest.mark.parametrize("estimator", ["LogisticRegression", "RandomForestClassifier", "SVC", "LinearSVC"])
def test_a_pipeline_of_every_kind_of_column_predicts_the_same_for_one_row_and_for_many(estimator: str) -> None:
    text = {"max_features": 20} if estimator not in {"LinearSVC"} else {}
    whole = fitted(Candidate(name="tried", estimator=estimator, text=text))
    assert DirectPredictor(whole).repeats(whole, rows(40))


def test_a_missing_text_may_be_none_or_not_a_number() -> None:
    whole = fitted(Candidate(name="tried", estimator="LogisticRegression"))
    some = rows(12)
    columns = {str(name): some[name].to_numpy(dtype="object" if name == "place" else None) for name in some}
    given = DirectPredictor(whole).predict(columns | {"place": np.array([None, *columns["place"][1:]], dtype="object")})
    expected = whole.predict(some)
    assert given.values.tolist() == expected.values.tolist()
    assert np.array_equal(given.probabilities, expected.probabilities)


def test_an_ensemble_of_pipelines_and_networks_predicts_the_same(
    store: Store, version_of: Callable[..., Version]
) -> None:
    members = (
        Member(candidate=Candidate(name="forest", estimator="RandomForestRegressor"), weight=0.6),
        Member(
            candidate=Candidate(name="network", estimator="WideAndDeepRegressor", parameters={"epochs": 1}), weight=0.4
        ),
    )
    candidate = Candidate(name="both", estimator="EnsembleRegressor", members=members)
    version = version_of(candidate)
    whole = load(version.model, store)
    test = store.table(version.test).to_pandas()
    assert DirectPredictor(whole).repeats(whole, test)


def test_a_predictor_that_predicts_something_else_is_told() -> None:
    one = fitted(Candidate(name="one", estimator="LogisticRegression"))
    other = fitted(Candidate(name="other", estimator="LogisticRegression", parameters={"C": 0.01}))
    assert not DirectPredictor(one).repeats(other, rows(40))


def test_the_threshold_decides_here_too() -> None:
    whole = fitted(Candidate(name="tried", estimator="LogisticRegression"))
    strict = replace(whole, cutoff=Cutoff(positive="villa", threshold=0.999))
    assert set(whole.predict(rows(40)).values) == {"hut", "villa"}
    assert DirectPredictor(strict).repeats(strict, rows(40))


def test_the_fitted_pipeline_itself_still_checks_names() -> None:
    whole = fitted(Candidate(name="tried", estimator="LogisticRegression"))
    before = list(whole.estimator.feature_names_in_)
    DirectPredictor(whole).predict({str(name): rows(3)[name].to_numpy() for name in rows(3)})
    assert list(whole.estimator.feature_names_in_) == before
