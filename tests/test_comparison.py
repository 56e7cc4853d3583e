import numpy as np
import pytest
from scipy.stats import beta, bootstrap

from tasks.errors import DataRefused
from tasks.judging.comparison import compare, compare_slices, difference, measured
from tasks.judging.resampling import Resampling
from tasks.metrics import METRICS
from tasks.models import Prediction
from tasks.problem import METRICS_OF
from tasks.records import Comparison

MAE, RMSE, ACCURACY, AREA = (METRICS[name] for name in ("mae", "rmse", "accuracy", "roc_auc"))
NONE = np.array([])


def of(errors):
    """Give targets of 0 and a prediction with these errors."""
    return np.zeros(len(errors)), Prediction(np.asarray(errors, dtype="float64"), NONE)


def labels(right):
    """Give targets and a prediction that is right where told."""
    return np.ones(len(right), dtype="int64"), Prediction(np.asarray(right, dtype="int64"), np.array([0, 1]))


def rows(number, seed=1):
    return Resampling(np.arange(number), seed)


def against(metric, target, ours, theirs, resampling=None, margin=None, alpha=0.05) -> Comparison:
    resampling = resampling or rows(len(target))
    return compare(metric, target, ours, theirs, resampling, alpha=alpha, margin=margin, against="champion", version=3)


# Intervals.


def test_intervals_cover_the_truth_as_often_as_they_say():
    """150 samples of 100 exponential losses, whose true mean is 1."""
    rng = np.random.default_rng(0)
    found = [measured(MAE, *of(rng.exponential(size=100)), rows(100, seed), 0.9) for seed in range(150)]
    covered = np.mean([each.low <= 1.0 <= each.high for each in found])
    assert 0.84 <= covered <= 0.97
    assert all(each.low <= each.value <= each.high for each in found)


def test_the_interval_of_accuracy_is_near_the_exact_one():
    for misses, number in ((100, 1000), (1, 40), (0, 40)):
        right = np.arange(number) >= misses
        found = measured(ACCURACY, *labels(right), rows(number), 0.95)
        exact = beta.ppf(0.025, number - misses, misses + 1), beta.ppf(0.975, number - misses + 1, misses or 1e-9)
        assert found.value == pytest.approx(1 - misses / number)
        assert found.low == pytest.approx(exact[0], abs=0.02)
        assert found.high == pytest.approx(min(exact[1], 1.0), abs=0.02)


def test_the_interval_of_rmse_is_in_the_units_of_the_target():
    found = measured(RMSE, *of(np.full(50, 3.0)), rows(50), 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((3.0, 3.0, 3.0))


def test_the_same_seed_gives_the_same_interval_and_more_confidence_a_wider_one():
    target, ours = of(np.random.default_rng(0).exponential(size=60))
    assert measured(MAE, target, ours, rows(60, 3), 0.95) == measured(MAE, target, ours, rows(60, 3), 0.95)
    assert measured(MAE, target, ours, rows(60, 3), 0.95) != measured(MAE, target, ours, rows(60, 4), 0.95)
    narrow, wide = (measured(MAE, target, ours, rows(60, 3), confidence) for confidence in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_an_interval_with_its_own_value(name):
    rng = np.random.default_rng(0)
    if name in METRICS_OF["regression"]:
        target = rng.uniform(1, 5, 300)
        prediction = Prediction(target + rng.normal(size=300), NONE)
    else:
        target, chances = rng.integers(0, 3, 300), rng.dirichlet([1, 1, 1], 300)
        prediction = Prediction(chances.argmax(axis=1), np.arange(3), chances)
    found = measured(METRICS[name], target, prediction, rows(300), 0.95)
    assert found.value == METRICS[name].value(target, prediction)
    assert found.low < found.value < found.high
    same = against(METRICS[name], target, prediction, prediction)
    assert (same.harm.value, same.standing, same.ours) == (0.0, "equivalent", same.theirs)


def test_the_sign_of_a_difference_is_challenger_less_champion():
    target, right = labels(np.ones(100))
    _, wrong = labels(np.repeat([0.0, 1.0], [30, 70]))
    assert difference(ACCURACY, target, right, wrong, rows(100), 0.95).value == pytest.approx(0.3)
    target, far = of(np.repeat([4.0, 0.0], [30, 70]))
    assert difference(RMSE, target, far, of(np.zeros(100))[1], rows(100), 0.95).value == pytest.approx(0.3**0.5 * 4)


def test_pairs_make_the_interval_narrower_where_losses_are_alike():
    rng = np.random.default_rng(0)
    hard = rng.exponential(scale=3, size=300) + 1  # what is hard for both
    champion, challenger = hard + rng.normal(0, 0.1, 300), hard + rng.normal(0, 0.1, 300)
    paired = difference(MAE, *of(challenger), of(champion)[1], rows(300), 0.95)
    unpaired = bootstrap(
        (challenger, champion), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis), method="percentile", rng=rng
    ).confidence_interval
    assert paired.high - paired.low < 0.1 * (unpaired.high - unpaired.low)
    spread = 2 * 1.96 * (challenger - champion).std() / 300**0.5
    assert paired.high - paired.low == pytest.approx(spread, rel=0.1)


def test_a_constant_gain_has_no_spread_in_pairs():
    champion = np.random.default_rng(0).exponential(size=80) + 1
    found = difference(MAE, *of(champion - 0.25), of(champion)[1], rows(80), 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((-0.25, -0.25, -0.25))


# Comparisons.


def test_a_comparison_tells_all_its_figures():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.5, 1.5, 500)
    target, ours = of(base * 1.02 + 0.1 * rng.normal(size=500))
    found = against(MAE, target, ours, of(base)[1], margin=0.01)
    assert (found.against, found.version, found.rows, found.units, found.alpha) == ("champion", 3, 500, 500, 0.05)
    assert (found.ours, found.theirs) == (MAE.value(target, ours), base.mean())
    assert found.harm.value == pytest.approx(found.ours / found.theirs - 1, rel=1e-9)
    assert found.harm.low == pytest.approx(found.harm.value - 1.65 * found.standard_error, abs=0.0005)
    assert found.resolvable == pytest.approx(2.49 * found.standard_error, rel=0.05)
    assert (found.margin, found.standing) == (0.01, "worse")
    assert found.rows_needed == pytest.approx(500 * (found.resolvable / 0.01) ** 2, rel=0.02)
    assert Comparison.model_validate_json(found.model_dump_json()) == found


def test_as_many_rows_as_are_needed_resolve_the_margin():
    def compared(number):
        rng = np.random.default_rng(number)
        base = rng.uniform(0.5, 1.5, number)
        return against(MAE, *of(base + 0.1 * rng.normal(size=number)), of(base)[1], margin=0.01)

    few = compared(200)
    assert few.resolvable > few.margin
    assert few.rows_needed > 200
    enough = compared(int(1.2 * few.rows_needed))
    assert enough.resolvable <= 0.01
    assert enough.rows_needed <= enough.rows


def test_where_a_few_rows_decide_it_takes_more_of_them():
    theirs = np.ones(200)
    ours = 1 + 0.05 * np.random.default_rng(0).normal(size=200)
    theirs[:2] = 2.0
    target, ours = of(ours * theirs.mean() / ours.mean())
    found = against(MAE, target, ours, of(theirs)[1])
    assert found.standing == "cannot tell"
    assert 200 < found.rows_needed < 2000


def test_rows_that_belong_together_count_once():
    """With ten rows in a group that err alike, single rows claim to be sure of what the groups cannot tell."""
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(60), 10)
    base = rng.uniform(0.5, 1.5, 600)
    target, ours = of(base * (1 + 0.4 * rng.normal(size=60)[group]))
    by_row, by_group = (
        against(MAE, target, ours, of(base)[1], Resampling(unit, 1)) for unit in (np.arange(600), group)
    )
    assert (by_row.units, by_group.units) == (600, 60)
    assert by_group.standard_error > 2.5 * by_row.standard_error


def test_a_metric_without_a_value_is_refused():
    target = np.ones(50, dtype="int64")
    chances = np.column_stack([np.linspace(0, 1, 50), np.linspace(1, 0, 50)])
    prediction = Prediction(target, np.array([0, 1]), chances)
    message = "The ROC AUC has no value on these 50 test rows.*gather rows of every class"
    with pytest.raises(DataRefused, match=message):
        measured(AREA, target, prediction, rows(50), 0.95)
    with pytest.raises(DataRefused, match=message):
        against(AREA, target, prediction, prediction)


def test_an_area_is_compared_as_by_delong():
    """The variance of the difference of two correlated areas (DeLong et al., 1988), by its own formula."""
    rng = np.random.default_rng(0)
    target, skill = rng.integers(0, 2, 400), rng.normal(size=400)
    scores = [1.5 * target + skill + 0.3 * rng.normal(size=400) for _ in range(2)]
    models = []
    for score in scores:
        chance = 1 / (1 + np.exp(-score))
        models.append(Prediction((chance > 0.5).astype(int), np.array([0, 1]), np.column_stack([1 - chance, chance])))
    placed = [
        (
            [np.mean(score[target == 0] < each) for each in score[target == 1]],
            [np.mean(score[target == 1] > each) for each in score[target == 0]],
        )
        for score in scores
    ]
    parts = [np.subtract(ours, theirs).var(ddof=1) / len(ours) for ours, theirs in zip(*placed, strict=True)]
    found = difference(AREA, target, *models, rows(400), 0.95)
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(sum(parts) ** 0.5, rel=0.05)


# Slices.


def sliced(harmed=0.0, number=4000, names=20, margin=0.05, seed=0):
    """Give the comparisons of equal slices, in the first of which errors are larger by a share."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=number)
    parts = {f"part {k}": np.arange(number) % names == k for k in range(names)}
    factor = np.where(parts["part 0"], 1 + harmed, 1 - 0.05)
    target, ours = of((0.95 * base + 0.31 * rng.normal(size=number)) * factor)
    return compare_slices(RMSE, target, ours, of(base)[1], parts, dict.fromkeys(parts, margin), rows(number))


def test_a_harmed_slice_is_found_though_the_whole_is_better():
    found = sliced(harmed=0.5)
    assert [each.name for each in found if each.harmed] == ["part 0"]
    assert found[0].harm.low > 0.2
    assert (found[0].rows, found[0].margin) == (200, 0.05)
    assert found[0].harm.value == pytest.approx(found[0].ours / found[0].theirs - 1)


def test_slices_that_nobody_harmed_raise_no_alarm():
    """Of 40 challengers that are at the margin in one slice of twenty: 5 % is expected, and without Holm 64 %."""
    blocked = [any(each.harmed for each in sliced(harmed=0.05, number=600, seed=seed)) for seed in range(40)]
    assert sum(blocked) <= 4


def test_a_slice_is_judged_by_its_own_rows_and_margin():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.5, 1.5, 1000)
    half = np.arange(1000) < 500
    target, ours = of(base * np.where(half, 1.1, 1.0) + 0.05 * rng.normal(size=1000))
    parts = {"strict": half, "lenient": half, "other": ~half}
    margins = {"strict": 0.05, "lenient": 0.15, "other": 0.05}
    strict, lenient, other = compare_slices(MAE, target, ours, of(base)[1], parts, margins, rows(1000))
    assert (strict.harmed, lenient.harmed, other.harmed) == (True, False, False)
    alone = against(MAE, target[half], ours.of(half), of(base)[1].of(half))
    assert (strict.ours, strict.theirs) == (alone.ours, alone.theirs)
    assert strict.harm.low == pytest.approx(alone.harm.low, abs=0.003)


def test_slices_too_small_to_see_harm_are_blind_and_say_how_many_rows_would_do():
    large, small = (sliced(number=number, names=2)[0] for number in (4000, 400))
    assert (large.blind, small.blind) == (False, True)
    assert large.rows_needed <= 2000 < 10 * small.rows_needed
    assert small.rows_needed == pytest.approx(large.rows_needed, rel=0.5)
    assert not sliced(number=2 * small.rows_needed + 500, names=2)[0].blind


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss", "brier_score"])
def test_slices_of_few_rows_none_and_one_class_are_blind_not_harmed(metric):
    rng = np.random.default_rng(0)
    target, chances = rng.integers(0, 2, 600), rng.dirichlet([1, 1], 600)
    prediction = Prediction(chances.argmax(axis=1), np.arange(2), chances)
    worst = Prediction(1 - target, np.arange(2), np.column_stack([target, 1.0 - target]))
    parts = {"none": np.arange(600) < 0, "few": np.arange(600) < 3, "one class": target == 1}
    none, few, one = compare_slices(
        METRICS[metric], target, worst, prediction, parts, dict.fromkeys(parts, 0.05), rows(600)
    )
    assert (none.rows, none.ours, none.theirs, none.harm) == (0, None, None, None)
    assert (none.blind, few.blind, none.harmed, few.harmed) == (True, True, False, False)
    assert none.rows_needed >= 10 <= few.rows_needed
    assert one.blind if metric == "roc_auc" else one.harmed


def test_many_slices_are_drawn_in_the_same_resamples_as_few():
    """However many columns are summed at once."""
    parts = {str(k): np.arange(600) % 120 == k for k in range(120)}
    target, ours = of(np.random.default_rng(0).normal(size=600))
    both = compare_slices(RMSE, target, ours, of(np.ones(600))[1], parts, dict.fromkeys(parts, 0.05), rows(600))
    alone = compare_slices(RMSE, target, ours, of(np.ones(600))[1], {"119": parts["119"]}, {"119": 0.05}, rows(600))
    assert len(both) == 120
    assert both[-1].harm.value == alone[0].harm.value
    assert both[-1].harm.high == pytest.approx(alone[0].harm.high, rel=1e-9)
