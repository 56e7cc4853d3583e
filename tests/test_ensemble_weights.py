import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import accuracy_score, mean_squared_error

from tasks.ensemble_weights import WEIGH, Pool, Weights, average, cross_fitted, greedy, prediction, stack, unlike
from tasks.metrics import METRICS

RANDOM = np.random.default_rng(0)
ROWS = 400
TARGET = RANDOM.normal(10, 3, ROWS)
NONE = np.array([])


def numbers(*noise, metric="rmse"):
    """Give a pool of regressors that are wrong by so much, independently."""
    random = np.random.default_rng(1)
    outputs = np.stack([(TARGET + random.normal(0, each, ROWS))[:, None] for each in noise])
    return Pool(outputs, TARGET, NONE, METRICS[metric])


def error(pool, found):
    return mean_squared_error(pool.target, pool.combined(found)[:, 0]) ** 0.5


def classes_pool(metric="accuracy", models=4, labels=("frog", "newt", "toad")):
    random, names = np.random.default_rng(2), np.array(labels)
    code = random.integers(0, len(names), ROWS)
    sharpness = np.linspace(0.8, 2.0, models)
    scores = random.normal(size=(models, ROWS, len(names))) + sharpness[:, None, None] * np.eye(len(names))[code]
    shares = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    return Pool(shares, names[code], names, METRICS[metric])


def test_an_average_takes_as_many_of_the_best_as_are_best_together():
    found = average(numbers(1.0, 9.0, 1.1, 1.05), 4)
    assert found.weights == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])
    assert average(numbers(1.0, 9.0, 1.1, 1.05), 2).weights == pytest.approx([0.5, 0, 0, 0.5])
    assert average(numbers(1.0, 9.0), 5).weights == pytest.approx([0.5, 0.5])  # a mean of one is none


def test_a_mean_of_different_errors_is_better_than_each():
    pool = numbers(1.0, 1.0, 1.0)
    single = min(mean_squared_error(TARGET, each[:, 0]) ** 0.5 for each in pool.outputs)
    for weigh in WEIGH.values():
        assert error(pool, weigh(pool, 3)) < 0.75 * single


def test_greedy_weights_are_those_of_a_search_by_hand():
    """Caruana's procedure written with lists and scikit-learn's metric."""
    pool = numbers(1.0, 1.5, 0.9, 2.5)
    bag, scores = [], []
    for _ in range(25):
        tried = [mean_squared_error(TARGET, pool.outputs[[*bag, place], :, 0].mean(axis=0)) for place in range(4)]
        bag.append(int(np.argmin(tried)))
        scores.append(min(tried))
    kept = bag[: 1 + int(np.argmin(scores))]
    assert greedy(pool, 4).weights == pytest.approx(np.bincount(kept, minlength=4) / len(kept))


def test_greedy_works_on_the_metric_itself():
    pool = classes_pool("accuracy")
    found = greedy(pool, 4)
    chosen = prediction(pool.combined(found), pool.classes).values
    single = [accuracy_score(pool.target, prediction(each, pool.classes).values) for each in pool.outputs]
    assert accuracy_score(pool.target, chosen) > max(single)
    assert found.weights.sum() == pytest.approx(1)


def test_greedy_of_one_perfect_model_takes_no_other():
    pool = numbers(0.0, 1.0, 1.0)
    assert greedy(pool, 3).weights.tolist() == [1, 0, 0]


@pytest.mark.parametrize("kind", WEIGH)
def test_no_more_members_than_are_allowed(kind):
    pool = numbers(1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
    found = WEIGH[kind](pool, 3)
    assert 2 <= np.count_nonzero(found.weights) <= 3
    assert (found.weights >= 0).all()


def test_a_stack_is_the_nearest_with_no_weight_below_zero():
    """Against a general optimiser with bounds."""
    pool = numbers(1.0, 2.0, 1.5)
    worse = Pool(np.stack([*pool.outputs, -pool.outputs[0]]), pool.target, pool.classes, pool.metric)
    found = stack(worse, 4)

    def squared(values):
        return float(((worse.combined(Weights(values[:4], values[4]))[:, 0] - TARGET) ** 2).mean())

    bounds = [(0, None)] * 4 + [(None, None)]
    best = minimize(squared, np.zeros(5), bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10})
    assert squared([*found.weights, found.intercept]) == pytest.approx(best.fun, rel=1e-6)
    assert found.weights[3] == 0


def test_a_stack_corrects_a_bias():
    pool = numbers(0.5, 0.5)
    biased = Pool(2 * pool.outputs + 7, pool.target, pool.classes, pool.metric)
    assert error(biased, stack(biased, 2)) < 0.4


def test_a_stack_of_probabilities_has_weights_that_sum_to_one():
    pool = classes_pool("brier_score")
    found = stack(pool, 4)
    assert found.weights.sum() == pytest.approx(1)
    assert found.intercept == 0
    best = max(pool.goodness(each) for each in pool.outputs)
    assert pool.goodness(pool.combined(found)) > best


def test_of_equal_metrics_the_nearer_to_the_truth_is_better():
    pool = classes_pool("accuracy")
    sharp, vague = pool.truth, 0.6 * pool.truth + 0.4 / 3
    assert pool.goodness(sharp)[0] == pool.goodness(vague)[0] == 1
    assert pool.goodness(sharp) > pool.goodness(vague)


def test_weights_for_a_part_come_from_the_other_parts():
    """A model that is perfect on one part alone gets no credit for it there."""
    part = np.arange(ROWS) % 2
    pool = numbers(1.0, 1.0)
    outputs = pool.outputs.copy()
    outputs[0, part == 0, 0] = TARGET[part == 0]
    found = cross_fitted(Pool(outputs, TARGET, NONE, pool.metric), part, lambda rest: greedy(rest, 2))
    weights = greedy(Pool(outputs, TARGET, NONE, pool.metric).of(part == 1), 2)
    expected = np.tensordot(weights.weights, outputs[:, part == 0], axes=1)
    np.testing.assert_array_equal(found[part == 0], expected)
    np.testing.assert_array_equal(found[part == 1], outputs[0, part == 1])  # the other half saw it perfect


def test_nothing_is_learnt_of_noise():
    """Labels without a cause: weights that saw their own rows would beat chance."""
    random = np.random.default_rng(5)
    target = random.integers(0, 2, 2000)
    shares = random.random((20, 2000))
    pool = Pool(np.stack([1 - shares, shares], axis=2), target, np.array([0, 1]), METRICS["accuracy"])
    part = np.arange(2000) % 5
    seen = pool.goodness(pool.combined(greedy(pool, 20)))[0]
    honest = pool.goodness(cross_fitted(pool, part, lambda rest: greedy(rest, 20)))[0]
    assert seen > 0.53
    assert abs(honest - 0.5) < 0.025


def test_models_whose_errors_are_alike_count_once():
    pool = numbers(1.0, 1.0)
    twin = pool.outputs[0] + 0.001 * np.random.default_rng(4).normal(size=(ROWS, 1))
    three = Pool(np.stack([pool.outputs[0], twin, pool.outputs[1]]), TARGET, NONE, pool.metric)
    assert unlike(three, 0.995) == [0, 2]
    perfect = Pool(np.stack([TARGET[:, None]] * 2), TARGET, NONE, pool.metric)
    assert unlike(perfect, 0.995) == [0, 1]  # no errors are like no others
