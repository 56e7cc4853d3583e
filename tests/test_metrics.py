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


BINARY = np.where(RNG.random(200) < 0.3, "no", "yes")
CHANCE = (0.3 * RNG.random(200) + 0.4 * (BINARY == "yes") + 0.3 * RNG.random(200)).round(1)  # many ties
TWO = Prediction(np.where(CHANCE > 0.5, "yes", "no"), np.array(["no", "yes"]), np.column_stack([1 - CHANCE, CHANCE]))


@pytest.mark.parametrize(("target", "prediction"), [(LABELS, CHOICES), (BINARY, TWO)], ids=["three", "two"])
@pytest.mark.parametrize("kind", ["str", "object", "int"])
def test_metrics_of_classes_are_those_of_scikit_learn(target, prediction, kind):
    if kind == "int":
        target, values = (np.searchsorted(prediction.classes, each) for each in (target, prediction.values))
        prediction = Prediction(values, np.arange(len(prediction.classes)), prediction.probabilities)
    target = target.astype("object") if kind == "object" else target
    chances = prediction.probabilities if len(prediction.classes) > 2 else prediction.probabilities[:, 1]
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(target, prediction.values),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(target, prediction.values),
        "f1_macro": sklearn_metrics.f1_score(target, prediction.values, average="macro"),
        "roc_auc": sklearn_metrics.roc_auc_score(target, chances, multi_class="ovr"),
        "log_loss": sklearn_metrics.log_loss(target, prediction.probabilities, labels=prediction.classes),
        "brier_score": sklearn_metrics.brier_score_loss(target, chances, pos_label=prediction.classes[-1])
        if len(prediction.classes) == 2
        else sklearn_metrics.brier_score_loss(target, chances),
    }
    assert set(expected) == set(METRICS_OF_TASKS["classification"])
    for name, value in expected.items():
        assert METRICS[name].value(target, prediction) == pytest.approx(value, rel=1e-12), name


def test_r2_is_that_of_scikit_learn():
    far = TARGET + 1e6  # where the mean is far from 0, squares cancel
    for target, values in ((TARGET, NUMBERS.values), (far, far + NUMBERS.values - TARGET), (TARGET, -TARGET)):
        prediction = Prediction(values, np.array([]))
        assert METRICS["r2"].value(target, prediction) == pytest.approx(sklearn_metrics.r2_score(target, values), 1e-9)


@pytest.mark.parametrize(("error", "expected"), [(0.0, 1.0), (0.5, 0.0)])
def test_r2_of_a_constant_target_is_that_of_scikit_learn(error, expected):
    assert sklearn_metrics.r2_score(np.ones(3), np.array([1.0, 1.0, 1.0 + error])) == expected
    for constant in (1.0, 0.1, 1e6 / 3):  # also where the mean of equal numbers is another one
        values = constant + np.array([0.0, 0.0, error])
        assert METRICS["r2"].value(np.full(3, constant), Prediction(values, np.array([]))) == expected


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1_macro", "log_loss", "brier_score"])
def test_a_class_that_is_absent_from_the_target_changes_what_it_changes_in_scikit_learn(name):
    """A fold or a slice may lack a class: also one that is predicted, and one that is neither true nor predicted."""
    chosen = (LABELS != "newt") & (CHOICES.values != "newt")
    for rows in (LABELS != "newt", chosen):
        target, prediction = LABELS[rows], CHOICES.of(rows)
        judged = {
            "accuracy": lambda y, p: sklearn_metrics.accuracy_score(y, p.values),
            "balanced_accuracy": lambda y, p: sklearn_metrics.recall_score(
                y, p.values, average="macro", labels=np.unique(y)
            ),
            "f1_macro": lambda y, p: sklearn_metrics.f1_score(y, p.values, average="macro"),
            "log_loss": lambda y, p: sklearn_metrics.log_loss(y, p.probabilities, labels=CLASSES),
            "brier_score": lambda y, p: sklearn_metrics.brier_score_loss(y, p.probabilities, labels=CLASSES),
        }
        assert METRICS[name].value(target, prediction) == pytest.approx(judged[name](target, prediction), rel=1e-12)


def test_the_area_leaves_a_class_out_that_is_absent_from_the_target():
    rows = LABELS != "newt"
    areas = [sklearn_metrics.roc_auc_score(LABELS[rows] == CLASSES[i], PROBABILITIES[rows, i]) for i in range(2)]
    assert METRICS["roc_auc"].value(LABELS[rows], CHOICES.of(rows)) == pytest.approx(np.mean(areas), rel=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_no_rows_have_no_value_and_one_class_has_no_area(name):
    none = np.zeros(200, dtype="bool")
    target, prediction = (TARGET, NUMBERS) if name in METRICS_OF_TASKS["regression"] else (BINARY, TWO)
    assert np.isnan(METRICS[name].value(target[none], prediction.of(none)))
    if name == "roc_auc":
        assert np.isnan(METRICS[name].value(target[BINARY == "no"], prediction.of(BINARY == "no")))


@pytest.mark.parametrize("name", [name for name in METRICS if name != "roc_auc"])
def test_weighed_sums_give_the_metric_of_the_rows_repeated(name):
    """What a resample is: each row so many times."""
    target, prediction = (TARGET, NUMBERS) if name in METRICS_OF_TASKS["regression"] else (LABELS, CHOICES)
    times = np.random.default_rng(3).integers(0, 3, 200)
    again = np.repeat(np.arange(200), times)
    mask = prediction.probabilities
    repeated = Prediction(prediction.values[again], prediction.classes, None if mask is None else mask[again])
    weighed = METRICS[name].value_of(times @ METRICS[name].columns(target, prediction))
    assert float(weighed) == pytest.approx(METRICS[name].value(target[again], repeated), rel=1e-9)


def test_weighed_placements_give_the_area_of_the_rows_repeated_to_first_order():
    """In resamples the area from its placements varies as the area itself does, and about the same value."""
    columns, rng = METRICS["roc_auc"].columns(BINARY, TWO), np.random.default_rng(3)
    drawn = [rng.integers(0, 200, 200) for _ in range(300)]
    exact = [sklearn_metrics.roc_auc_score(BINARY[rows] == "yes", CHANCE[rows]) for rows in drawn]
    linear = [float(METRICS["roc_auc"].value_of(columns[rows].sum(axis=0))) for rows in drawn]
    assert np.std(np.subtract(exact, linear)) < 0.2 * np.std(exact)
    assert np.std(linear) == pytest.approx(np.std(exact), rel=0.05)


def test_sums_of_many_resamples_at_once_give_as_many_values():
    for name, metric in METRICS.items():
        target, prediction = (TARGET, NUMBERS) if name in METRICS_OF_TASKS["regression"] else (LABELS, CHOICES)
        sums = metric.columns(target, prediction).sum(axis=0)
        found = metric.value_of(np.broadcast_to(sums, (4, 5, len(sums))))
        np.testing.assert_allclose(found, np.full((4, 5), metric.value(target, prediction)))


def test_rows_that_lost_most_are_those_that_are_most_wrong():
    for name, metric in METRICS.items():
        target, prediction = (TARGET, NUMBERS) if name in METRICS_OF_TASKS["regression"] else (BINARY, TWO)
        losses = metric.losses(target, prediction)
        assert losses.shape == (200,)
        if name in METRICS_OF_TASKS["regression"]:
            continue
        wrong = prediction.values != target
        assert losses[wrong].mean() > losses[~wrong].mean()
    sure, other = np.array([[0.1, 0.9], [0.6, 0.4]]), np.array(["no", "yes"])
    assert METRICS["roc_auc"].losses(other, Prediction(other, other, sure)).tolist() == [1.0, 1.0]


def test_one_miss_costs_what_it_costs():
    """A miss among the rarest class costs a mean over classes most."""
    target = np.repeat(["a", "b"], [90, 10])
    right = Prediction(target, np.array(["a", "b"]))
    values = target.copy()
    values[-1] = "a"
    for name in ("accuracy", "balanced_accuracy"):
        metric = METRICS[name]
        cost = 1.0 - metric.value(target, Prediction(values, np.array(["a", "b"])))
        assert float(metric.one_miss(metric.columns(target, right).sum(axis=0))) == pytest.approx(cost, rel=1e-12)
    assert [name for name, metric in METRICS.items() if metric.counts] == ["accuracy", "balanced_accuracy", "f1_macro"]


def test_by_hand():
    prediction = Prediction(np.array([1.0, 5.0]), np.array([]))
    target = np.array([2.0, 2.0])
    assert METRICS["rmse"].losses(target, prediction).tolist() == [1.0, 9.0]
    assert METRICS["rmse"].value(target, prediction) == pytest.approx(5**0.5)
    assert METRICS["mae"].value(target, prediction) == 2.0
    assert METRICS["mape"].value(target, prediction) == 1.0


def test_certainty_and_classes_never_seen_in_training():
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.5, 0.5]])
    prediction = Prediction(np.array(["a", "c", "a", "a"]), np.array(["a", "c"]), probabilities)
    losses = METRICS["log_loss"].losses(np.array(["a", "a", "b", "z"]), prediction)
    worst = -np.log(np.finfo("float64").eps)  # 36.04, as scikit-learn clips it
    np.testing.assert_allclose(losses, [0.0, worst, worst, worst], atol=1e-12)


@pytest.mark.parametrize("name", ["log_loss", "brier_score", "roc_auc"])
def test_without_probabilities_what_needs_them_is_an_error(name):
    with pytest.raises(ValueError, match=f"{name} needs probabilities, which this estimator does not give"):
        METRICS[name].value(LABELS, Prediction(CHOICES.values, CLASSES))


def test_brier_score_of_a_class_never_seen_in_training():
    """No probability is given to it: (0 - 1)² beside the squares of what the others were given, halved for two."""
    prediction = Prediction(np.array(["a"]), np.array(["a", "c"]), np.array([[0.75, 0.25]]))
    assert METRICS["brier_score"].value(np.array(["b"]), prediction) == (0.75**2 + 0.25**2 + 1) / 2


def test_the_area_of_a_class_never_seen_in_training_is_that_of_a_coin():
    target = np.array(["a", "a", "c", "c", "b"])
    certain = (target[:, None] == np.array(["a", "c"])).astype("float64")
    assert METRICS["roc_auc"].value(target, Prediction(target, np.array(["a", "c"]), certain)) == (1 + 0.5 + 1) / 3


def test_what_is_better_when_greater():
    greater = {name for name, metric in METRICS.items() if metric.greater_is_better}
    assert greater == {"accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "r2"}


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
