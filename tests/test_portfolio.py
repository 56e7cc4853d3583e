from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.candidates import Candidate, Ensemble, Search, SearchRule, check_candidates
from tasks.columns import FOLD, ROW
from tasks.cross_validate import cross_validate
from tasks.errors import ProblemError
from tasks.estimators import build
from tasks.problem import load_problem
from tasks.records import Features, FeatureSet
from tasks.searching.portfolio import BUDGET, ENSEMBLES, portfolio

ROOT = Path(__file__).parent.parent


@pytest.fixture
def tried(store):
    """Give a function from rows, roles and a target to what is tried, by name."""

    def found(task, target, roles, **declared):
        problem = load_problem("digits", ROOT).model_copy(
            update={"task": task, "target": "y", "candidates": "auto", "metric": None, "search": None, **declared}
        )
        return portfolio(problem, features_of(target, roles, store), store)

    return found


def features_of(target, roles, store):
    values = {
        "numeric": np.random.default_rng(1).normal(size=len(target)),
        "categorical": np.array(["a", "b"])[np.arange(len(target)) % 2],
        "text": np.array(["a good film", "a film that is bad", "good"])[np.arange(len(target)) % 3],
    }
    frame = pd.DataFrame({name: values[role] for name, role in roles.items()} | {"y": target})
    frame[ROW], frame[FOLD] = np.arange(len(target), dtype="uint64"), (np.arange(len(target)) % 2).astype("int16")
    table = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "features")
    return Features(train=table, columns=FeatureSet(target="y", roles=roles, derived={}), folds=2)


def names(found):
    return [candidate.name for candidate in found.candidates]


def by_name(found, name):
    return next(candidate for candidate in found.candidates if candidate.name == name)


PRICES = np.exp(np.random.default_rng(0).normal(size=3000))
HOUSE = {"longitude": "numeric", "latitude": "numeric", "rooms": "numeric", "sea": "categorical"}
PIXELS = {f"pixel_{row}_{column}": "numeric" for row in range(8) for column in range(8)}


def test_what_is_declared_is_tried_as_it_is(store):
    problem = load_problem("digits", ROOT)
    features = features_of(np.arange(10) % 2, {"x": "numeric"}, store)
    assert portfolio(problem, features, store) == (problem.candidates, problem.ensembles, problem.search)


def test_houses_get_models_of_places_of_logarithms_and_a_network(tried):
    found = tried("regression", PRICES, HOUSE)
    expected = [
        "linear",
        "neighbours",
        "places",
        "svm",
        "forest",
        "extra-trees",
        "small-steps",
        "boosting",
        "boosting-log",
        "network",
    ]
    assert names(found) == expected
    assert by_name(found, "places").leave_out == ("rooms", "sea")
    assert by_name(found, "boosting-log").target == "log"
    network = by_name(found, "network")
    assert network.estimator == "WideAndDeepRegressor"
    assert network.parameters["crossed"] == ("longitude", "latitude")
    assert network.parameters["epochs"] == 100
    assert network.search == Search(trials=1)
    assert (found.ensembles, found.rule) == (ENSEMBLES, BUDGET)


def test_a_symmetric_target_or_one_that_is_not_above_zero_has_no_logarithm(tried):
    for target in (np.random.default_rng(0).normal(100, 1, 3000), PRICES - 1):
        found = tried("regression", target, HOUSE)
        assert "boosting-log" not in names(found)
        assert by_name(found, "svm").target == "plain"


def test_images_get_a_convolutional_network_of_their_shape(tried):
    found = tried("classification", np.arange(500) % 10, PIXELS)
    assert by_name(found, "network").estimator == "ConvolutionalNetworkClassifier"
    assert by_name(found, "network").parameters["image_shape"] == (8, 8)
    assert by_name(found, "neighbours").scale == by_name(found, "svm").scale == "none"
    numbers = tried("classification", np.arange(500) % 10, {f"{name}x": "numeric" for name in "abcdefghi" * 4})
    assert "network" not in names(numbers)
    of_passengers = {"age": "numeric", "fare": "numeric", "sex": "categorical"}
    assert "network" not in names(tried("classification", np.arange(712) % 2, of_passengers))


def test_texts_get_models_of_words(tried):
    found = tried("classification", np.arange(300) % 2, {"text": "text", "stars": "numeric"})
    assert names(found) == ["words", "pairs", "svm", "network"]
    assert names(tried("regression", np.arange(300.0), {"text": "text"})) == ["words", "pairs", "svm"]


def test_what_takes_quadratic_time_is_left_out_where_rows_are_many(tried):
    found = tried("classification", np.arange(60_000) % 2, {"x": "numeric"})
    assert names(found) == ["linear", "forest", "extra-trees", "boosting", "network"]
    more = tried("classification", np.arange(210_000) % 2, {"x": "numeric"})
    assert names(more) == ["linear", "boosting", "network"]
    assert by_name(more, "network").parameters["epochs"] == 20


def test_absolute_errors_are_learnt_where_they_count(tried):
    found = tried("regression", np.random.default_rng(0).normal(size=500), {"x": "numeric"}, metric="mae")
    assert by_name(found, "boosting").parameters == {"loss": "absolute_error"}
    assert "huber" in names(found)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (SearchRule(minutes=2), SearchRule(minutes=2)),
        (SearchRule(trials=3), SearchRule(trials=3)),
        (SearchRule(choose="simplest"), BUDGET.model_copy(update={"choose": "simplest"})),
    ],
)
def test_a_declared_search_holds_and_has_a_budget(tried, declared, expected):
    assert tried("regression", PRICES, HOUSE, search=declared).rule == expected


def test_declared_ensembles_take_the_place_of_the_usual_ones(tried):
    mine = (Ensemble(name="mine", kind="greedy", of=("forest", "boosting")),)
    assert tried("regression", PRICES, HOUSE, ensembles=mine).ensembles == mine
    wrong = (Ensemble(name="mine", kind="greedy", of=("forrest",)),)
    with pytest.raises(ProblemError, match=r"problem\.toml: ensembles\.of = 'forrest' is no candidate.*'forest'"):
        tried("regression", PRICES, HOUSE, ensembles=wrong)


CASES = {
    "houses": ("regression", PRICES[:120], HOUSE),
    "images": ("classification", np.arange(120) % 3, PIXELS),
    "texts": ("classification", np.arange(120) // 2 % 2, {"text": "text", "stars": "numeric"}),
    "texts-and-numbers": ("regression", np.arange(120.0), {"text": "text", "stars": "numeric"}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("without_run_logger")
def test_every_candidate_is_right_and_can_be_fitted(tried, store, case):
    task, target, roles = CASES[case]
    found = tried(task, target, roles)
    check_candidates(task, found.candidates, (), found.rule)
    features = features_of(target, roles, store)
    metric = "rmse" if task == "regression" else "accuracy"
    for candidate in found.candidates:
        single = candidate.model_copy(update={"search": None})
        if candidate.name == "network":
            build(single, task, features.columns, 7)  # fitted in its own tests
            continue
        trial = cross_validate.fn(single, features, metric, task, 7, store).trials[0]
        assert trial.problem is None, (candidate.name, trial.problem)


def test_no_baseline_is_tried(tried):
    found = tried("regression", PRICES, HOUSE)
    assert not [each for each in found.candidates if each.estimator.startswith("Dummy")]
    assert all(isinstance(each, Candidate) for each in found.candidates)
