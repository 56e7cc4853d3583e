import numpy as np
import pytest

from tasks.judging.harm import (
    LARGEST,
    LARGEST_MARGIN,
    Asked,
    estimates,
    harm,
    one_unit,
    pair,
    resolved,
    rows_needed,
    scaled,
    standings,
    unscaled,
)
from tasks.judging.resampling import Resampling
from tasks.metrics import METRICS

MAE, RMSE, ACCURACY, R2 = (METRICS[name] for name in ("mae", "rmse", "accuracy", "r2"))


def losses(values):
    return np.column_stack([values, np.ones(len(values))])


def judged(metric, ours, theirs, alpha=0.05, margin=None, unit=None):
    resampling = Resampling(np.arange(len(ours)) if unit is None else unit, 1)
    asked = pair(metric, [losses(ours), losses(theirs)], resampling.units)
    (found,) = estimates(metric, [asked], resampling)
    return found, standings(metric, found, alpha, margin)


def test_harm_is_the_share_that_is_lost():
    assert unscaled(MAE, harm(MAE)([np.array([11.0]), np.array([10.0])])) == pytest.approx(0.1)
    assert unscaled(ACCURACY, harm(ACCURACY)([np.array([0.72]), np.array([0.8])])) == pytest.approx(0.1)
    assert unscaled(R2, harm(R2)([np.array([-0.3]), np.array([-0.2])])) == pytest.approx(0.5)


def test_nothing_is_divided_by_zero():
    ours, theirs = np.array([0.0, 1.0, 0.0, np.nan]), np.array([0.0, 0.0, 1.0, 1.0])
    found = unscaled(MAE, harm(MAE)([ours, theirs]))
    np.testing.assert_allclose(found, [0.0, LARGEST, -LARGEST / (1 + LARGEST), np.nan])
    np.testing.assert_allclose(unscaled(ACCURACY, harm(ACCURACY)([ours, theirs])), [0.0, -LARGEST, 1.0, np.nan])


def test_scales_are_inverse():
    for metric in (MAE, ACCURACY):
        np.testing.assert_allclose(
            unscaled(metric, scaled(metric, np.array([-0.5, 0.0, 0.01, 3.0]))), [-0.5, 0, 0.01, 3]
        )


def test_the_error_is_that_of_the_paired_difference():
    rng = np.random.default_rng(0)
    theirs = rng.exponential(size=3000)
    ours = theirs + 0.1 * rng.normal(size=3000)
    found, _ = judged(MAE, ours, theirs)
    assert found.error[0] == pytest.approx(
        (ours - theirs * ours.mean() / theirs.mean()).std() / ours.mean() / 3000**0.5, 0.01
    )
    assert found.error[0] < 0.1 * theirs.std() / theirs.mean() / 3000**0.5


def test_every_pair_of_many_is_judged_as_if_it_were_alone():
    rng = np.random.default_rng(0)
    theirs, ours = rng.exponential(size=(2, 60, 5))
    columns = [np.stack([each, np.ones_like(each)], axis=2) for each in (ours, theirs)]
    resampling = Resampling(np.arange(60), 1)
    (many,) = estimates(MAE, [Asked(columns, harm(MAE), np.zeros(5))], resampling)
    together = standings(MAE, many, 0.05, None)
    for place in range(5):
        _, alone = judged(MAE, ours[:, place], theirs[:, place])
        assert alone.low[0] == pytest.approx(together.low[place], rel=1e-9)
        assert alone.high[0] == pytest.approx(together.high[place], rel=1e-9)
        assert alone.resolvable[0] == pytest.approx(together.resolvable[place], rel=1e-9)
        assert alone.standing[0] == together.standing[place]


@pytest.mark.parametrize(
    ("shift", "margin", "expected"),
    [
        (-0.2, 0.05, "better"),
        (0.0, 0.05, "equivalent"),
        (0.2, 0.05, "worse"),
        (0.02, 0.05, "worse"),  # surely worse, though within the margin
        (0.0, 0.001, "cannot tell"),
    ],
)
def test_how_a_challenger_stands(shift, margin, expected):
    rng = np.random.default_rng(1)
    theirs = rng.uniform(0.5, 1.5, 1000)
    ours = theirs * (1 + shift) + 0.1 * rng.normal(size=1000)
    assert judged(MAE, ours, theirs, margin=margin)[1].standing[0] == expected


def test_greater_is_better_turns_the_sign():
    right, often = np.repeat([1.0, 0.0], [900, 100]), np.repeat([1.0, 0.0], [700, 300])
    assert judged(ACCURACY, right, often)[1].standing[0] == "better"
    assert judged(ACCURACY, often, right)[1].standing[0] == "worse"


def test_the_margin_that_is_not_declared_is_what_can_be_resolved():
    """By z(0.95) + z(0.8) = 2.49 standard errors on the scale of logarithms, and never under one per cent."""
    rng = np.random.default_rng(0)
    theirs = rng.uniform(0.5, 1.5, 500)
    ours = rng.permutation(theirs)
    found, stands = judged(MAE, ours, theirs)
    assert stands.margin[0] == stands.resolvable[0] == pytest.approx(np.expm1(2.4865 * found.error[0]), rel=0.05)
    assert judged(MAE, theirs, theirs)[1].margin[0] == 0.01
    later = resolved(MAE, found, 0.001)
    assert later > 1.3 * resolved(MAE, found, 0.05)


def test_a_margin_of_more_than_a_half_is_never_assumed():
    rng = np.random.default_rng(0)
    theirs, ours = rng.lognormal(0, 2, size=(2, 15))
    _, stands = judged(MAE, ours, theirs)
    assert stands.resolvable[0] > LARGEST_MARGIN
    assert stands.margin[0] == LARGEST_MARGIN
    assert stands.standing[0] == "cannot tell"


def test_where_a_few_rows_make_the_champion_look_bad_the_smallest_margin_cannot_be_told():
    """Its standard error is made large by the same rows; a margin that is declared does not go by it."""
    theirs = np.ones(200)
    ours = 1 + 0.05 * np.random.default_rng(0).normal(size=200)
    theirs[:2] = 2.0  # the champion's bad luck
    ours *= theirs.mean() / ours.mean()
    assert judged(MAE, ours, theirs)[1].standing[0] == "cannot tell"
    assert judged(MAE, ours, theirs, margin=0.05)[1].standing[0] == "equivalent"
    assert judged(MAE, theirs, ours)[1].standing[0] == "equivalent"  # a challenger's is met by its wider bound
    assert judged(MAE, ours * 0.5, theirs)[1].standing[0] == "better"


def test_few_units_cannot_tell_however_many_rows():
    theirs = np.random.default_rng(0).uniform(0.5, 1.5, 900)
    unit = np.arange(900) % 9
    assert judged(MAE, theirs * 3, theirs)[1].standing[0] == "worse"
    assert judged(MAE, theirs * 3, theirs, unit=unit)[1].standing[0] == "cannot tell"


def test_hits_and_misses_that_never_differed_are_not_certain():
    """Two models that are both right on all of 100 rows may differ on 3 in 100: no evidence for a margin of 1 %."""
    right = np.ones(100)
    _, stands = judged(ACCURACY, right, right)
    assert stands.high[0] == pytest.approx(0.03, abs=1e-4)
    assert (stands.standing[0], stands.resolvable[0]) == ("equivalent", pytest.approx(0.03, abs=1e-4))
    assert judged(ACCURACY, right, right, margin=0.01)[1].standing[0] == "cannot tell"
    assert judged(ACCURACY, np.ones(400), np.ones(400), margin=0.01)[1].standing[0] == "equivalent"


def test_a_unit_that_is_missed_is_all_its_rows():
    right = losses(np.ones(100))
    assert one_unit(ACCURACY, right, 100) == 0.01
    assert one_unit(ACCURACY, right, 20) == 0.05
    assert one_unit(MAE, right, 20) == 0.0


def test_three_wins_are_not_better():
    """By a sign test three wins of three have a p-value of 0.125."""
    right, wrong = np.ones(200), np.ones(200)
    wrong[:3] = 0.0
    assert judged(ACCURACY, right, wrong)[1].standing[0] == "equivalent"
    wrong[:8] = 0.0
    assert judged(ACCURACY, right, wrong)[1].standing[0] == "better"


def test_rows_needed_grow_with_the_square():
    assert rows_needed(ACCURACY, 1000, 0.02, 0.01) == 4000
    assert rows_needed(ACCURACY, 1000, 0.01, 0.01) == 1000
    assert rows_needed(RMSE, 1000, 0.02, 0.01) == pytest.approx(1000 * (np.log(1.02) / np.log(1.01)) ** 2, abs=1)
    assert rows_needed(RMSE, 1000, 0.2, 0.0) == 10**12  # no margin at all is never resolved


def test_figures_of_some_rows_are_resampled_with_all_others():
    rng = np.random.default_rng(0)
    theirs, ours = rng.exponential(size=(2, 400))
    rows = np.arange(400) < 100
    resampling = Resampling(np.arange(400), 1)
    asked = pair(MAE, [losses(ours[rows]), losses(theirs[rows])], 100, rows)
    part, _ = estimates(MAE, [asked, pair(MAE, [losses(ours), losses(theirs)], 400)], resampling)
    alone, _ = judged(MAE, ours[rows], theirs[rows])
    assert (part.value, part.units) == (alone.value, 100)
    assert part.error == pytest.approx(alone.error, rel=1e-9)
    np.testing.assert_allclose(part.bounds(0.05), alone.bounds(0.05), rtol=0.1)
