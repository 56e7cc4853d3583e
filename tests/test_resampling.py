import numpy as np
import pytest

import tasks.judging.resampling
from tasks.judging.resampling import MOST_UNITS, RESAMPLES, Resampling, block_length


def counts(resampling, rows):
    """Give how often each row is in each resample."""
    return resampling.sums(np.eye(rows))


def test_every_resample_draws_as_many_rows_as_there_are_each_as_likely():
    drawn = counts(Resampling(np.arange(50), 1), 50)
    assert drawn.shape == (RESAMPLES, 50)
    assert (drawn.sum(axis=1) == 50).all()
    assert (drawn == drawn.round()).all()
    np.testing.assert_allclose(drawn.mean(axis=0), 1.0, atol=0.05)
    # a multinomial's: variance 1 - 1 / n, covariance -1 / n
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(50) - 1 / 50, atol=0.07)


def test_sums_are_those_of_the_rows_drawn():
    columns = np.random.default_rng(0).normal(size=(30, 3))
    resampling = Resampling(np.arange(30), 1)
    np.testing.assert_allclose(resampling.sums(columns), counts(resampling, 30) @ columns, rtol=1e-9, atol=1e-9)


def test_what_is_asked_together_and_apart_is_drawn_alike():
    columns = np.random.default_rng(0).normal(size=(70, 4))
    resampling = Resampling(np.arange(70), 1)
    alone = resampling.sums(columns[:, :1])
    np.testing.assert_allclose(resampling.sums(columns)[:, :1], alone, rtol=1e-9, atol=1e-9)


def test_the_seed_decides_and_the_number_of_cores_does_not(monkeypatch):
    columns = np.random.default_rng(0).normal(size=(300, 2))
    first = Resampling(np.arange(300), 5).sums(columns)
    monkeypatch.setattr(tasks.judging.resampling, "CORES", 1)
    np.testing.assert_array_equal(first, Resampling(np.arange(300), 5).sums(columns))
    assert (first != Resampling(np.arange(300), 6).sums(columns)).any()


def test_rows_of_a_unit_are_drawn_together():
    unit = np.array([7, 3, 7, 3, 3, 9])
    resampling = Resampling(unit, 1)
    drawn = counts(resampling, 6)
    assert resampling.units == 3
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert (drawn[:, 1] == drawn[:, 3]).all()
    assert (drawn[:, [0, 1, 5]].sum(axis=1) == 3).all()
    by_unit = resampling.by_unit(np.arange(6.0)[:, None])
    assert sorted(by_unit[:, 0]) == [0 + 2, 5, 1 + 3 + 4]


def test_some_rows_are_drawn_with_their_units():
    unit, rows = np.array([0, 0, 1, 2]), np.array([True, False, False, True])
    resampling = Resampling(unit, 1)
    assert resampling.by_unit(np.array([[5.0], [6.0]]), rows)[:, 0].tolist() == [5.0, 0.0, 6.0]
    assert resampling.units_of(rows).tolist() == [True, False, True]
    assert resampling.units_of().all()


def test_the_error_of_a_mean_of_clustered_rows_is_that_of_their_means():
    rng = np.random.default_rng(0)
    clusters = rng.normal(size=200)
    values = (clusters[:, None] + 0.1 * rng.normal(size=(200, 10))).ravel()
    unit = np.repeat(np.arange(200), 10)
    spread = Resampling(unit, 1).sums(values[:, None]).std() / 2000
    plain = Resampling(np.arange(2000), 1).sums(values[:, None]).std() / 2000
    assert spread == pytest.approx(clusters.std() / 200**0.5, rel=0.05)
    assert plain < 0.4 * spread


def test_many_units_are_pooled_at_random_without_changing_the_error():
    rng = np.random.default_rng(0)
    rows = 3 * MOST_UNITS
    values = rng.exponential(size=rows)
    resampling = Resampling(rng.permutation(rows), 1)
    assert resampling.units == MOST_UNITS
    by_unit = resampling.by_unit(np.ones((rows, 1)))
    assert (by_unit == 3).all()
    assert resampling.sums(values[:, None]).std() == pytest.approx(values.std() * rows**0.5, rel=0.05)


def autoregressive(rows, memory, seed=0):
    noise, series = np.random.default_rng(seed).normal(size=rows + 100), np.zeros(rows + 100)
    for step in range(1, rows + 100):
        series[step] = memory * series[step - 1] + noise[step]
    return series[100:]


def test_blocks_are_as_long_as_the_series_remembers():
    """The rule of Politis and White: with white noise the least, for AR(1) 2 (memory / (1 - memory²))^(2/3) n^(1/3)."""
    white, some, long = (block_length(autoregressive(1000, memory)) for memory in (0.0, 0.5, 0.9))
    assert white == 10  # the cube root
    assert 10 <= some < long
    # G / g(0) of an AR(1) is 2 memory / (1 - memory²), Politis and White (2004)
    assert long == pytest.approx((1.5 * (2 * 0.9 / (1 - 0.9**2)) ** 2 * 1000) ** (1 / 3), rel=0.4)
    wandering = np.cumsum(np.random.default_rng(0).normal(size=1000))
    assert block_length(wandering) <= 95  # never more than three square roots
    assert block_length(np.ones(1000)) == 10
    assert block_length(np.arange(4.0)) == 2


def test_blocks_are_consecutive_moments_and_rows_of_a_moment_stay_together():
    moment = np.repeat(np.arange(27), 2)[np.random.default_rng(0).permutation(54)] * 86_400
    drawn = counts(Resampling(moment, 1, blocks=True), 54)
    assert Resampling(moment, 1, blocks=True).units == 9
    for block in range(9):
        rows = np.flatnonzero(moment // 86_400 // 3 == block)
        assert (drawn[:, rows] == drawn[:, rows[:1]]).all()


def test_blocks_see_the_error_that_single_rows_miss():
    """The mean of an AR(1) of memory 0.8 has nine times the variance of that of as many independent rows."""
    series, rows = autoregressive(4000, 0.8), np.arange(4000)
    blocks = Resampling(rows, 1, blocks=True, series=series)
    alone, together = (each.sums(series[:, None]).std() / 4000 for each in (Resampling(rows, 1), blocks))
    assert together == pytest.approx(5 / 4000**0.5, rel=0.25)  # s.d. 1 / (1 - 0.8) in the long run
    assert alone < 0.4 * together


def test_no_rows_have_no_units():
    resampling = Resampling(np.array([], dtype="int64"), 1)
    assert resampling.units == 0
    assert (resampling.sums(np.zeros((0, 2))) == 0).all()
