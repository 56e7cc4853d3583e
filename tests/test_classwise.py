"""What metrics of classes are made of; the metrics themselves are compared with scikit-learn's in test_metrics.py."""

import numpy as np

from tasks.judging.classwise import area_columns, area_of, class_columns, f1, mean_of_defined, misplaced, ratio, recall
from tasks.models import Prediction

TARGET = np.array(["a", "a", "b"])
CHANCE = np.array([0.2, 0.6, 0.6])
PREDICTION = Prediction(np.array(["a", "b", "b"]), np.array(["a", "b"]), np.column_stack([1 - CHANCE, CHANCE]))


def test_nothing_is_divided_by_zero():
    assert np.isnan(ratio(np.array([1.0]), np.array([0.0]))).all()
    assert mean_of_defined(np.array([[1.0, np.nan, 3.0]])).tolist() == [2.0]
    assert np.isnan(mean_of_defined(np.array([np.nan]))).all()


def test_hits_by_class():
    columns = class_columns(TARGET, PREDICTION)
    assert columns.sum(axis=0).tolist() == [1, 2, 1, 1, 1, 2]  # of each class: hits, true, predicted
    assert recall(columns.sum(axis=0)) == (1 / 2 + 1) / 2
    assert f1(columns.sum(axis=0)) == (2 / 3 + 2 / 3) / 2
    assert recall(columns[:2].sum(axis=0)) == 0.5  # no row is of class b


def test_placements_by_hand():
    """The row of b is above one of two and beside the other: 0.75."""
    columns = area_columns(TARGET, PREDICTION)
    assert area_of(columns.sum(axis=0)) == 0.75
    assert misplaced(TARGET, PREDICTION).tolist() == [0.0, 0.5, 0.25]
    assert np.isnan(area_of(columns[:2].sum(axis=0)))  # a resample without a row of b has no area
