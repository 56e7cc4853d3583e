import numpy as np
import pytest
from scipy.stats import gamma, norm

from tasks.judging.bounds import estimated, influence


def of_means(values, resamples=4000, hidden=0.0):
    """Give the estimate of the means of the columns of values, of shape (units, pairs), by plain resampling."""
    units, pairs = values.shape
    value = values.mean(axis=0)
    moved = influence(value, (values.sum(axis=0) - values) / (units - 1))
    counts = np.random.default_rng(1).multinomial(units, np.full(units, 1 / units), resamples).astype("float64")
    return estimated(value, moved, counts @ values / units, counts @ moved**2, np.full(pairs, hidden))


def test_the_error_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).exponential(size=(80, 3))
    found = of_means(values)
    np.testing.assert_allclose(found.error, values.std(axis=0, ddof=1) / 80**0.5, rtol=1e-9)
    assert (np.diff(found.resampled, axis=0) >= 0).all()
    assert (np.diff(found.studentised, axis=0) >= 0).all()


def test_bounds_of_many_normal_rows_are_the_normal_ones():
    values = np.random.default_rng(0).normal(size=(2000, 2))
    low, high = of_means(values).bounds(0.05)
    reach = norm.isf(0.05) * values.std(axis=0) / 2000**0.5
    np.testing.assert_allclose(high - values.mean(axis=0), reach, rtol=0.08)
    np.testing.assert_allclose(values.mean(axis=0) - low, reach, rtol=0.08)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("skewed", [False, True])
def test_bounds_are_crossed_as_often_as_they_say(skewed, alpha):
    """400 samples of 40 rows; the percentiles alone are crossed from below in 11 % of samples of these skewed rows."""
    rng = np.random.default_rng(7)
    values = rng.lognormal(size=(40, 400)) - np.exp(0.5) if skewed else rng.normal(size=(40, 400))
    found = of_means(values)
    low, high = found.bounds(alpha)
    error = 3 * (alpha * (1 - alpha) / 400) ** 0.5
    assert (low > 0).mean() <= alpha + error
    assert (high < 0).mean() <= alpha + error + (0.03 if skewed else 0.0)  # 40 rows with such a tail are few
    if skewed and alpha == 0.05:
        percentile = found.resampled[int(0.95 * len(found.resampled))]
        assert (percentile < 0).mean() > 0.09


def test_a_smaller_alpha_and_fewer_units_reach_further():
    few, many = (of_means(np.tile(np.random.default_rng(0).normal(size=(units, 1)), 1)) for units in (12, 300))
    for found in (few, many):
        (low, high), (lower, higher) = found.bounds(0.05), found.bounds(0.001)
        assert lower < low < found.value < high < higher
    assert few.bounds(0.05)[1] - few.value > norm.isf(0.05) * few.error


def test_what_is_constant_has_no_spread():
    low, high = of_means(np.full((30, 1), 0.25)).bounds(0.05)
    assert (low[0], high[0]) == pytest.approx((0.25, 0.25), abs=1e-12)


def test_what_no_row_has_shown_may_still_come():
    """The rule of three: 0 misses of 100 leave 3 in 100 possible."""
    low, high = of_means(np.zeros((100, 1)), hidden=1 / 100).bounds(0.05)
    assert (low[0], high[0]) == pytest.approx((-0.03, 0.03), abs=1e-4)


def test_a_single_event_bounds_as_in_a_poisson_process():
    """Of one event the upper bound is 4.74 events (Garwood, 1936), not the 3 that resamples repeat it."""
    values = np.zeros((200, 1))
    values[0] = 200.0
    _, high = of_means(values).bounds(0.05)
    assert high[0] == pytest.approx(gamma.isf(0.05, 2), rel=0.01)


def test_resamples_without_a_value_are_left_out():
    values = np.random.default_rng(0).normal(size=(50, 2))
    found = of_means(values)
    resampled, squares = found.resampled.copy(), np.ones_like(found.resampled)
    resampled[:100, 0], resampled[:, 1] = np.nan, np.nan
    moved = influence(found.value, np.stack([found.value, np.full(2, np.nan)]))
    low, high = estimated(found.value, moved, resampled, squares, np.zeros(2)).bounds(0.05)
    assert np.isfinite([low[0], high[0]]).all()
    assert np.isnan([low[1], high[1]]).all()
