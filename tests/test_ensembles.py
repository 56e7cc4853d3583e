import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from tasks.candidates import Candidate, Member
from tasks.ensembles import EnsembleClassifier, EnsembleRegressor, fitted
from tasks.estimators import build
from tasks.models import predict
from tasks.records import FeatureSet

COLUMNS = FeatureSet(target="y", roles={"x": "numeric", "place": "categorical"}, derived={})
RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({"x": RANDOM.normal(size=80), "place": np.where(np.arange(80) % 3, "hill", "shore")})
NUMBER = (FRAME["x"] + (FRAME["place"] == "hill") + RANDOM.normal(scale=0.2, size=80)).to_numpy()
CLASS = np.where(NUMBER > 0.5, "newt", "frog")


def candidate(estimator, **parameters):
    return Candidate(name=estimator.lower()[:60], estimator=estimator, parameters=parameters)


def ensemble(kind, *members, **parameters):
    found = tuple(Member(candidate=each, weight=weight) for each, weight in members)
    return Candidate(name="together", estimator=kind, members=found, parameters=parameters)


RIDGE, FOREST = candidate("Ridge"), candidate("RandomForestRegressor", n_estimators=7)
BAYES, SVM = candidate("GaussianNB"), candidate("LinearSVC")


def single(each, task, target):
    return build(each, task, COLUMNS, 7).fit(FRAME, target)


def test_numbers_are_the_weighted_sum_of_the_members():
    built = build(ensemble("EnsembleRegressor", (RIDGE, 0.25), (FOREST, 0.5), intercept=3.0), "regression", COLUMNS, 7)
    assert isinstance(built, EnsembleRegressor)
    built.fit(FRAME, NUMBER)
    ridge, forest = (single(each, "regression", NUMBER).predict(FRAME) for each in (RIDGE, FOREST))
    np.testing.assert_array_equal(built.predict(FRAME), 0.25 * ridge + 0.5 * forest + 3.0)


def test_probabilities_are_the_weighted_mean_and_a_member_without_any_votes():
    built = build(ensemble("EnsembleClassifier", (BAYES, 0.4), (SVM, 0.6)), "classification", COLUMNS, 7)
    assert isinstance(built, EnsembleClassifier)
    built.fit(FRAME, CLASS)
    bayes, svm = (single(each, "classification", CLASS) for each in (BAYES, SVM))
    votes = (svm.predict(FRAME)[:, None] == np.array(["frog", "newt"])).astype("float64")
    expected = 0.4 * bayes.predict_proba(FRAME) + 0.6 * votes
    np.testing.assert_allclose(built.predict_proba(FRAME), expected, rtol=1e-12)
    assert built.predict(FRAME).tolist() == np.array(["frog", "newt"])[expected.argmax(axis=1)].tolist()
    found = predict(built, FRAME)
    assert found.values.tolist() == built.predict(FRAME).tolist()
    np.testing.assert_array_equal(found.probabilities, built.predict_proba(FRAME))


def test_it_is_an_estimator_like_others():
    built = build(ensemble("EnsembleRegressor", (RIDGE, 0.5), (FOREST, 0.5)), "regression", COLUMNS, 7)
    fresh = clone(built.fit(FRAME, NUMBER))
    assert not hasattr(fresh, "members_")
    np.testing.assert_array_equal(fresh.fit(FRAME, NUMBER).predict(FRAME), built.predict(FRAME))


def test_a_network_is_a_member_like_others():
    network = candidate("WideAndDeepClassifier", epochs=2, hidden=[4])
    built = build(ensemble("EnsembleClassifier", (network, 0.5), (BAYES, 0.5)), "classification", COLUMNS, 7)
    built.fit(FRAME, CLASS)
    expected = 0.5 * single(network, "classification", CLASS).predict_proba(FRAME)
    expected = expected + 0.5 * single(BAYES, "classification", CLASS).predict_proba(FRAME)
    np.testing.assert_allclose(built.predict_proba(FRAME), expected, rtol=1e-6)


def test_members_are_the_same_wherever_they_are_fitted(monkeypatch):
    members = [build(each, "regression", COLUMNS, 7) for each in (RIDGE, FOREST)]
    apart = [each.predict(FRAME) for each in fitted([clone(each) for each in members], FRAME, NUMBER)]
    monkeypatch.setattr("tasks.ensembles.MANY_ROWS", 10)
    here = [each.predict(FRAME) for each in fitted([clone(each) for each in members], FRAME, NUMBER)]
    np.testing.assert_array_equal(apart, here)


def test_a_member_that_cannot_be_fitted_is_named():
    wrong = candidate("KNeighborsRegressor", n_neighbors=0)
    built = build(ensemble("EnsembleRegressor", (RIDGE, 0.5), (wrong, 0.5)), "regression", COLUMNS, 7)
    with pytest.raises(ValueError, match=r"^the member KNeighborsRegressor cannot be fitted: The 'n_neighbors'"):
        built.fit(FRAME, NUMBER)


def test_what_a_member_warns_of_is_told():
    short = candidate("LogisticRegression", max_iter=1)
    built = build(ensemble("EnsembleClassifier", (short, 0.5), (BAYES, 0.5)), "classification", COLUMNS, 7)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        built.fit(FRAME, CLASS)
    assert any(str(each.message).startswith("LogisticRegression: lbfgs failed to converge") for each in caught)


def test_a_network_that_cannot_be_fitted_is_named_too():
    network = candidate("WideAndDeepRegressor", epochs=1, hidden=[4], learning_rate=1e30)
    built = build(ensemble("EnsembleRegressor", (RIDGE, 0.5), (network, 0.5)), "regression", COLUMNS, 7)
    with pytest.raises(ValueError, match=r"^the member WideAndDeepRegressor cannot be fitted: the network diverged"):
        built.fit(FRAME, NUMBER)
