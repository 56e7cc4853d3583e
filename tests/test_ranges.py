import importlib
import warnings

import numpy as np
import pandas as pd
import pytest

from tasks.candidates import ESTIMATORS, Candidate
from tasks.cores import alone
from tasks.estimators import build
from tasks.records import FeatureSet
from tasks.searching.points import candidate_at, dimensions, start
from tasks.searching.ranges import PARAMETERS, PREPARED, usual

NAIVE = {"DummyClassifier", "DummyRegressor", "ColumnForecast"}
KINDS = [(task, name) for task, known in ESTIMATORS.items() for name in known if name not in NAIVE]
COLUMNS = FeatureSet(target="y", roles={"a": "numeric", "b": "numeric", "c": "categorical"}, derived={})


def test_there_are_ranges_for_every_estimator_that_learns_and_for_no_other():
    assert {*PARAMETERS, *PREPARED} == {name for _, name in KINDS}
    assert all(usual(name) is None for name in NAIVE)


@pytest.mark.parametrize(("task", "name"), KINDS)
def test_ranges_are_of_parameters_that_there_are_and_the_default_is_tried(task, name):
    known = getattr(importlib.import_module(ESTIMATORS[task][name]), name)().get_params()
    assert set(usual(name).parameters) <= set(known)
    assert start(Candidate(name="a", estimator=name, search=usual(name)), task) is not None


def some_points(candidate):
    """Give the two points whose values are all the least, and all the greatest."""
    known = dimensions(candidate)
    ends = [(0, len(each.values) - 1) if isinstance(each.values, tuple) else each.values for each in known]
    ends = [end if isinstance(end, tuple) else (end.low, end.high) for end in ends]
    return [{each.name: end[side] for each, end in zip(known, ends, strict=True)} for side in (0, 1)]


@pytest.mark.parametrize(
    ("task", "name"), [each for each in KINDS if "Network" not in each[1] and "Wide" not in each[1]]
)
def test_both_ends_of_the_ranges_can_be_fitted(task, name):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120), "c": ["x", "y"] * 60})
    y = X["a"].to_numpy() + rng.normal(size=120)
    if task == "classification":
        y = (y > 0).astype("int64")
    open_candidate = Candidate(name="a", estimator=name, search=usual(name))
    for point in some_points(open_candidate):
        estimator = build(candidate_at(open_candidate, point), task, COLUMNS, 42)
        with alone(len(X)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a fit has not converged, which its score will show
            assert np.isfinite(estimator.fit(X, y).predict(X)).all()
