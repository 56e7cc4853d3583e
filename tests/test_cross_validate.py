import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.columns import ROW
from tasks.cross_validate import cross_validate, ranked
from tasks.errors import ProblemError
from tasks.folds import folds
from tasks.problem import Candidate
from tasks.records import Features, FeatureSet, Trial

COLUMNS = FeatureSet(target="y", roles={"x": "numeric"}, derived={})


def kept(store, target, x=None):
    hashes = np.random.default_rng(5).permutation(len(target)).astype("uint64") * np.uint64(2**40)
    frame = pd.DataFrame({"x": np.arange(float(len(target))) if x is None else x, "y": target, ROW: hashes})
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return frame, Features(train=store.keep_table(table, "features"), columns=COLUMNS)


@pytest.mark.usefixtures("without_run_logger")
def test_scores_are_those_of_a_mean_fitted_by_hand(store):
    frame, features = kept(store, np.random.default_rng(3).normal(size=50))
    trial = cross_validate.fn(
        Candidate(name="mean", estimator="DummyRegressor"), features, 5, "rmse", "regression", 42, store
    )
    fold = folds(frame[ROW].to_numpy(), frame["y"].to_numpy(), 5, "regression")
    expected = [
        np.sqrt(((frame["y"][fold == number] - frame["y"][fold != number].mean()) ** 2).mean()) for number in range(5)
    ]
    assert trial.fold_scores == pytest.approx(expected, rel=1e-12)
    assert trial.mean == pytest.approx(np.mean(expected))
    assert trial.standard_deviation == pytest.approx(np.std(expected))
    assert trial.problem is None


@pytest.mark.usefixtures("without_run_logger")
def test_the_same_work_gives_the_same_scores(store):
    _, features = kept(store, np.random.default_rng(3).integers(0, 2, 60))
    candidate = Candidate(name="forest", estimator="RandomForestClassifier", parameters={"n_estimators": 5})
    first, second = (
        cross_validate.fn(candidate, features, 3, "log_loss", "classification", 7, store) for _ in range(2)
    )
    assert first == second


@pytest.mark.usefixtures("without_run_logger")
@pytest.mark.parametrize(
    ("candidate", "metric", "expected"),
    [
        (Candidate(name="a", estimator="Ridge", parameters={"alpha": -1.0}), "rmse", "'alpha' parameter of Ridge"),
        (Candidate(name="a", estimator="Ridge", parameters={"alpha": "much"}), "rmse", "'alpha' parameter of Ridge"),
    ],
)
def test_a_candidate_that_fails_is_a_trial_with_a_problem(store, candidate, metric, expected):
    _, features = kept(store, np.arange(20.0))
    trial = cross_validate.fn(candidate, features, 2, metric, "regression", 42, store)
    assert trial.fold_scores == ()
    assert expected in trial.problem
    assert "\n" not in trial.problem


@pytest.mark.usefixtures("without_run_logger")
def test_a_metric_that_a_candidate_cannot_have_is_a_trial_with_a_problem(store):
    _, features = kept(store, np.arange(20) % 2)
    candidate = Candidate(name="a", estimator="LinearSVC")
    trial = cross_validate.fn(candidate, features, 2, "log_loss", "classification", 42, store)
    assert trial.problem == "log_loss needs probabilities, which this estimator does not give"


def trial(name, scores, metric="rmse", problem=None):
    candidate = Candidate(name=name, estimator="Ridge")
    return Trial(candidate=candidate, metric=metric, fold_scores=tuple(scores), problem=problem)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("rmse", ["low", "middle", "high"]),
        ("log_loss", ["low", "middle", "high"]),
        ("accuracy", ["high", "middle", "low"]),
    ],
)
def test_best_first_and_failed_last(metric, expected):
    trials = [
        trial("broken", [], metric, "it diverged"),
        trial("middle", [0.5, 0.5], metric),
        trial("high", [0.2, 1.4], metric),
        trial("low", [0.4, 0.4], metric),
        trial("also-broken", [], metric, "no memory"),
    ]
    assert [t.candidate.name for t in ranked(trials)] == [*expected, "broken", "also-broken"]


def test_equal_scores_stay_in_the_order_of_the_declaration():
    trials = [trial(name, [0.5], "accuracy") for name in ("first", "second", "third")]
    assert ranked(trials) == trials


def test_no_scored_candidate_is_a_sentence_with_the_reasons():
    with pytest.raises(ProblemError) as caught:
        ranked([trial("a", [], problem="it diverged"), trial("b", [], problem="no memory")])
    assert str(caught.value) == "No candidate could be trained (a: it diverged; b: no memory)."
