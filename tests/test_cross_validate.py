import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.columns import FOLD, ROW
from tasks.cross_validate import cross_validate, ranked
from tasks.errors import ProblemError
from tasks.problem import Candidate
from tasks.records import Features, FeatureSet, Trial

COLUMNS = FeatureSet(target="y", roles={"x": "numeric"}, derived={})


MEAN = Candidate(name="mean", estimator="DummyRegressor")


def kept(store, target, folds=2, fold=None, *, forward=False):
    rows = len(target)
    frame = pd.DataFrame({"x": np.arange(float(rows)), "y": target, ROW: np.arange(rows, dtype="uint64")})
    frame[FOLD] = (np.arange(rows) % folds if fold is None else np.asarray(fold)).astype("int16")
    table = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "features")
    return frame, Features(train=table, columns=COLUMNS, folds=folds, forward=forward)


def by_hand(frame, fitted, number):
    held_out = frame["y"][frame[FOLD] == number]
    return np.sqrt(((held_out - frame["y"][fitted].mean()) ** 2).mean())


@pytest.mark.usefixtures("without_run_logger")
def test_scores_are_those_of_a_mean_fitted_by_hand(store):
    frame, features = kept(store, np.random.default_rng(3).normal(size=50), folds=5)
    trial = cross_validate.fn(MEAN, features, "rmse", "regression", 42, store)
    expected = [by_hand(frame, frame[FOLD] != number, number) for number in range(5)]
    assert trial.fold_scores == pytest.approx(expected, rel=1e-12)
    assert trial.mean == pytest.approx(np.mean(expected))
    assert trial.standard_deviation == pytest.approx(np.std(expected))
    assert trial.problem is None


@pytest.mark.usefixtures("without_run_logger")
def test_forward_folds_are_fitted_on_what_is_older(store):
    fold = np.repeat([-1, 0, 1, 2], 10)
    frame, features = kept(store, np.arange(40.0) ** 2, 3, fold, forward=True)
    trial = cross_validate.fn(MEAN, features, "rmse", "regression", 42, store)
    assert trial.fold_scores == pytest.approx([by_hand(frame, fold < number, number) for number in range(3)])


@pytest.mark.usefixtures("without_run_logger")
def test_a_validation_part_is_scored_once(store):
    fold = np.where(np.arange(40) < 8, 0, -1)
    frame, features = kept(store, np.arange(40.0), 1, fold)
    trial = cross_validate.fn(MEAN, features, "rmse", "regression", 42, store)
    assert trial.fold_scores == pytest.approx([by_hand(frame, fold == -1, 0)])


@pytest.mark.usefixtures("without_run_logger")
def test_neither_hash_nor_fold_is_a_feature(store):
    """A tree that saw either could learn this target by heart."""
    frame, features = kept(store, np.random.default_rng(0).permutation(64).astype("float64"))
    frame = frame.assign(x=0.0)
    table = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "features")
    tree = Candidate(name="tree", estimator="DecisionTreeRegressor")
    trials = [
        cross_validate.fn(each, features.model_copy(update={"train": table}), "rmse", "regression", 42, store)
        for each in (tree, MEAN)
    ]
    assert trials[0].fold_scores == pytest.approx(trials[1].fold_scores)


@pytest.mark.usefixtures("without_run_logger")
def test_the_same_work_gives_the_same_scores(store):
    _, features = kept(store, np.random.default_rng(3).integers(0, 2, 60), folds=3)
    candidate = Candidate(name="forest", estimator="RandomForestClassifier", parameters={"n_estimators": 5})
    first, second = (cross_validate.fn(candidate, features, "log_loss", "classification", 7, store) for _ in range(2))
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
    trial = cross_validate.fn(candidate, features, metric, "regression", 42, store)
    assert trial.fold_scores == ()
    assert expected in trial.problem
    assert "\n" not in trial.problem


@pytest.mark.usefixtures("without_run_logger")
def test_a_metric_that_a_candidate_cannot_have_is_a_trial_with_a_problem(store):
    _, features = kept(store, np.arange(20) // 2 % 2)
    candidate = Candidate(name="a", estimator="LinearSVC")
    trial = cross_validate.fn(candidate, features, "log_loss", "classification", 42, store)
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
