import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from tasks.metrics import METRICS, figure, mean_and_deviation
from tasks.models import Prediction
from tasks.problem import METRICS_OF as METRICS_OF_TASKS

RNG = np.random.default_rng(0)
TARGET = RNG.uniform(1, 10, 200)
NUMBERS = Prediction(TARGET + RNG.normal(size=200), np.array([]))
LABELS = RNG.choice(["cat", "dog", "newt"], 200)
CLASSES = np.array(["cat", "dog", "newt"])
PROBABILITIES = RNG.dirichlet([1, 1, 1], 200)
CHOICES = Prediction(CLASSES[PROBABILITIES.argmax(axis=1)], CLASSES, PROBABILITIES)


def test_every_metric_that_a_problem_may_name_is_known():
    assert {name for names in METRICS_OF_TASKS.values() for name in names} == set(METRICS)


@pytest.mark.parametrize(
    ("name", "judged"),
    [
        ("rmse", sklearn_metrics.root_mean_squared_error),
        ("mae", sklearn_metrics.mean_absolute_error),
        ("mape", sklearn_metrics.mean_absolute_percentage_error),
    ],
)
def test_errors_are_those_of_scikit_learn(name, judged):
    assert METRICS[name].value(TARGET, NUMBERS) == pytest.approx(judged(TARGET, NUMBERS.values), rel=1e-12)


def test_accuracy_and_log_loss_are_those_of_scikit_learn():
    assert METRICS["accuracy"].value(LABELS, CHOICES) == sklearn_metrics.accuracy_score(LABELS, CHOICES.values)
    expected = sklearn_metrics.log_loss(LABELS, PROBABILITIES, labels=CLASSES)
    assert METRICS["log_loss"].value(LABELS, CHOICES) == pytest.approx(expected, rel=1e-12)


def test_by_hand():
    prediction = Prediction(np.array([1.0, 5.0]), np.array([]))
    target = np.array([2.0, 2.0])
    assert METRICS["rmse"].row_losses(target, prediction).tolist() == [1.0, 9.0]
    assert METRICS["rmse"].value(target, prediction) == pytest.approx(5**0.5)
    assert METRICS["mae"].value(target, prediction) == 2.0
    assert METRICS["mape"].value(target, prediction) == 1.0


def test_certainty_and_classes_never_seen_in_training():
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.5, 0.5]])
    prediction = Prediction(np.array(["a", "c", "a", "a"]), np.array(["a", "c"]), probabilities)
    losses = METRICS["log_loss"].row_losses(np.array(["a", "a", "b", "z"]), prediction)
    worst = -np.log(np.finfo("float64").eps)  # 36.04, as scikit-learn clips it
    np.testing.assert_allclose(losses, [0.0, worst, worst, worst], atol=1e-12)


def test_log_loss_without_probabilities_is_an_error():
    with pytest.raises(ValueError, match="log_loss needs probabilities"):
        METRICS["log_loss"].value(LABELS, Prediction(CHOICES.values, CLASSES))


def test_only_accuracy_is_better_when_greater():
    assert [name for name, metric in METRICS.items() if metric.greater_is_better] == ["accuracy"]


@pytest.mark.parametrize(
    ("value", "like", "expected"),
    [
        (43512.7, None, "43,513"),
        (999.96, None, "1,000.0"),
        (47.123, None, "47.12"),
        (0.98611, None, "0.9861"),
        (1.0, None, "1.000"),
        (0.0, None, "0"),
        (-0.012362, None, "-0.01236"),
        (0.00358, 0.98611, "0.0036"),
        (12.0, 43512.7, "12"),
    ],
)
def test_figures(value, like, expected):
    assert figure(value, like=like) == expected


def test_mean_and_deviation_have_the_same_decimals():
    assert mean_and_deviation(69052.4, 2731.6) == "69,052 ± 2,732"
    assert mean_and_deviation(0.5, 0.0) == "0.5000 ± 0.0000"
