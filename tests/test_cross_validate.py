import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.candidates import Candidate, Search
from tasks.columns import FOLD, ROW
from tasks.cores import one_core_each
from tasks.cross_validate import cross_validate
from tasks.out_of_fold import read
from tasks.records import Features, FeatureSet
from tasks.store import Store

COLUMNS = FeatureSet(target="y", roles={"x": "numeric"}, derived={})


MEAN = Candidate(name="mean", estimator="DummyRegressor")


def kept(store, target, folds=2, fold=None, *, forward=False):
    rows = len(target)
    frame = pd.DataFrame({"x": np.arange(float(rows)), "y": target, ROW: np.arange(rows, dtype="uint64")})
    frame[FOLD] = (np.arange(rows) % folds if fold is None else np.asarray(fold)).astype("int16")
    table = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "features")
    return frame, Features(train=table, columns=COLUMNS, folds=folds, forward=forward)


def single(candidate, features, metric, task_kind, seed, store):
    """Give the one trial of a candidate that is not searched."""
    (trial,) = cross_validate.fn(candidate, features, metric, task_kind, seed, store).trials
    return trial


def by_hand(frame, fitted, number):
    held_out = frame["y"][frame[FOLD] == number]
    return np.sqrt(((held_out - frame["y"][fitted].mean()) ** 2).mean())


@pytest.mark.usefixtures("without_run_logger")
def test_scores_are_those_of_a_mean_fitted_by_hand(store):
    frame, features = kept(store, np.random.default_rng(3).normal(size=50), folds=5)
    trial = single(MEAN, features, "rmse", "regression", 42, store)
    expected = [by_hand(frame, frame[FOLD] != number, number) for number in range(5)]
    assert trial.fold_scores == pytest.approx(expected, rel=1e-12)
    assert trial.mean == pytest.approx(np.mean(expected))
    assert trial.standard_deviation == pytest.approx(np.std(expected))
    assert trial.problem is None
    assert trial.cost.fit_seconds > 0
    assert trial.cost.predict_milliseconds > 0
    assert trial.cost.megabytes > 0


@pytest.mark.usefixtures("without_run_logger")
def test_forward_folds_are_fitted_on_what_is_older(store):
    fold = np.repeat([-1, 0, 1, 2], 10)
    frame, features = kept(store, np.arange(40.0) ** 2, 3, fold, forward=True)
    trial = single(MEAN, features, "rmse", "regression", 42, store)
    assert trial.fold_scores == pytest.approx([by_hand(frame, fold < number, number) for number in range(3)])


@pytest.mark.usefixtures("without_run_logger")
def test_out_of_fold_predictions_are_those_that_the_scores_rest_on(store):
    fold = np.repeat([-1, 0, 1, 2], 10)
    frame, features = kept(store, np.arange(40.0) ** 2, 3, fold, forward=True)
    trial = single(MEAN, features, "rmse", "regression", 42, store)
    outputs = read(trial.out_of_fold, store)
    assert outputs.shape == (40, 1)
    assert np.isnan(outputs[:10]).all()
    for number in range(3):
        assert outputs[fold == number] == pytest.approx(frame["y"][fold < number].mean())


@pytest.mark.usefixtures("without_run_logger")
def test_a_validation_part_is_scored_once(store):
    fold = np.where(np.arange(40) < 8, 0, -1)
    frame, features = kept(store, np.arange(40.0), 1, fold)
    trial = single(MEAN, features, "rmse", "regression", 42, store)
    assert trial.fold_scores == pytest.approx([by_hand(frame, fold == -1, 0)])


@pytest.mark.usefixtures("without_run_logger")
def test_neither_hash_nor_fold_is_a_feature(store):
    """A tree that saw either could learn this target by heart."""
    frame, features = kept(store, np.random.default_rng(0).permutation(64).astype("float64"))
    frame = frame.assign(x=0.0)
    table = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "features")
    tree = Candidate(name="tree", estimator="DecisionTreeRegressor")
    trials = [
        single(each, features.model_copy(update={"train": table}), "rmse", "regression", 42, store)
        for each in (tree, MEAN)
    ]
    assert trials[0].fold_scores == pytest.approx(trials[1].fold_scores)


@pytest.mark.usefixtures("without_run_logger")
def test_the_same_work_gives_the_same_scores(store):
    _, features = kept(store, np.random.default_rng(3).integers(0, 2, 60), folds=3)
    candidate = Candidate(name="forest", estimator="RandomForestClassifier", parameters={"n_estimators": 5})
    first, second = (single(candidate, features, "log_loss", "classification", 7, store) for _ in range(2))
    assert first.model_copy(update={"cost": None}) == second.model_copy(update={"cost": None})


@pytest.mark.usefixtures("without_run_logger")
@pytest.mark.parametrize(
    ("candidate", "metric", "expected"),
    [
        (Candidate(name="a", estimator="Ridge", parameters={"alpha": -1.0}), "rmse", "'alpha' parameter of Ridge"),
        (Candidate(name="a", estimator="Ridge", parameters={"alpha": "much"}), "rmse", "'alpha' parameter of Ridge"),
        (Candidate(name="a", estimator="Ridge", parameters={"depth": 3}), "rmse", "Ridge has no parameter 'depth'"),
        (Candidate(name="a", estimator="Ridge", target="log"), "rmse", "needs targets above 0"),
    ],
)
def test_a_candidate_that_fails_is_a_trial_with_a_problem(store, candidate, metric, expected):
    _, features = kept(store, np.arange(20.0))
    trial = single(candidate, features, metric, "regression", 42, store)
    assert trial.fold_scores == ()
    assert expected in trial.problem
    assert "\n" not in trial.problem


@pytest.mark.usefixtures("without_run_logger")
def test_a_metric_that_a_candidate_cannot_have_is_a_trial_with_a_problem(store):
    _, features = kept(store, np.arange(20) // 2 % 2)
    candidate = Candidate(name="a", estimator="LinearSVC")
    trial = single(candidate, features, "log_loss", "classification", 42, store)
    assert trial.problem == "log_loss needs probabilities, which this estimator does not give"


@pytest.mark.usefixtures("without_run_logger")
def test_a_search_gives_a_trial_for_each_point(store):
    _, features = kept(store, np.random.default_rng(3).normal(size=50), folds=5)
    search = Search(strategy="grid", parameters={"alpha": (0.1, 1.0, 10.0)})
    ridge = Candidate(name="ridge", estimator="Ridge", parameters={"fit_intercept": True}, search=search)
    trials = cross_validate.fn(ridge, features, "rmse", "regression", 42, store).trials
    assert [trial.number for trial in trials] == [1, 2, 3]
    assert {trial.candidate.name for trial in trials} == {"ridge"}
    assert {trial.candidate.parameters["alpha"] for trial in trials} == {0.1, 1.0, 10.0}
    assert all(trial.candidate.parameters["fit_intercept"] and trial.candidate.search is None for trial in trials)


@pytest.mark.usefixtures("without_run_logger")
def test_where_every_point_fails_each_problem_is_told_once(store):
    _, features = kept(store, np.arange(20.0))
    search = Search(strategy="grid", parameters={"alpha": (-1.0, -2.0, -3.0)})
    trials = cross_validate.fn(
        Candidate(name="a", estimator="Ridge", search=search), features, "rmse", "regression", 42, store
    ).trials
    problems = [trial.problem for trial in trials]
    assert problems
    assert len(problems) == len(set(problems))


@pytest.mark.usefixtures("without_run_logger")
def test_a_candidate_that_needs_too_much_memory_is_a_trial_with_a_problem(store):
    """Its first layers would take 160 GB; the others go on in the same processes."""
    _, features = kept(store, np.arange(40.0))
    wide = Candidate(name="a", estimator="MLPRegressor", parameters={"hidden_layer_sizes": (100_000, 200_000)})
    trial = single(wide, features, "rmse", "regression", 42, store)
    assert trial.problem.startswith("it needs more memory than there is for one of its fits (Unable to allocate")
    assert single(MEAN, features, "rmse", "regression", 42, store).problem is None


@pytest.mark.usefixtures("without_run_logger")
def test_processes_that_are_killed_from_outside_cost_nobody_a_score(store):
    """As the system does where memory runs out: the fits of that moment are made again."""
    _, features = kept(store, np.random.default_rng(3).normal(size=300), folds=3)
    forest = Candidate(name="forest", estimator="RandomForestRegressor", parameters={"n_estimators": 60})
    (process,) = {*one_core_each([(os.getpid, ())])}
    with ThreadPoolExecutor(1) as other:
        found = other.submit(single, forest, features, "rmse", "regression", 42, store)
        os.kill(process, signal.SIGKILL)
        trial = found.result()
    assert trial.problem is None
    elsewhere = Store(store.root / "another", "a")
    _, features = kept(elsewhere, np.random.default_rng(3).normal(size=300), folds=3)
    again = single(forest, features, "rmse", "regression", 42, elsewhere)
    assert trial.fold_scores == again.fold_scores
