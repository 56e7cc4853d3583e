import numpy as np
import pytest
from scipy.stats import t

from tasks.judging.harm import Asked, estimates, harm, pair
from tasks.judging.resampling import Resampling
from tasks.judging.slice_tests import holm, slice_test
from tasks.metrics import METRICS

MAE = METRICS["mae"]


def judged(ours, theirs, margin):
    asked = pair(MAE, [np.column_stack([each, np.ones(len(each))]) for each in (ours, theirs)], len(ours))
    (found,) = estimates(MAE, [asked], Resampling(np.arange(len(ours)), 1))
    return slice_test(MAE, asked, found, margin)


def test_p_values_are_adjusted_step_by_step():
    """By hand: 4 x 0.01, 3 x 0.02, 2 x 0.04 and 1 x 0.05, which may not be below the one before."""
    assert holm([0.05, 0.01, 0.04, 0.02]) == pytest.approx([0.08, 0.04, 0.08, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_p_value_is_that_of_students_test_of_a_harm_beyond_the_margin():
    rng = np.random.default_rng(0)
    theirs = rng.uniform(0.9, 1.1, 80)
    ours = theirs * 1.08 + 0.1 * rng.normal(size=80)
    found = judged(ours, theirs, 0.05)
    logs = np.log(ours.mean() / theirs.mean() / 1.05)
    influence = ours / ours.mean() - theirs / theirs.mean()
    assert found.p_value == pytest.approx(t.sf(logs / (influence.std(ddof=1) / 80**0.5), 79), rel=0.02)
    assert judged(ours, theirs, 0.2).p_value > 0.99


def test_p_values_of_what_is_exactly_at_the_margin_are_even():
    """Of 500 challengers at once."""
    ours, theirs = np.random.default_rng(0).uniform(0.5, 1.5, (2, 60, 500)) * [[[1.05]], [[1.0]]]
    columns = [np.stack([each, np.ones_like(each)], axis=2) for each in (ours, theirs)]
    (found,) = estimates(MAE, [Asked(columns, harm(MAE), np.zeros(500))], Resampling(np.arange(60), 1))
    p_values = [
        slice_test(MAE, pair(MAE, [each[:, k] for each in columns], 60), found.only(k), 0.05).p_value
        for k in range(500)
    ]
    assert np.mean(np.array(p_values) < 0.5) == pytest.approx(0.5, abs=0.07)
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_certain_harm_is_certain_and_few_rows_are_no_evidence():
    assert judged(np.full(30, 2.0), np.ones(30), 0.05).p_value == 0.0
    assert judged(np.full(30, 1.0), np.ones(30), 0.05).p_value == 1.0
    few = judged(np.full(9, 2.0), np.ones(9), 0.05)
    assert (few.p_value, few.blind, few.defined) == (1.0, True, True)
