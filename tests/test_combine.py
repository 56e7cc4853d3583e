import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.candidates import Candidate, Ensemble
from tasks.columns import FOLD, ROW
from tasks.combine import combine
from tasks.estimators import build
from tasks.metrics import METRICS
from tasks.models import load, predict
from tasks.out_of_fold import keep, outputs
from tasks.records import Features, FeatureSet, Trial
from tasks.train import train

pytestmark = pytest.mark.usefixtures("without_run_logger")

COLUMNS = FeatureSet(target="y", roles={"x": "numeric", "z": "numeric"}, derived={})
CANDIDATES = (
    Candidate(name="tree", estimator="DecisionTreeRegressor", parameters={"max_depth": 4}),
    Candidate(name="linear", estimator="LinearRegression"),
    Candidate(name="neighbours", estimator="KNeighborsRegressor"),
)


@pytest.fixture
def given(store):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(300, 2)), columns=["x", "z"])
    frame["y"] = 3 * frame["x"] + np.sin(3 * frame["z"]) + (frame["x"] > 0) + random.normal(0, 0.3, 300)
    frame[ROW], frame[FOLD] = np.arange(300, dtype="uint64"), (np.arange(300) % 3).astype("int16")
    table = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "features")
    return frame, Features(train=table, columns=COLUMNS, folds=3)


def cross_validated(candidate, frame, store):
    values, scores = np.full((len(frame), 1), np.nan), []
    for number in range(3):
        here = (frame[FOLD] == number).to_numpy()
        fitted = build(candidate, "regression", COLUMNS, 7).fit(
            frame.loc[~here, ["x", "z"]], frame["y"][~here].to_numpy()
        )
        found = predict(fitted, frame.loc[here, ["x", "z"]])
        values[here] = outputs(found)
        scores.append(METRICS["rmse"].value(frame["y"][here].to_numpy(), found))
    return Trial(candidate=candidate, metric="rmse", fold_scores=tuple(scores), out_of_fold=keep(values, store))


@pytest.mark.parametrize("kind", ["average", "greedy", "stack"])
def test_an_ensemble_is_combined_trained_and_kept_like_any_candidate(given, store, kind):
    frame, features = given
    trials = tuple(cross_validated(each, frame, store) for each in CANDIDATES)
    found = combine.fn(Ensemble(name="together", kind=kind), trials, features, "rmse", store)
    assert found.mean < min(each.mean for each in trials)
    model = train.fn(features, features.train, (found, *trials), "regression", 7, store)
    assert set(model.files) == {f"members/{place}/model.skops" for place in range(len(found.candidate.members))}
    expected = model.candidate.parameters.get("intercept", 0.0)
    for member in found.candidate.members:
        fitted = build(member.candidate, "regression", COLUMNS, 7).fit(frame[["x", "z"]], frame["y"].to_numpy())
        expected = expected + member.weight * fitted.predict(frame[["x", "z"]])
    np.testing.assert_allclose(load(model, store).predict(frame).values, expected, rtol=1e-12)


def test_an_ensemble_that_cannot_be_made_is_a_trial_with_a_problem(given, store):
    frame, features = given
    trials = (cross_validated(CANDIDATES[0], frame, store),)
    found = combine.fn(Ensemble(name="alone", kind="stack"), trials, features, "rmse", store)
    assert found.problem == "an ensemble needs two scored models whose errors differ, and there are 1"
    assert not found.scored
