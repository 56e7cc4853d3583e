"""Intervals: as often right as they say, wider where a model errs by more, never without their measured coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.candidates import Candidate
from tasks.columns import FOLD, ROW
from tasks.errors import ProblemError
from tasks.intervals import at_level, bins, bounds, edges_of, label_sets, margins, measured, of_version, thresholds
from tasks.models import Prediction
from tasks.out_of_fold import keep
from tasks.records import Artifact, Features, FeatureSet, Interval, Intervals, Model, Scores, Trial
from tasks.store import Store

NO_CLASSES: Any = np.array([])
HELD = Interval(value=1.0, low=0.5, high=1.5)


def numbers(rows: int, seed: int = 0) -> tuple[Any, Any]:
    """Give predictions and truths whose errors grow with the prediction."""
    chance = np.random.default_rng(seed)
    said = chance.uniform(1, 10, rows)
    return said, said + chance.standard_t(4, rows) * said


def found_for(rows: int = 4_000, test_rows: int = 4_000) -> Intervals:
    said, truth = numbers(rows)
    test, test_truth = numbers(test_rows, seed=1)
    found = measured(said[:, None], truth, Prediction(test, NO_CLASSES), test_truth)
    assert found
    return found


def chances(rows: int, shares: tuple[float, ...], seed: int = 0) -> tuple[Any, Any]:
    """Give probabilities of classes, and labels that are drawn with these probabilities."""
    chance = np.random.default_rng(seed)
    found = chance.dirichlet(np.array(shares), rows)
    labels = (found.cumsum(axis=1) < chance.uniform(size=(rows, 1))).sum(axis=1).clip(max=len(shares) - 1)
    return found, labels


def test_intervals_hold_as_often_as_they_say_on_rows_that_they_were_not_found_on() -> None:
    found = found_for()
    assert [each.level for each in found.levels] == [0.5, 0.8, 0.9, 0.95, 0.99]
    for each in found.levels:
        assert each.measured.low < each.measured.value < each.measured.high
        assert each.measured.value == pytest.approx(each.level, abs=0.02)
    assert (found.rows, found.test_rows) == (4_000, 4_000)


def test_intervals_are_wider_where_the_model_errs_by_more() -> None:
    found = found_for()
    low, high = bounds(Prediction(np.array([1.5, 9.5]), NO_CLASSES), found, 0.9)
    width = high - low
    assert width[1] > 3 * width[0]
    np.testing.assert_allclose((low + high) / 2, [1.5, 9.5])
    said, truth = numbers(4_000, seed=2)
    low, high = bounds(Prediction(said, NO_CLASSES), found, 0.9)
    inside = (low <= truth) & (truth <= high)
    assert all(inside[part].mean() > 0.86 for part in (said < 3, said > 8))


def test_a_prediction_beyond_all_that_was_seen_has_the_bounds_of_the_outermost_bin() -> None:
    found = found_for()
    low, high = bounds(Prediction(np.array([-1e9, 1e9]), NO_CLASSES), found, 0.8)
    assert (high - low).tolist() == pytest.approx([2 * found.levels[1].margins[place] for place in (0, -1)], rel=1e-6)


def test_the_bounds_of_one_row_are_those_of_the_same_row_among_others() -> None:
    found, said = found_for(), numbers(50)[0]
    low, high = bounds(Prediction(said, NO_CLASSES), found, 0.95)
    alone = [bounds(Prediction(each, NO_CLASSES), found, 0.95) for each in said[:, None]]
    assert [(a[0], b[0]) for a, b in alone] == list(zip(low, high, strict=True))


def test_rows_that_are_too_few_for_a_level_have_no_interval_of_it() -> None:
    assert [each.level for each in found_for(rows=60).levels] == [0.5, 0.8, 0.9, 0.95]
    said, truth = numbers(3)
    assert measured(said[:1, None] * np.nan, truth[:1], Prediction(said, NO_CLASSES), truth) is None


def test_rows_that_were_never_held_out_do_not_count() -> None:
    said, truth = numbers(300)
    held_out = np.where(np.arange(300) < 100, np.nan, said)[:, None]
    found = measured(held_out, truth, Prediction(said, NO_CLASSES), truth)
    assert found
    assert (found.rows, found.test_rows) == (200, 300)


def test_a_model_that_always_says_the_same_has_one_bin() -> None:
    assert edges_of(np.full(5_000, 3.0)) == edges_of(np.arange(300.0)) == ()
    _, truth = numbers(1_000)
    found = measured(np.full((1_000, 1), 3.0), truth, Prediction(np.full(1_000, 3.0), NO_CLASSES), truth)
    assert found
    assert found.levels[2].measured.value == pytest.approx(0.9, abs=0.005)


@settings(max_examples=50, deadline=None)
@given(rows=st.integers(1, 3_000), values=st.integers(1, 30))
def test_every_bin_has_enough_rows_however_many_predictions_are_equal(rows: int, values: int) -> None:
    said = np.random.default_rng(rows).integers(0, values, rows).astype("float64")
    edges = edges_of(said)
    assert not edges or np.bincount(bins(said, edges), minlength=len(edges) + 1).min() >= 100


@settings(max_examples=50, deadline=None)
@given(rows=st.integers(1, 300), level=st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_a_margin_leaves_out_no_more_rows_than_its_level_allows(rows: int, level: float) -> None:
    errors = np.random.default_rng(rows).normal(size=rows)
    found = margins(errors, np.zeros(rows, dtype="int64"), 1, level)
    if found:
        assert (np.abs(errors) <= found[0]).sum() >= level * (rows + 1) - 1e-9
        assert (np.abs(errors) < found[0]).sum() < level * (rows + 1)
    else:
        assert (1 - level) * (rows + 1) < 1


def test_nine_rows_are_enough_for_nine_tenths() -> None:
    assert margins(np.arange(9.0), np.zeros(9, dtype="int64"), 1, 0.9) == (8.0,)
    assert margins(np.arange(8.0), np.zeros(8, dtype="int64"), 1, 0.9) == ()


# Sets of labels.


def classified(rows: int, shares: tuple[float, ...] = (1.0, 1.0, 0.3)) -> tuple[Intervals, Prediction, Any]:
    classes = np.array(["hut", "house", "villa"])
    said, labels = chances(rows, shares)
    test, test_labels = chances(rows, shares, seed=1)
    prediction = Prediction(classes[test.argmax(axis=1)], classes, test)
    found = measured(said, classes[labels].astype(object), prediction, classes[test_labels].astype(object))
    assert found
    return found, prediction, test_labels


def test_sets_hold_the_truth_as_often_as_they_say_for_each_class() -> None:
    found, prediction, labels = classified(6_000)
    for each in found.levels:
        sets = label_sets(prediction, found, each.level)
        assert sets.shape == (6_000, 3)
        for place in range(3):
            assert sets[labels == place, place].mean() > each.level - 0.03
        assert each.size == pytest.approx(sets.sum(axis=1).mean())


def test_a_set_always_holds_the_answer_and_grows_with_the_level() -> None:
    found, prediction, _ = classified(2_000)
    before = np.zeros((2_000, 3), dtype=bool)
    for each in found.levels:
        sets = label_sets(prediction, found, each.level)
        assert sets[prediction.values[:, None] == prediction.classes].all()
        assert (sets >= before).all()
        before = sets


def test_a_class_of_few_rows_is_judged_with_the_others_or_always_possible() -> None:
    shares = np.array([[0.9, 0.1]] * 200 + [[0.4, 0.6]] * 3)
    label = np.array([0] * 200 + [1] * 3)
    assert thresholds(shares, label, 0.9) == (0.9, 0.0)
    assert thresholds(shares[-3:], label[-3:], 0.99) == ()


def test_a_classifier_that_only_votes_has_the_levels_that_its_votes_reach() -> None:
    classes = np.array([False, True])
    truth = np.arange(400) % 2 == 1
    votes = np.where(np.arange(400) % 20 < 2, ~truth, truth)
    outputs = (votes[:, None] == classes).astype("float64")
    found = measured(outputs, truth, Prediction(votes, classes), truth)
    assert found
    assert [each.level for each in found.levels] == [0.5, 0.8]
    assert label_sets(Prediction(votes, classes), found, 0.8).sum() == 400


# What is refused.


def test_a_level_that_was_not_measured_is_refused_with_those_that_were() -> None:
    found = found_for(rows=60)
    assert at_level(found, 0.9).level == 0.9
    with pytest.raises(ProblemError, match=r"no interval of level 0\.99; allowed are: 0\.5, 0\.8, 0\.9, 0\.95"):
        at_level(found, 0.99)
    with pytest.raises(ProblemError, match="This version has no intervals, because no out-of-fold predictions"):
        bounds(Prediction(np.array([1.0]), NO_CLASSES), None, 0.9)


# From a judged model.


def judged(store: Store, out_of_fold: Artifact | None, **scores: Any) -> Intervals | None:
    """Give the intervals of a model of 300 training and 200 test rows."""
    said, truth = numbers(500)
    frame = pd.DataFrame({"price": truth[:300], FOLD: 0, ROW: np.arange(300, dtype="uint64")})
    kept = store.keep_table(pa.Table.from_pandas(frame, preserve_index=False), "features")
    features = Features(train=kept, columns=FeatureSet(target="price", roles={}, derived={}), folds=1)
    table = {ROW: np.arange(200), "unit": np.arange(200), "target": truth[300:], "challenger": said[300:]}
    known = {"metric": "rmse", "confidence": 0.95, "rows": 200, "excluded_rows": 0, "challenger": HELD}
    predictions = store.keep_table(pa.table(table), "predictions")
    of = Scores.model_validate({**known, **scores, "predictions": predictions})
    trial = Trial(candidate=Candidate(name="a", estimator="Ridge"), metric="rmse", out_of_fold=out_of_fold)
    return of_version(Model.model_construct(leaderboard=(trial,), classes=()), features, of, store)


def test_a_version_has_intervals_where_its_out_of_fold_predictions_are_known(store: Store) -> None:
    found = judged(store, keep(numbers(500)[0][:300, None], store))
    assert found
    assert (found.rows, found.test_rows) == (300, 200)
    assert judged(store, None) is None


def test_rows_that_the_model_was_trained_on_measure_nothing(store: Store) -> None:
    kept = keep(numbers(500)[0][:300, None], store)
    assert judged(store, kept, rows=0, excluded_rows=200, excluded={"challenger": 200}) is None
    assert judged(store, kept, rows=0, excluded_rows=200, excluded={"champion": 200}) is not None
