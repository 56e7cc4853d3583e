import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.candidates import Candidate, Range, Search
from tasks.columns import FOLD, ROW
from tasks.cores import CORES
from tasks.out_of_fold import read
from tasks.records import Features, FeatureSet
from tasks.searching.attempts import Attempt, Bench
from tasks.searching.study import DECIDED_AFTER, FRUITLESS_TRIALS, UNDER_WAY, UNPRUNED_TRIALS, searched
from tasks.store import Store

ALPHA = Range(low=1e-3, high=1e4, log=True)


def bench(store, rows=90, folds=5, metric="rmse"):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=rows), "z": rng.normal(size=rows), ROW: np.arange(rows, dtype="uint64")})
    frame["y"] = 3.0 * frame["x"] + rng.normal(size=rows)
    frame[FOLD] = (np.arange(rows) % folds).astype("int16")
    table = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "features")
    columns = FeatureSet(target="y", roles={"x": "numeric", "z": "numeric"}, derived={})
    return Bench(Features(train=table, columns=columns, folds=folds), metric, "regression", 42, store)


def ridge(strategy="bayesian", trials=None, minutes=None, **parameters):
    search = Search(strategy=strategy, trials=trials, minutes=minutes, parameters=parameters or {"alpha": ALPHA})
    return Candidate(name="ridge", estimator="Ridge", search=search)


def trials_of(candidate, on):
    return [outcome.trial for outcome in searched(candidate, on, lambda _: None)]


def without_cost(trials):
    return [trial.model_copy(update={"cost": None}) for trial in trials]


@pytest.mark.parametrize("strategy", ["bayesian", "random"])
def test_the_same_search_makes_the_same_trials_in_another_store(strategy, tmp_path):
    first, second = (
        trials_of(ridge(strategy, 14), bench(Store(tmp_path / folder, "a"))) for folder in ("first", "second")
    )
    assert [trial.number for trial in first] == [*range(1, 15)]
    assert without_cost(first) == without_cost(second)
    assert len({trial.candidate.parameters["alpha"] for trial in first}) == 14


def test_a_search_begins_with_the_default_and_never_ends_worse(store):
    on = bench(store)
    plain = Attempt(Candidate(name="ridge", estimator="Ridge"), 1, on)
    plain.go_on()
    scores = plain.finish().trial.fold_scores
    trials = trials_of(ridge(trials=8), on)
    assert trials[0].candidate.parameters == {"alpha": 1.0}
    assert trials[0].fold_scores == scores
    assert min(trial.mean for trial in trials if trial.scored) <= np.mean(scores)


def test_a_default_that_is_no_number_is_tried_beside_the_range(store):
    search = Search(strategy="bayesian", trials=5, parameters={"max_depth": Range(low=1, high=50)})
    tree = Candidate(name="tree", estimator="DecisionTreeRegressor", search=search)
    trials = trials_of(tree, bench(store))
    assert trials[0].candidate.parameters == {}
    assert len(trials) == 5
    assert all(trial.candidate.parameters["max_depth"] for trial in trials[1:])


def test_a_trial_is_given_up_after_a_third_of_the_folds_where_it_is_worse_than_the_median(store):
    trials = trials_of(ridge("random", 30), bench(store))
    pruned = [trial for trial in trials if trial.pruned]
    assert pruned
    for trial in pruned:
        told = trials[: trial.number - UNDER_WAY + DECIDED_AFTER]
        earlier = [np.mean(each.fold_scores[:2]) for each in told if each.scored]
        assert len(trial.fold_scores) == 2
        assert trial.mean > np.median(earlier[:UNPRUNED_TRIALS]) or trial.mean > min(earlier)
        assert trial.out_of_fold is None
        assert trial.cost.fit_seconds > 0
        assert not trial.scored
    best = min(trials, key=lambda trial: trial.mean if trial.scored else np.inf)
    assert read(best.out_of_fold, store).shape == (90, 1)


def test_with_a_validation_part_nothing_is_given_up(store):
    on = bench(store)
    one = Bench(on.features.model_copy(update={"folds": 1}), "rmse", "regression", 42, store)
    assert all(trial.scored for trial in trials_of(ridge("random", 12), one))


def test_a_grid_is_tried_whole_each_point_once(store):
    trials = trials_of(ridge("grid", alpha=(0.1, 1.0, 10.0), fit_intercept=(True, False)), bench(store))
    found = [(trial.candidate.parameters["alpha"], trial.candidate.parameters["fit_intercept"]) for trial in trials]
    assert sorted(found) == [(alpha, told) for alpha in (0.1, 1.0, 10.0) for told in (False, True)]
    assert len(trials_of(ridge("grid", 4, alpha=(0.1, 1.0, 10.0), fit_intercept=(True, False)), bench(store))) == 4


@pytest.mark.parametrize("strategy", ["bayesian", "random"])
def test_where_there_are_fewer_points_than_trials_each_is_tried_once(strategy, store):
    trials = trials_of(ridge(strategy, 20, alpha=(0.1, 1.0, 10.0, 100.0)), bench(store))
    assert sorted(trial.candidate.parameters["alpha"] for trial in trials) == [0.1, 1.0, 10.0, 100.0]
    assert trials[0].candidate.parameters == ({"alpha": 1.0})


def test_points_are_not_fitted_twice_where_only_minutes_are_given(store):
    trials = trials_of(ridge("random", None, 5.0, alpha=(0.1, 1.0, 10.0)), bench(store))
    assert sorted(trial.candidate.parameters["alpha"] for trial in trials) == [0.1, 1.0, 10.0]


def test_minutes_are_minutes_of_fitting_on_all_cores_and_end_a_search(store):
    space = {"max_features": Range(low=0.1, high=1.0), "n_estimators": (50,)}
    search = Search(strategy="random", minutes=0.04, parameters=space)
    forest = Candidate(name="forest", estimator="RandomForestRegressor", search=search)
    seconds = [outcome.seconds for outcome in searched(forest, bench(store), lambda _: None)]
    assert sum(seconds[:-UNDER_WAY]) < 0.04 * 60 * CORES


def test_as_many_trials_are_begun_as_there_are_minutes_for(store, monkeypatch):
    finish = Attempt.finish
    monkeypatch.setattr(Attempt, "finish", lambda self: finish(self)._replace(seconds=6 * CORES))
    assert len(trials_of(ridge("random", minutes=1), bench(store))) == 10


def test_a_search_of_which_nothing_can_be_fitted_ends_soon(store):
    trials = trials_of(ridge(trials=40, no_such_thing=Range(low=0.1, high=1.0)), bench(store))
    assert FRUITLESS_TRIALS <= len(trials) < 12
    assert all("Ridge has no parameter 'no_such_thing'" in trial.problem for trial in trials)


def test_a_point_that_fails_costs_the_others_nothing(store):
    trials = trials_of(ridge("grid", alpha=(-1.0, 1.0, 10.0)), bench(store))
    failed = {trial.candidate.parameters["alpha"]: trial.problem for trial in trials}
    assert "'alpha' parameter of Ridge" in failed[-1.0]
    assert failed[1.0] is None
    assert failed[10.0] is None


class Mortal(Store):
    """A store that kills the process, and those that it started, when the third trial was kept."""

    def create(self, name, record):
        created = super().create(name, record)
        if len(self.names("results/trials")) == 3:
            os.killpg(0, signal.SIGKILL)
        return created


KILLED = """
import sys

sys.path.insert(0, {tests!r})
from test_study import Mortal, Path, bench, forest, searched

if __name__ == "__main__":
    searched(forest(), bench(Mortal(Path(sys.argv[1]), "a")), print)
"""


def forest():
    space = {"max_features": Range(low=0.1, high=1.0), "n_estimators": (20, 40)}
    search = Search(strategy="bayesian", trials=6, parameters=space)
    return Candidate(name="forest", estimator="RandomForestRegressor", search=search)


def test_a_search_that_was_killed_goes_on_where_it_was(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(tests=str(Path(__file__).parent)))
    killed = subprocess.run([sys.executable, script, tmp_path / "killed"], start_new_session=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    outcomes = searched(forest(), bench(Store(tmp_path / "killed", "a")), lambda _: None)
    assert [outcome.known for outcome in outcomes] == [True] * 3 + [False] * 3
    whole = searched(forest(), bench(Store(tmp_path / "whole", "a")), lambda _: None)
    assert without_cost(each.trial for each in outcomes) == without_cost(each.trial for each in whole)


def test_a_finished_search_is_known_unless_its_predictions_are_gone(store):
    on = bench(store)
    first = searched(ridge(trials=6), on, lambda _: None)
    again = searched(ridge(trials=6).model_copy(update={"name": "renamed"}), on, lambda _: None)
    assert all(outcome.known for outcome in again)
    assert {outcome.trial.candidate.name for outcome in again} == {"renamed"}
    assert [each.trial.fold_scores for each in again] == [each.trial.fold_scores for each in first]
    gone = first[0].trial
    (store.folder / gone.out_of_fold.file.path).unlink()
    anew = searched(ridge(trials=6), on, lambda _: None)
    assert [outcome.known for outcome in anew].count(False) >= 1
    assert without_cost(each.trial for each in anew) == without_cost(each.trial for each in first)


def test_what_is_kept_of_a_trial_and_was_changed_is_not_used(store):
    on = bench(store)
    first = searched(ridge(trials=4), on, lambda _: None)
    for name in store.names("results/trials"):
        path = store.folder / name
        path.write_text(path.read_text().replace('"fold_scores": [', '"fold_scores": [ 0.1,'))
    again = searched(ridge(trials=4), on, lambda _: None)
    assert not any(outcome.known for outcome in again)
    assert without_cost(each.trial for each in again) == without_cost(each.trial for each in first)
