import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.candidates import Candidate
from tasks.estimators import build
from tasks.folds import fold_result, folds, forward_folds
from tasks.records import FeatureSet

COLUMNS = FeatureSet(target="y", roles={"x": "numeric"}, derived={})
HASHES = st.lists(st.integers(0, 2**64 - 1), min_size=5, max_size=80, unique=True)
COUNTS = st.integers(2, 5)


@given(HASHES, COUNTS, st.integers(0, 100))
def test_folds_differ_by_one_row_at_most_and_classes_are_balanced(hashes, count, seed):
    target = np.random.default_rng(seed).integers(0, 3, len(hashes))
    fold = folds(np.array(hashes, dtype="uint64"), target, count, "classification")
    sizes = np.bincount(fold, minlength=count)
    assert len(sizes) == count
    assert np.ptp(sizes) <= 1
    for label in set(target):
        assert np.ptp(np.bincount(fold[target == label], minlength=count)) <= 1


@given(HASHES, COUNTS, st.integers(0, 100))
def test_folds_of_a_number_are_balanced_too(hashes, count, seed):
    target = np.random.default_rng(seed).normal(size=len(hashes))
    fold = folds(np.array(hashes, dtype="uint64"), target, count, "regression")
    assert np.ptp(np.bincount(fold, minlength=count)) <= 1


def test_folds_of_a_number_have_their_share_of_high_and_low():
    rng = np.random.default_rng(0)
    target = rng.normal(size=1000)
    fold = folds(rng.integers(0, 2**63, 1000).astype("uint64"), target, 5, "regression")
    means = [target[fold == number].mean() for number in range(5)]
    assert np.std(means) < 0.02  # 0.07 were they drawn at random


@given(
    st.lists(st.integers(0, 15), min_size=20, max_size=60), COUNTS, st.sampled_from(["classification", "regression"])
)
def test_rows_of_equal_identity_are_in_one_fold(identities, count, task_kind):
    hashes = np.array(identities, dtype="uint64")
    target = np.random.default_rng(0).integers(0, 3, len(hashes))
    fold = folds(hashes, target, count, task_kind)
    for value in set(identities):
        assert len(set(fold[hashes == value])) == 1


@given(
    HASHES,
    st.randoms(use_true_random=False),
    st.sampled_from(["classification", "regression"]),
    st.sampled_from([2, 1000]),
)
def test_the_order_of_rows_does_not_matter(hashes, random, task_kind, distinct):
    """Not even where many rows have the same target, as the capped prices of housing do."""
    values = np.array(hashes, dtype="uint64")
    target = np.random.default_rng(1).integers(0, distinct, len(values))
    order = list(range(len(values)))
    random.shuffle(order)
    fold = folds(values, target, 4, task_kind)
    np.testing.assert_array_equal(folds(values[order], target[order], 4, task_kind), fold[order])


def test_a_score_that_is_no_number_is_a_failure():
    frame, target = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]}), np.array([1.0, np.inf, 3.0, 4.0])
    estimator = build(Candidate(name="a", estimator="DummyRegressor"), "regression", COLUMNS, 42)
    with pytest.raises(ValueError, match="its RMSE is no number"):
        fold_result(estimator.fit(frame, [1.0] * 4), "rmse", frame, target, np.array([False, True, False, False]))


def test_the_score_is_that_of_the_rows_held_out():
    frame, target = pd.DataFrame({"x": [0.0, 0.0, 0.0, 0.0]}), np.array([1.0, 1.0, 9.0, 9.0])
    estimator = build(Candidate(name="a", estimator="DummyRegressor"), "regression", COLUMNS, 42)
    fitted = np.array([True, True, False, False])
    found = fold_result(estimator.fit(frame[fitted], target[fitted]), "mae", frame, target, ~fitted)
    assert found.score == 8.0
    np.testing.assert_array_equal(found.outputs, [[1.0], [1.0]])


def test_a_class_that_the_fit_did_not_see_has_no_probability():
    frame, target = pd.DataFrame({"x": [0.0, 1.0, 0.0, 2.0]}), np.array(["a", "c", "a", "b"])
    estimator = build(Candidate(name="a", estimator="DecisionTreeClassifier"), "classification", COLUMNS, 42)
    fitted = np.array([True, True, False, False])
    found = fold_result(estimator.fit(frame[fitted], target[fitted]), "accuracy", frame, target, ~fitted)
    np.testing.assert_array_equal(found.outputs, [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def reference(hashes, target, count, task_kind):
    """Give the fold of each row as the first version dealt them, with a frame of a row each."""
    band = target
    if task_kind == "regression":
        band = np.empty(len(target))
        band[np.lexsort([hashes, target])] = np.round(np.arange(1, len(target) + 1) / len(target) * 10)
    rows = pd.DataFrame({"hash": hashes, "band": pd.factorize(np.asarray(band), sort=True)[0]})
    units = rows.groupby("hash", sort=True)["band"].min()
    ordered = units.to_frame().assign(position=np.arange(len(units))).sort_values(["band", "position"])
    fold = pd.Series(np.arange(len(ordered)) % count, index=ordered.index)
    return rows["hash"].map(fold).to_numpy()


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6)), min_size=1, max_size=120),
    COUNTS,
    st.sampled_from(["classification", "regression"]),
)
def test_folds_are_those_of_the_first_version(rows, count, task_kind):
    hashes, target = (np.array(column) for column in zip(*rows, strict=True))
    fold = folds(hashes.astype("uint64"), target, count, task_kind)
    np.testing.assert_array_equal(fold, reference(hashes.astype("uint64"), target, count, task_kind))
    assert fold.dtype == np.int16


@given(st.lists(st.integers(-30, 30), min_size=1, max_size=100), COUNTS)
def test_forward_folds_come_after_all_that_is_older(days, count):
    times = np.array(days)
    fold = forward_folds(times, count)
    assert ((fold >= -1) & (fold < count)).all()
    order = np.argsort(times)
    assert (np.diff(fold[order]) >= 0).all()
    for day in set(days):
        assert len(set(fold[times == day])) == 1


@pytest.mark.parametrize("count", [2, 5, 7])
def test_forward_folds_are_of_equal_size(count):
    sizes = np.bincount(forward_folds(np.random.default_rng(0).permutation(101), count) + 1)
    assert len(sizes) == count + 1
    assert np.ptp(sizes) <= 1
